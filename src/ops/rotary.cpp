// Rotary positions: each pair of numbers of a query or key is a point in the plane, and is turned by its
// position's angle. The dot product of two turned points depends only on how far apart their positions are
// (Su 2021).
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

constexpr Axis k_pairs = static_cast<Axis>('E');

// Inputs x [B,T,H,D], cos and sin [P,E], or [B,T,E] where every text has its own, and positions [B,T] where
// the options say so.  The first 2 E numbers
// of a head turn, the others pass.
class RotaryBase : public Operation {
 public:
  explicit RotaryBase(const Options& options)
      : width_(options.integer("width")),
        interleaved_(options.word("pairing", "halves") == "interleaved"),
        positions_(options.flag("positions")) {
    const std::string word = options.word("pairing", "halves");
    if (word != "halves" && word != "interleaved")
      fail_call("pairing is '", word, "', expected halves or interleaved");
    if (width_ < 0 || width_ % 2 != 0) fail_call("width is ", width_, ", expected an even number");
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, positions_ ? 4 : 3, positions_ ? 4 : 3);
    const Shape &x = in[0], &cos = in[1];
    require_rank(x, 4, "x", "[B,T,H,D]");
    const bool texts = cos.rank() == 3 && !positions_;
    if (!texts) require_rank(cos, 2, "cos", positions_ ? "[P,E]" : "[P,E] or [B,T,E]");
    if (texts && !(fits(cos[0].size, x[0].size) && fits(cos[1].size, x[1].size)))
      fail_call("cos is ", cos.text(), ", expected [B,T,E] of x ", x.text());
    if (!fit(cos, in[2])) fail_call("sin is ", in[2].text(), ", expected that of cos, ", cos.text());
    const int64_t width = 2 * cos[cos.rank() - 1].size;
    if (width_ != 0 && width != width_)
      fail_call("cos is ", cos.text(), ", expected ", width_ / 2, " columns, one for each pair of ", width_,
                " numbers");
    if (x[3].size >= 0 && width > x[3].size)
      fail_call("cos is ", cos.text(), ", which turns ", width, " numbers of a head, but x is ", x.text());
    if (positions_ &&
        !(in[3].rank() == 2 && fits(in[3][0].size, x[0].size) && fits(in[3][1].size, x[1].size)))
      fail_call("positions is ", in[3].text(), ", expected [B,T] of x ", x.text());
    if (!positions_ && !texts && x[1].size >= 0 && cos[0].size >= 0 && x[1].size > cos[0].size)
      fail_call("x is ", x.text(), ", but cos ", cos.text(), " has angles for ", cos[0].size,
                " positions only");
    return {{"", x}};
  }

 protected:
  // Where the two numbers of pair i stand in a head.
  struct Pair {
    int64_t first, second;
  };
  Pair pair(int64_t i, int64_t pairs) const {
    return interleaved_ ? Pair{2 * i, 2 * i + 1} : Pair{i, i + pairs};
  }

  static int64_t pairs_of(Inputs in) { return in[1].shape()[in[1].shape().rank() - 1].size; }

  // The row of cos and sin.
  int64_t position(Inputs in, int64_t b, int64_t t) const {
    if (in[1].shape().rank() == 3) return b * in[1].shape()[1].size + t;
    if (!positions_) return t;
    const int64_t rows = in[1].shape()[0].size, p = in[3].data<int64_t>()[b * in[3].shape()[1].size + t];
    if (p < 0 || p >= rows)
      fail_call("positions[", b, ",", t, "] is ", p, ", expected 0 to ", rows - 1, ": cos has ", rows,
                " rows");
    return p;
  }

  // direction 1 turns forward, -1 back.
  void turn(Inputs in, Outputs out, int direction) const {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = in[0].shape();
      const int64_t pairs = pairs_of(in);
      const auto x = in[0].as<R>();
      const R *cos = in[1].data<R>(), *sin = in[2].data<R>();
      const auto y = out[0].as<R>();
      for (int64_t b = 0; b < shape[0].size; ++b)
        for (int64_t t = 0; t < shape[1].size; ++t) {
          const int64_t p = position(in, b, t);
          for (int64_t h = 0; h < shape[2].size; ++h) {
            for (int64_t i = 0; i < pairs; ++i) {
              const auto [j, k] = pair(i, pairs);
              const R c = cos[p * pairs + i], s = static_cast<R>(direction) * sin[p * pairs + i];
              y(b, t, h, j) = x(b, t, h, j) * c - x(b, t, h, k) * s;
              y(b, t, h, k) = x(b, t, h, k) * c + x(b, t, h, j) * s;
            }
            for (int64_t d = 2 * pairs; d < shape[3].size; ++d) y(b, t, h, d) = x(b, t, h, d);
          }
        }
    });
  }

  Expr explain_turn(Inputs in, const Index& at, int direction) const {
    const int64_t pairs = pairs_of(in), d = at[3];
    if (d >= 2 * pairs) return cell(in, 0, at);
    const int64_t p = position(in, at[0], at[1]);
    const int64_t i = interleaved_ ? d / 2 : d % pairs;
    const auto [first, second] = pair(i, pairs);
    const Index angle = in[1].shape().rank() == 3 ? Index{at[0], at[1], i} : Index{p, i};
    const Expr kept = cell(in, 0, at) * cell(in, 1, angle);
    const Expr other = cell(in, 0, with(at, 3, d == first ? second : first)) * cell(in, 2, angle);
    return (d == first) == (direction == 1) ? kept - other : kept + other;
  }

  int64_t width_;
  bool interleaved_, positions_;
};

class Rotary final : public RotaryBase {
 public:
  using RotaryBase::RotaryBase;
  std::string label() const override { return "Rotary Positions"; }
  std::string equation() const override { return "(y1, y2) = (x1 cos - x2 sin, x2 cos + x1 sin)"; }
  std::string caption() const override {
    return "Turns each pair of numbers by its position's angle, so that a match depends on how far apart two "
           "tokens are.";
  }

  void run(Inputs in, Outputs out, const RunContext&) const override { turn(in, out, 1); }

  // The angles are constants: only x has a gradient.
  void gradient(GradientContext& g) const override {
    if (!g.wants(0)) return;
    std::vector<Stage> inputs = {g.grad()};
    for (int i = 1; i < g.inputs(); ++i) inputs.push_back(g.in(i));
    g.give(0, g.apply("rotary_gradient", options(), inputs));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return explain_turn(in, out.index, 1);
  }
};

// dx = dy turned back by the same angles.
class RotaryGradient final : public RotaryBase {
 public:
  using RotaryBase::RotaryBase;
  std::string label() const override { return "Rotary Gradient"; }
  std::string equation() const override { return "(dx1, dx2) = (dy1 cos + dy2 sin, dy2 cos - dy1 sin)"; }
  std::string caption() const override { return "Turns the gradient back by the same angle."; }

  void run(Inputs in, Outputs out, const RunContext&) const override { turn(in, out, -1); }
  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return explain_turn(in, out.index, -1);
  }
};

}  // namespace

Stage rotary(const Scope& in, Stage x, Stage cos, Stage sin, const RotaryOptions& o, Stage positions) {
  Options options;
  if (o.width != 0) options.set("width", o.width);
  if (o.pairing == Pairing::interleaved) options.set("pairing", std::string("interleaved"));
  std::vector<Stage> inputs = {x, cos, sin};
  if (positions) {
    options.set("positions", true);
    inputs.push_back(positions);
  }
  return in.graph->add(in, "rotary", options, inputs);
}

void register_rotary(Registry& all) {
  const Shape q = {{Axis::B, 2}, {Axis::T, 3}, {Axis::H, 2}, {Axis::D, 6}};
  const Shape k = {{Axis::B, 2}, {Axis::S, 4}, {Axis::G, 1}, {Axis::D, 6}};
  const Example::Input angles = {{{Axis::T, 4}, {k_pairs, 3}}, DType::f32, -1, 1, false};
  const Example::Input few = {{{Axis::T, 4}, {k_pairs, 1}}, DType::f32, -1, 1, false};
  const Example::Input own = {{{Axis::B, 2}, {Axis::T, 3}, {k_pairs, 3}}, DType::f32, -1, 1, false};
  const Example::Input positions = {{{Axis::B, 2}, {Axis::T, 3}}, DType::i64, 0, 4};
  const Options interleaved = {{"pairing", std::string("interleaved")}};
  const Options chosen = {
      {"pairing", std::string("interleaved")}, {"width", int64_t{2}}, {"positions", true}};
  all.add<Rotary>("rotary", {{{}, {{q}, angles, angles}},
                             {interleaved, {{k}, angles, angles}},
                             {{{"width", int64_t{2}}}, {{k}, few, few}},
                             {{}, {{q}, own, own}},
                             {{{"positions", true}}, {{q}, angles, angles, positions}},
                             {chosen, {{q}, few, few, positions}}});
  all.add<RotaryGradient>("rotary_gradient",
                          {{{}, {{q}, angles, angles}}, {chosen, {{q}, few, few, positions}}});
}

}  // namespace limpid

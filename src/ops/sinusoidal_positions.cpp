// Sinusoidal positions: place t is written as waves, fast ones in the first columns and slow ones in the last
// (Vaswani 2017, 3.5).  Columns 2i and 2i + 1 hold the sine and cosine of t / base^(2 i / C).
#include <unordered_map>

#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// Column c of a row: which wave, and whether its sine or its cosine.
struct Column {
  int64_t wave = 0;
  bool sine = true;
};

// Inputs x, and where the rows have places of their own, those [B,T].
class SinusoidalPositions final : public Operation {
 public:
  explicit SinusoidalPositions(const Options& options)
      : base_(options.real("base", 10000)),
        halves_(options.flag("halves")),
        ends_at_base_(options.flag("ends_at_base")),
        first_(options.integer("first")) {
    if (!(base_ > 0 && std::isfinite(base_))) fail_call("base is ", base_, ", expected a number above 0");
  }
  std::string label() const override { return "Positional Encoding"; }
  std::string equation() const override {
    const std::string wave = ends_at_base_ ? "^(i/(C/2-1))" : "^(2i/C)",
                      place = first_ ? join("(t+", first_, ")") : "t";
    return join(halves_ ? "y[t,i] = sin(" : "y[t,2i] = sin(", place, " / ", base_, wave,
                halves_ ? "), y[t,C/2+i] = cos(the same)" : "), y[t,2i+1] = cos(the same)");
  }
  std::string caption() const override {
    return "Each place in the text has its own pattern of waves, fast in the first columns and slow in the "
           "last.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 2);
    require_rank(in[0], 3, "x", "[B,T,C]");
    if (in.size() == 2 && !fit(in[1], in[0].part(0, 2)))
      fail_call("places is ", in[1].text(), ", expected [B,T] of x ", in[0].text());
    if ((halves_ || ends_at_base_) && in[0][2].size != k_symbolic && in[0][2].size % 2 != 0)
      fail_call("x is ", in[0].text(), ", expected an even C, half of it sines and half cosines");
    return {{"", in[0]}};
  }

  // The angle is computed in double whatever the run's type: at far places float would lose the turn.
  void run(Inputs in, Outputs out, const RunContext& context) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = out[0].shape();
      R* y = out[0].data<R>();
      const int64_t width = shape[2].size;
      std::unordered_map<double, const R*> written;  // by place: texts of a batch share most of theirs
      for (int64_t b = 0; b < shape[0].size; ++b)
        for (int64_t t = 0; t < shape[1].size; ++t) {
          const double at = place(in, b, t, context);
          R* row = y + (b * shape[1].size + t) * width;
          const auto [same, fresh] = written.try_emplace(at, row);
          if (!fresh) {
            std::copy_n(same->second, width, row);
            continue;
          }
          for (int64_t c = 0; c < width; ++c) {
            const Column column = column_of(c, width);
            const double angle = at / wavelength(column.wave, width);
            row[c] = static_cast<R>(column.sine ? std::sin(angle) : std::cos(angle));
          }
        }
    });
  }

  void gradient(GradientContext&) const override {}  // x is read for its sizes only

  Expr explain(Inputs in, const Cell& out, const RunContext& context) const override {
    const int64_t width = in[0].shape()[2].size;
    const Column column = column_of(out.index[2], width);
    const Expr angle =
        Expr(place(in, out.index[0], out.index[1], context)) / Expr(wavelength(column.wave, width));
    return Expr::call(column.sine ? Expr::Function::sin : Expr::Function::cos, {angle});
  }

 private:
  double place(Inputs in, int64_t b, int64_t t, const RunContext& context) const {
    if (in.size() == 2) return static_cast<double>(first_ + in[1].as<int64_t>()(b, t));
    return static_cast<double>(first_ + context.first_of(b) + t);
  }
  Column column_of(int64_t c, int64_t width) const {
    if (halves_) return {c % (width / 2), c < width / 2};
    return {c / 2, c % 2 == 0};
  }
  // What a place is divided by in wave i.
  double wavelength(int64_t i, int64_t width) const {
    const auto wave = static_cast<double>(i);
    if (ends_at_base_) return std::pow(base_, wave / std::max(1.0, static_cast<double>(width / 2 - 1)));
    return std::pow(base_, 2 * wave / static_cast<double>(width));
  }

  double base_;
  bool halves_, ends_at_base_;
  int64_t first_;
};

}  // namespace

Stage sinusoidal_positions(const Scope& in, Stage x, const SinusoidalOptions& o, Stage places) {
  Options options = {{"base", o.base}};
  if (o.halves) options.set("halves", true);
  if (o.ends_at_base) options.set("ends_at_base", true);
  if (o.first) options.set("first", o.first);
  return in.graph->add(in, "sinusoidal_positions", options,
                       places ? std::vector<Stage>{x, places} : std::vector<Stage>{x});
}

void register_sinusoidal_positions(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 5}, {Axis::C, 6}},
              odd = {{Axis::B, 1}, {Axis::T, 200}, {Axis::C, 3}};
  all.add<SinusoidalPositions>(
      "sinusoidal_positions",
      {{{}, {{x, DType::f32, -1, 1, false}}},
       {{}, {{x, DType::f32, -1, 1, false}, {x.part(0, 2), DType::i64, 0, 9}}},
       {{{"base", 50.0}}, {{odd, DType::f32, -1, 1, false}}},
       {{{"halves", true}}, {{x, DType::f32, -1, 1, false}}},
       {{{"halves", true}, {"ends_at_base", true}, {"first", int64_t{2}}}, {{x, DType::f32, -1, 1, false}}}});
}

}  // namespace limpid

// Learned positions: place t has row t of a table, whatever stands there.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

class LearnedPositions final : public Operation {
 public:
  explicit LearnedPositions(const Options&) {}
  std::string label() const override { return "Positional Encoding"; }
  std::string equation() const override { return "y[t] = W_pos[t]"; }
  std::string caption() const override { return "Each place in the text has a learned vector of its own."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_rank(in[0], 3, "x", "[B,T,C]");
    require_rank(in[1], 2, "the table", "[P,C]");
    require_size(in[0], 2, in[1][1].size, "x", in[1]);
    const int64_t length = in[0][1].size, rows = in[1][0].size;
    if (length >= 0 && rows >= 0 && length > rows)
      fail_call("the text has ", length, " tokens, but the table ", in[1].text(), " has positions for ", rows,
                " only");
    return {{"", {in[0][0], in[0][1], in[1][1]}}};
  }

  void run(Inputs in, Outputs out, const RunContext& context) const override {
    const int64_t rows = in[1].shape()[0].size, length = in[0].shape()[1].size;
    for (int64_t b = 0; b < in[0].shape()[0].size; ++b)
      if (const int64_t first = context.first_of(b); first < 0 || first > rows - length)
        fail_call("the text has ", first + length, " tokens, but the table ", in[1].shape().text(),
                  " has positions for ", rows, " only");
    on_real(out[0], [&]<class R>() {
      const Shape& x = in[0].shape();
      const auto table = in[1].as<R>();
      const auto y = out[0].as<R>();
      for (int64_t b = 0; b < x[0].size; ++b)
        for (int64_t t = 0; t < x[1].size; ++t)
          for (int64_t c = 0; c < x[2].size; ++c) y(b, t, c) = table(context.first_of(b) + t, c);
    });
  }

  // x is read for its sizes only.
  void gradient(GradientContext& g) const override {
    if (g.wants(1)) g.give(1, g.apply("learned_positions_gradient", {}, {g.grad(), g.in(1)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext& context) const override {
    return cell(in, 1, {context.first_of(out.index[0]) + out.index[1], out.index[2]});
  }
};

// dW_pos[t] = the sum of dy[b,t] over the sequences; rows past the text get zero.  Inputs dy, and the table
// for its shape.
class LearnedPositionsGradient final : public Operation {
 public:
  explicit LearnedPositionsGradient(const Options&) {}
  std::string label() const override { return "Position Gradient"; }
  std::string equation() const override { return "dW_pos[t] = sum_b dy[b,t]"; }
  std::string caption() const override {
    return "A place's vector learns from that place in every sequence.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_rank(in[0], 3, "the gradient", "[B,T,C]");
    require_rank(in[1], 2, "the table", "[P,C]");
    require_size(in[0], 2, in[1][1].size, "the gradient", in[1]);
    return {{"", in[1]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape &shape = in[0].shape(), &table = in[1].shape();
      const auto dy = in[0].as<R>();
      const auto dtable = out[0].as<R>();
      for (int64_t t = 0; t < table[0].size; ++t)
        for (int64_t c = 0; c < table[1].size; ++c) {
          double sum = 0;
          if (t < shape[1].size)
            for (int64_t b = 0; b < shape[0].size; ++b) sum += dy(b, t, c);
          dtable(t, c) = static_cast<R>(sum);
        }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    std::vector<Expr> terms;
    if (out.index[0] < in[0].shape()[1].size)
      for (int64_t b = 0; b < in[0].shape()[0].size; ++b)
        terms.push_back(cell(in, 0, inserted(out.index, 0, b)));
    return Expr::sum(terms);
  }
};

}  // namespace

Stage learned_positions(const Scope& in, Stage x, Stage table) {
  return in.graph->add(in, "learned_positions", {}, {x, table});
}

void register_learned_positions(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 4}}, table = {{Axis::P, 5}, {Axis::C, 4}};
  const Shape full = {{Axis::P, 3}, {Axis::C, 4}};
  const Example::Input sizes = {x, DType::f32, -1, 1, false};
  all.add<LearnedPositions>("learned_positions", {{{}, {sizes, {table}}}, {{}, {sizes, {full}}}});
  all.add<LearnedPositionsGradient>("learned_positions_gradient", {{{}, {{x}, {table}}}});
}

}  // namespace limpid

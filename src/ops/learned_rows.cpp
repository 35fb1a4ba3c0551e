// Learned rows: the same few rows for every sequence, such as the one that asks, in attention pooling, what
// the whole image says (SigLIP's probe: Zhai 2023; Lee 2019, "Set transformer").
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// Inputs x, for how many sequences there are, and the rows.
class LearnedRows final : public Operation {
 public:
  explicit LearnedRows(const Options&) {}
  std::string label() const override { return "Learned Rows"; }
  std::string equation() const override { return "y[b] = rows"; }
  std::string caption() const override { return "Starts from learned rows, the same for every input."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_rank(in[0], 3, "x", "[B,T,C]");
    require_rank(in[1], 2, "the rows", "[N,C]");
    return {{"", {in[0][0], {Axis::T, in[1][0].size}, {Axis::C, in[1][1].size}}}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const auto rows = in[1].as<R>();
      const auto y = out[0].as<R>();
      const Shape& shape = out[0].shape();
      for (int64_t b = 0; b < shape[0].size; ++b)
        for (int64_t n = 0; n < shape[1].size; ++n)
          for (int64_t c = 0; c < shape[2].size; ++c) y(b, n, c) = rows(n, c);
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(1)) g.give(1, g.apply("prepend_rows_gradient", {}, {g.grad(), g.in(1)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return cell(in, 1, {out.index[1], out.index[2]});
  }
};

}  // namespace

Stage learned_rows(const Scope& in, Stage x, Stage rows) {
  return in.graph->add(in, "learned_rows", {}, {x, rows});
}

void register_learned_rows(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 4}}, rows = {{Axis::N, 2}, {Axis::C, 4}};
  all.add<LearnedRows>("learned_rows", {{{}, {{x, DType::f32, -1, 1, false}, {rows}}}});
}

}  // namespace limpid

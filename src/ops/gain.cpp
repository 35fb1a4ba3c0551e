// Gain: every feature has a learned factor of its own, the same at all places: the layer scale of deep vision
// transformers (Touvron 2021, "Going deeper with image transformers").
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

class Gain final : public Operation {
 public:
  explicit Gain(const Options&) {}
  std::string label() const override { return "Gain"; }
  std::string equation() const override { return "y[c] = x[c] w[c]"; }
  std::string caption() const override {
    return "Gives each feature its own learned share in what is added.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    const Shape &x = in[0], &w = in[1];
    if (x.rank() < 1 || w.rank() != 1 || !fits(w[0].size, x[x.rank() - 1].size))
      fail_call("the gains are ", w.text(), ", expected one a number of the rows of x ", x.text());
    return {{"", x}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t count = in[0].shape().count(), width = in[1].shape().count();
      const R *x = in[0].data<R>(), *w = in[1].data<R>();
      R* y = out[0].data<R>();
      for (int64_t i = 0; i < count; ++i) y[i] = x[i] * w[i % width];
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("gain", {}, {g.grad(), g.in(1)}));
    if (!g.wants(1)) return;
    const Stage each = g.apply("gate", {}, {g.grad(), g.in(0)});
    g.give(1, g.apply("sum_leading", {{"axes", int64_t{g.in(0).shape().rank() - 1}}}, {each}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return cell(in, 0, out.index) * cell(in, 1, {out.index.back()});
  }
};

}  // namespace

Stage gain(const Scope& in, Stage x, Stage w) { return in.graph->add(in, "gain", {}, {x, w}); }

void register_gain(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 4}}, w = {{Axis::C, 4}};
  all.add<Gain>("gain", {{{}, {{x}, {w}}}, {{}, {{x.part(1, 2)}, {w}}}});
}

}  // namespace limpid

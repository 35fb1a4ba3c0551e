// Gate: one array decides, number by number, how much of another passes (SwiGLU: Shazeer 2020).
#include "limpid/ops.h"
#include "ops/elementwise.h"

namespace limpid {

namespace {

class Gate final : public Operation {
 public:
  explicit Gate(const Options&) {}
  std::string label() const override { return "Gate"; }
  std::string equation() const override { return "y = a * b, number by number"; }
  std::string caption() const override {
    return "One array decides, number by number, how much of the other passes.";
  }
  std::vector<Output> shape(const std::vector<Shape>& in) const override { return same_shape(in, 2); }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    each_pair(in, out, []<class R>(R a, R b) { return a * b; });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("gate", {}, {g.grad(), g.in(1)}));
    if (g.wants(1)) g.give(1, g.apply("gate", {}, {g.grad(), g.in(0)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return cell(in, 0, out.index) * cell(in, 1, out.index);
  }
};

}  // namespace

Stage gate(const Scope& in, Stage a, Stage b) { return in.graph->add(in, "gate", {}, {a, b}); }

void register_gate(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::F, 4}};
  all.add<Gate>("gate", {{{}, {{x}, {x}}}, {{}, {{Shape{}}, {Shape{}}}}});
}

}  // namespace limpid

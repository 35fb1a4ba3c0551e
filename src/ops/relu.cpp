// ReLU: negative numbers become 0.
#include "limpid/ops.h"
#include "ops/elementwise.h"

namespace limpid {

namespace {

class Relu final : public Operation {
 public:
  explicit Relu(const Options&) {}
  std::string label() const override { return "ReLU"; }
  std::string equation() const override { return "y = max(x, 0)"; }
  std::string caption() const override {
    return "Keeps what is positive and replaces what is negative by 0.";
  }
  std::vector<Output> shape(const std::vector<Shape>& in) const override { return same_shape(in, 1); }

  // Written so that a NaN stays a NaN.
  void run(Inputs in, Outputs out, const RunContext&) const override {
    each(in, out, []<class R>(R x) { return x < 0 ? R(0) : x; });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("relu_gradient", {}, {g.grad(), g.in(0)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return maximum({cell(in, 0, out.index), Expr(0)});
  }
};

// Inputs dy, x.
class ReluGradient final : public Operation {
 public:
  explicit ReluGradient(const Options&) {}
  std::string label() const override { return "ReLU Gradient"; }
  std::string equation() const override { return "dx = dy where x > 0, else 0"; }
  std::string caption() const override {
    return "Only numbers that were let through send their gradient back.";
  }
  std::vector<Output> shape(const std::vector<Shape>& in) const override { return same_shape(in, 2); }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    each_pair(in, out, []<class R>(R dy, R x) { return x <= 0 ? R(0) : dy; });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return in[1].at(out.index) <= 0 ? Expr(0) : cell(in, 0, out.index);
  }
};

}  // namespace

Stage relu(const Scope& in, Stage x) { return in.graph->add(in, "relu", {}, {x}); }

void register_relu(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::F, 4}};
  all.add<Relu>("relu", {{{}, {{x}}}, {{}, {{{{Axis::F, 7}}, DType::f32, -9, 9}}}});
  all.add<ReluGradient>("relu_gradient", {{{}, {{x}, {x}}}});
}

}  // namespace limpid

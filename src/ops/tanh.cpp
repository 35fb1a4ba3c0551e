// Tanh: squeezes every number into (-1, 1).
#include "limpid/ops.h"
#include "ops/elementwise.h"

namespace limpid {

namespace {

class Tanh final : public Operation {
 public:
  explicit Tanh(const Options&) {}
  std::string label() const override { return "Tanh"; }
  std::string equation() const override { return "y = tanh(x)"; }
  std::string caption() const override { return "Squeezes every number smoothly between -1 and 1."; }
  std::vector<Output> shape(const std::vector<Shape>& in) const override { return same_shape(in, 1); }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    each(in, out, []<class R>(R x) { return std::tanh(x); });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("tanh_gradient", {}, {g.grad(), g.out()}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return tanh(cell(in, 0, out.index));
  }
};

// Inputs dy, y: the slope of tanh is known from its value.
class TanhGradient final : public Operation {
 public:
  explicit TanhGradient(const Options&) {}
  std::string label() const override { return "Tanh Gradient"; }
  std::string equation() const override { return "dx = dy (1 - y^2)"; }
  std::string caption() const override {
    return "The flatter the curve at this number, the less comes back.";
  }
  std::vector<Output> shape(const std::vector<Shape>& in) const override { return same_shape(in, 2); }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    each_pair(in, out, []<class R>(R dy, R y) { return dy * (1 - y * y); });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Expr y = cell(in, 1, out.index);
    return cell(in, 0, out.index) * (Expr(1) - y * y);
  }
};

}  // namespace

Stage tanh(const Scope& in, Stage x) { return in.graph->add(in, "tanh", {}, {x}); }

void register_tanh(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 4}};
  all.add<Tanh>("tanh", {{{}, {{x}}}, {{}, {{{{Axis::C, 5}}, DType::f32, -3, 3}}}});
  all.add<TanhGradient>("tanh_gradient", {{{}, {{x}, {x}}}});
}

}  // namespace limpid

// SiLU (also called Swish): x times the logistic function of x.
#include "limpid/ops.h"
#include "ops/elementwise.h"

namespace limpid {

namespace {

// 1 / (1 + exp(-x)), as a number and as arithmetic.
template <class R>
R logistic(R x) {
  return 1 / (1 + std::exp(-x));
}
Expr logistic(const Expr& x) { return Expr(1) / (Expr(1) + exp(Expr(-1) * x)); }

class Silu final : public Operation {
 public:
  explicit Silu(const Options&) {}
  std::string label() const override { return "SiLU"; }
  std::string equation() const override { return "y = x / (1 + exp(-x))"; }
  std::string caption() const override {
    return "Lets positive numbers pass and fades negative ones out smoothly.";
  }
  std::vector<Output> shape(const std::vector<Shape>& in) const override { return same_shape(in, 1); }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    each(in, out, []<class R>(R x) { return x / (1 + std::exp(-x)); });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("silu_gradient", {}, {g.grad(), g.in(0)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Expr x = cell(in, 0, out.index);
    return x / (Expr(1) + exp(Expr(-1) * x));
  }
};

// Inputs dy, x.
class SiluGradient final : public Operation {
 public:
  explicit SiluGradient(const Options&) {}
  std::string label() const override { return "SiLU Gradient"; }
  std::string equation() const override { return "dx = dy p (1 + x (1 - p)), p = 1 / (1 + exp(-x))"; }
  std::string caption() const override {
    return "The flatter the curve at this number, the less comes back.";
  }
  std::vector<Output> shape(const std::vector<Shape>& in) const override { return same_shape(in, 2); }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    each_pair(in, out, []<class R>(R dy, R x) {
      const R p = logistic(x);
      return dy * p * (1 + x * (1 - p));
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Expr x = cell(in, 1, out.index), p = logistic(x);
    return cell(in, 0, out.index) * p * (Expr(1) + x * (Expr(1) - p));
  }
};

}  // namespace

Stage silu(const Scope& in, Stage x) { return in.graph->add(in, "silu", {}, {x}); }

void register_silu(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::F, 4}};
  all.add<Silu>("silu", {{{}, {{x}}}, {{}, {{{{Axis::F, 7}}, DType::f32, -9, 9}}}});
  all.add<SiluGradient>("silu_gradient", {{{}, {{x}, {x, DType::f32, -9, 9}}}});
}

}  // namespace limpid

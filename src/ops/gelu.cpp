// GELU (Hendrycks, Gimpel 2016): x times the chance that a standard normal number is below x.  Two forms:
// exactly, by erf, and the paper's approximation by tanh, which GPT-2 uses.
#include <numbers>

#include "limpid/ops.h"
#include "ops/elementwise.h"

namespace limpid {

namespace {

constexpr double k_sqrt_half = 1 / std::numbers::sqrt2;
constexpr double k_normal_density = 0.398942280401432677939946;  // 1 / sqrt(2 pi)
constexpr double k_tanh_scale = 0.797884560802865355879892;      // sqrt(2 / pi)
constexpr double k_tanh_cubic = 0.044715;

class GeluBase : public Operation {
 public:
  explicit GeluBase(const Options& options) : tanh_(options.word("form", "exact") == "tanh") {
    const std::string form = options.word("form", "exact");
    if (form != "exact" && form != "tanh") fail_call("form is '", form, "', expected 'exact' or 'tanh'");
  }

 protected:
  bool tanh_;
};

class GeluForward final : public GeluBase {
 public:
  using GeluBase::GeluBase;
  std::string label() const override { return "GELU"; }
  std::string equation() const override {
    return tanh_ ? "y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))" : "y = x/2 (1 + erf(x / sqrt(2)))";
  }
  std::string caption() const override {
    return "Lets positive numbers pass and fades negative ones out smoothly.";
  }
  std::vector<Output> shape(const std::vector<Shape>& in) const override { return same_shape(in, 1); }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    if (tanh_)
      each(in, out, []<class R>(R x) {
        return R(0.5) * x * (1 + std::tanh(R(k_tanh_scale) * (x + R(k_tanh_cubic) * x * x * x)));
      });
    else
      each(in, out, []<class R>(R x) { return R(0.5) * x * (1 + std::erf(x * R(k_sqrt_half))); });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("gelu_gradient", options(), {g.grad(), g.in(0)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Expr x = cell(in, 0, out.index);
    const Expr inner =
        tanh_ ? tanh(Expr(k_tanh_scale) * (x + Expr(k_tanh_cubic) * x * x * x)) : erf(x * Expr(k_sqrt_half));
    return Expr(0.5) * x * (Expr(1) + inner);
  }
};

// Inputs dy, x.
class GeluGradient final : public GeluBase {
 public:
  using GeluBase::GeluBase;
  std::string label() const override { return "GELU Gradient"; }
  std::string equation() const override {
    return tanh_ ? "dx = dy ((1 + u)/2 + x/2 (1 - u^2) sqrt(2/pi) (1 + 0.134145 x^2)), u = tanh(...)"
                 : "dx = dy (Phi(x) + x phi(x)), the normal distribution and its density";
  }
  std::string caption() const override {
    return "The flatter the curve at this number, the less comes back.";
  }
  std::vector<Output> shape(const std::vector<Shape>& in) const override { return same_shape(in, 2); }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    if (tanh_)
      each_pair(in, out, []<class R>(R dy, R x) {
        const R u = std::tanh(R(k_tanh_scale) * (x + R(k_tanh_cubic) * x * x * x));
        const R slope = R(k_tanh_scale) * (1 + R(3 * k_tanh_cubic) * x * x);
        return dy * (R(0.5) * (1 + u) + R(0.5) * x * (1 - u * u) * slope);
      });
    else
      each_pair(in, out, []<class R>(R dy, R x) {
        const R below = R(0.5) * (1 + std::erf(x * R(k_sqrt_half)));
        return dy * (below + x * R(k_normal_density) * std::exp(R(-0.5) * x * x));
      });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Expr dy = cell(in, 0, out.index), x = cell(in, 1, out.index);
    if (!tanh_) {
      const Expr below = Expr(0.5) * (Expr(1) + erf(x * Expr(k_sqrt_half)));
      return dy * (below + x * Expr(k_normal_density) * exp(Expr(-0.5) * x * x));
    }
    const Expr u = tanh(Expr(k_tanh_scale) * (x + Expr(k_tanh_cubic) * x * x * x));
    const Expr slope = Expr(k_tanh_scale) * (Expr(1) + Expr(3 * k_tanh_cubic) * x * x);
    return dy * (Expr(0.5) * (Expr(1) + u) + Expr(0.5) * x * (Expr(1) - u * u) * slope);
  }
};

}  // namespace

Stage gelu(const Scope& in, Stage x, Gelu form) {
  return in.graph->add(in, "gelu", {{"form", form == Gelu::tanh ? "tanh" : "exact"}}, {x});
}

void register_gelu(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::F, 4}};
  const Options by_tanh = {{"form", "tanh"}};
  all.add<GeluForward>("gelu",
                       {{{}, {{x}}}, {by_tanh, {{x}}}, {by_tanh, {{{{Axis::F, 9}}, DType::f32, -4, 4}}}});
  all.add<GeluGradient>("gelu_gradient",
                        {{{}, {{x}, {x, DType::f32, -4, 4}}}, {by_tanh, {{x}, {x, DType::f32, -4, 4}}}});
}

}  // namespace limpid

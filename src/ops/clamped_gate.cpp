// Clamped gate: a gated unit whose numbers stay within a limit (gpt-oss, OpenAI 2025): SwiGLU of a gate that
// is at most the limit and values that lie within it, and to which 1 is added.
#include "limpid/ops.h"
#include "ops/elementwise.h"

namespace limpid {

namespace {

class ClampedGateBase : public Operation {
 public:
  explicit ClampedGateBase(const Options& options)
      : limit_(options.real("limit", ClampedGateOptions().limit)),
        slope_(options.real("slope", ClampedGateOptions().slope)) {
    if (!(limit_ > 0)) fail_call("limit is ", limit_, ", expected more than 0");
    if (!std::isfinite(slope_)) fail_call("slope is ", slope_, ", expected a finite number");
  }

 protected:
  template <class R>
  R least(R x) const {  // a NaN stays
    return static_cast<R>(limit_) < x ? static_cast<R>(limit_) : x;
  }
  template <class R>
  R within(R x) const {
    const R low = least(x);
    return low < static_cast<R>(-limit_) ? static_cast<R>(-limit_) : low;
  }
  template <class R>
  R opened(R a) const {  // 1 / (1 + exp(-slope a))
    return 1 / (1 + std::exp(static_cast<R>(-slope_) * a));
  }
  // What lies within the limits is itself.
  Expr least(const Expr& x) const {
    return x.value() > limit_ ? Expr(-1) * maximum({Expr(-1) * x, Expr(-limit_)}) : x;
  }
  Expr within(const Expr& x) const { return x.value() < -limit_ ? maximum({x, Expr(-limit_)}) : least(x); }
  Expr opened(const Expr& a) const { return Expr(1) / (Expr(1) + exp(Expr(-slope_) * a)); }

  double limit_, slope_;
};

class ClampedGate final : public ClampedGateBase {
 public:
  using ClampedGateBase::ClampedGateBase;
  std::string label() const override { return "Clamped SwiGLU"; }
  std::string equation() const override {
    return join("y = (b + 1) a / (1 + exp(-", slope_, " a)), a at most ", limit_, ", b within -", limit_,
                " and ", limit_);
  }
  std::string caption() const override {
    return "One array decides, number by number, how much of the other passes; neither grows beyond a limit.";
  }
  std::vector<Output> shape(const std::vector<Shape>& in) const override { return same_shape(in, 2); }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    each_pair(in, out, [&]<class R>(R a, R b) {
      const R gate = least(a);
      return (within(b) + 1) * gate * opened(gate);
    });
  }

  void gradient(GradientContext& g) const override {
    if (!g.wants(0) && !g.wants(1)) return;
    const Stage da = g.apply("clamped_gate_gradient", options(), {g.grad(), g.in(0), g.in(1)});
    if (g.wants(0)) g.give(0, da);
    if (g.wants(1)) g.give(1, da.output("db"));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Expr gate = least(cell(in, 0, out.index));
    return (within(cell(in, 1, out.index)) + Expr(1)) * gate * opened(gate);
  }
};

// Inputs dy, a, b.  Beyond the limit nothing comes back.
class ClampedGateGradient final : public ClampedGateBase {
 public:
  using ClampedGateBase::ClampedGateBase;
  std::string label() const override { return "Clamped SwiGLU Gradient"; }
  std::string equation() const override {
    return join("da = dy (b + 1) p (1 + ", slope_, " a (1 - p)), db = dy a p, p = 1 / (1 + exp(-", slope_,
                " a))");
  }
  std::string caption() const override {
    return "What lies beyond the limit does not move the output, so nothing comes back to it.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    const Shape x = same_shape(in, 3)[0].shape;
    return {{"da", x}, {"db", x}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const R *dy = in[0].data<R>(), *a = in[1].data<R>(), *b = in[2].data<R>();
      for (int64_t i = 0; i < in[0].shape().count(); ++i) {
        const R gate = least(a[i]), p = opened(gate), slope = static_cast<R>(slope_);
        const bool a_moves = !(a[i] > static_cast<R>(limit_)), b_moves = within(b[i]) == b[i] || b[i] != b[i];
        out[0].data<R>()[i] = a_moves ? dy[i] * (within(b[i]) + 1) * p * (1 + slope * gate * (1 - p)) : R(0);
        out[1].data<R>()[i] = b_moves ? dy[i] * gate * p : R(0);
      }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Expr dy = cell(in, 0, out.index), gate = least(cell(in, 1, out.index)), p = opened(gate);
    const double a = in[1].at(out.index), b = in[2].at(out.index);
    if (out.output == 1) return within(b) == b || b != b ? dy * gate * p : Expr(0);
    if (a > limit_) return Expr(0);
    return dy * (within(cell(in, 2, out.index)) + Expr(1)) * p *
           (Expr(1) + Expr(slope_) * gate * (Expr(1) - p));
  }
};

}  // namespace

Stage clamped_gate(const Scope& in, Stage a, Stage b, const ClampedGateOptions& o) {
  return in.graph->add(in, "clamped_gate", {{"limit", o.limit}, {"slope", o.slope}}, {a, b});
}

void register_clamped_gate(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::F, 4}};
  const Example::Input wide = {x, DType::f32, -9, 9};
  const Options narrow = {{"limit", 0.5}, {"slope", 1.0}};
  all.add<ClampedGate>("clamped_gate",
                       {{{}, {wide, wide}}, {narrow, {{x}, {x}}}, {{}, {{Shape{}}, {Shape{}}}}});
  all.add<ClampedGateGradient>("clamped_gate_gradient", {{{}, {{x}, wide, wide}}, {narrow, {{x}, {x}, {x}}}});
}

}  // namespace limpid

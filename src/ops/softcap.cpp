// Softcap: keeps scores between -cap and cap without a hard edge (Gemma 2).
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

double cap_of(const Options& options) {
  const double cap = options.real("cap");
  if (!(cap > 0 && std::isfinite(cap))) fail_call("cap is ", cap, ", expected a number above 0");
  return cap;
}

class Softcap final : public Operation {
 public:
  explicit Softcap(const Options& options) : cap_(cap_of(options)) {}
  std::string label() const override { return "Soft Cap"; }
  std::string equation() const override { return join("y = ", cap_, " tanh(x / ", cap_, ")"); }
  std::string caption() const override {
    return join("Bends large numbers back, so that none passes ", cap_, ".");
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    return {{"", in[0]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const R cap = static_cast<R>(cap_);
      const R* x = in[0].data<R>();
      R* y = out[0].data<R>();
      for (int64_t i = 0; i < in[0].shape().count(); ++i) y[i] = cap * std::tanh(x[i] / cap);
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("softcap_gradient", options(), {g.out(), g.grad()}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return Expr(cap_) * limpid::tanh(cell(in, 0, out.index) / Expr(cap_));
  }

 private:
  double cap_;
};

// dx = dy (1 - (y / cap)^2).  Inputs y (what softcap gave) and dy.
class SoftcapGradient final : public Operation {
 public:
  explicit SoftcapGradient(const Options& options) : cap_(cap_of(options)) {}
  std::string label() const override { return "Soft Cap Gradient"; }
  std::string equation() const override { return join("dx = dy (1 - (y / ", cap_, ")^2)"); }
  std::string caption() const override {
    return "The closer a number came to the cap, the less it can still move.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    if (!fit(in[0], in[1])) fail_call("the gradient is ", in[1].text(), ", expected ", in[0].text());
    return {{"", in[0]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const R *y = in[0].data<R>(), *dy = in[1].data<R>();
      R* dx = out[0].data<R>();
      for (int64_t i = 0; i < in[0].shape().count(); ++i) {
        const R part = y[i] / static_cast<R>(cap_);
        dx[i] = dy[i] * (1 - part * part);
      }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Expr part = cell(in, 0, out.index) / Expr(cap_);
    return cell(in, 1, out.index) * (Expr(1) - part * part);
  }

 private:
  double cap_;
};

}  // namespace

Stage softcap(const Scope& in, Stage x, double cap) {
  return in.graph->add(in, "softcap", {{"cap", cap}}, {x});
}

void register_softcap(Registry& all) {
  const Shape scores = {{Axis::B, 2}, {Axis::H, 2}, {Axis::T, 3}, {Axis::S, 5}};
  const Shape logits = {{Axis::B, 2}, {Axis::T, 3}, {Axis::V, 4}};
  all.add<Softcap>("softcap",
                   {{{{"cap", 2.0}}, {{scores, DType::f32, -5, 5}}}, {{{"cap", int64_t{30}}}, {{logits}}}});
  all.add<SoftcapGradient>("softcap_gradient", {{{{"cap", 2.0}}, {{scores, DType::f32, -2, 2}, {scores}}}});
}

}  // namespace limpid

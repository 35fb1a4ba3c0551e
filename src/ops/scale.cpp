// Scale: every number times one factor.  Attention divides its scores by sqrt(D), so that wide heads do not
// make softmax all or nothing (Vaswani 2017, 3.2.1).
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

class Scale final : public Operation {
 public:
  explicit Scale(const Options& options) : factor_(options.real("factor", 1)) {
    if (!std::isfinite(factor_)) fail_call("factor is ", factor_, ", expected a finite number");
  }
  std::string label() const override { return "Scale"; }
  std::string equation() const override { return join("y = ", factor_, " x"); }
  std::string caption() const override { return "Multiplies every number by the same factor."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    return {{"", in[0]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const R* x = in[0].data<R>();
      R* y = out[0].data<R>();
      for (int64_t i = 0; i < in[0].shape().count(); ++i) y[i] = x[i] * static_cast<R>(factor_);
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("scale", options(), {g.grad()}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return cell(in, 0, out.index) * Expr(factor_);
  }

 private:
  double factor_;
};

}  // namespace

Stage scale(const Scope& in, Stage x, double factor) {
  return in.graph->add(in, "scale", {{"factor", factor}}, {x});
}

void register_scale(Registry& all) {
  const Shape scores = {{Axis::B, 2}, {Axis::H, 2}, {Axis::T, 3}, {Axis::S, 5}};
  all.add<Scale>("scale", {{{{"factor", 0.25}}, {{scores}}},
                           {{{"factor", -1 / std::sqrt(3)}}, {{scores, DType::f32, -9, 9}}},
                           {{{"factor", int64_t{2}}}, {{Shape{}}}}});
}

}  // namespace limpid

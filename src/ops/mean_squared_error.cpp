// Mean squared error: how far the network's numbers are from the right ones.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

void require_pair(const Shape& x, const Shape& target) {
  if (!fit(x, target)) fail_call("target is ", target.text(), ", expected ", x.text());
}

class MeanSquaredError final : public Operation {
 public:
  explicit MeanSquaredError(const Options&) {}
  std::string label() const override { return "Mean Squared Error"; }
  std::string equation() const override { return "loss = mean of (x - target)^2"; }
  std::string caption() const override {
    return "The average squared distance from the right numbers: 0 is perfect.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_pair(in[0], in[1]);
    return {{"", Shape{}}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t count = in[0].shape().count();
      const R *x = in[0].data<R>(), *target = in[1].data<R>();
      double sum = 0;
      for (int64_t i = 0; i < count; ++i)
        sum += (static_cast<double>(x[i]) - target[i]) * (static_cast<double>(x[i]) - target[i]);
      out[0].data<R>()[0] = count ? static_cast<R>(sum / static_cast<double>(count)) : R(0);
    });
  }

  // x and the target pull at each other alike, so the target's gradient is the same with the two swapped.
  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("mean_squared_error_gradient", {}, {g.in(0), g.in(1), g.grad()}));
    if (g.wants(1)) g.give(1, g.apply("mean_squared_error_gradient", {}, {g.in(1), g.in(0), g.grad()}));
  }

  Expr explain(Inputs in, const Cell&, const RunContext&) const override {
    const Shape& shape = in[0].shape();
    std::vector<Expr> terms;
    for (int64_t i = 0; i < shape.count(); ++i) {
      const Index at = unflatten(shape, i);
      const Expr apart = cell(in, 0, at) - cell(in, 1, at);
      terms.push_back(apart * apart);
    }
    return terms.empty() ? Expr(0) : Expr::sum(terms) / Expr(static_cast<double>(terms.size()));
  }
};

// Inputs x, target, dloss.
class MeanSquaredErrorGradient final : public Operation {
 public:
  explicit MeanSquaredErrorGradient(const Options&) {}
  std::string label() const override { return "Mean Squared Error Gradient"; }
  std::string equation() const override { return "dx = 2 (x - target) / count * dloss"; }
  std::string caption() const override {
    return "The further a number is off, the harder it is pulled back.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_pair(in[0], in[1]);
    require_rank(in[2], 0, "the loss's gradient", "a single number");
    return {{"", in[0]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t count = in[0].shape().count();
      const R *x = in[0].data<R>(), *target = in[1].data<R>();
      const R each = 2 * in[2].data<R>()[0] / static_cast<R>(count);
      R* dx = out[0].data<R>();
      for (int64_t i = 0; i < count; ++i) dx[i] = (x[i] - target[i]) * each;
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Expr count(static_cast<double>(in[0].shape().count()));
    return (cell(in, 0, out.index) - cell(in, 1, out.index)) * (Expr(2) * cell(in, 2, {}) / count);
  }
};

}  // namespace

Stage mean_squared_error(const Scope& in, Stage x, Stage target) {
  return in.graph->add(in, "mean_squared_error", {}, {x, target});
}

void register_mean_squared_error(Registry& all) {
  const Shape x = {{Axis::B, 3}, {Axis::C, 2}};
  all.add<MeanSquaredError>("mean_squared_error", {{{}, {{x}, {x}}}, {{}, {{Shape{}}, {Shape{}}}}});
  all.add<MeanSquaredErrorGradient>("mean_squared_error_gradient",
                                    {{{}, {{x}, {x}, {Shape{}, DType::f32, 0.5, 1}}}});
}

}  // namespace limpid

// Mean squared error: how far the network's numbers are from the right ones.  With a delta what is further
// off than that counts in proportion (Huber 1964), so that few numbers far off do not rule the rest.
#include <algorithm>
#include <cmath>

#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

void require_pair(const Shape& x, const Shape& target) {
  if (!fit(x, target)) fail_call("target is ", target.text(), ", expected ", x.text());
}

class SquaredErrorBase : public Operation {
 public:
  explicit SquaredErrorBase(const Options& options) : delta_(options.real("delta")) {
    if (!(delta_ >= 0 && std::isfinite(delta_)))
      fail_call("delta is ", delta_, ", expected a number above 0, or 0 for none");
  }

 protected:
  // A distance that the square is taken of as if it were no more than delta.
  double near(double apart) const { return delta_ > 0 ? std::clamp(apart, -delta_, delta_) : apart; }
  Expr near(const Expr& apart) const {
    if (delta_ == 0) return apart;
    return maximum(
        {Expr(-delta_),
         Expr(0) - maximum({Expr(0) - apart, Expr(-delta_)})});  // of -delta and the least of apart and delta
  }

  double delta_;
};

class MeanSquaredError final : public SquaredErrorBase {
 public:
  using SquaredErrorBase::SquaredErrorBase;
  std::string label() const override { return "Mean Squared Error"; }
  std::string equation() const override {
    return delta_ == 0 ? "loss = mean of (x - target)^2"
                       : join("loss = mean of d^2 up to |d| = ", delta_, ", then ", 2 * delta_, " |d| - ",
                              delta_ * delta_, "; d = x - target");
  }
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
      for (int64_t i = 0; i < count; ++i) {
        const double apart = static_cast<double>(x[i]) - target[i], part = near(apart);
        sum += part * (2 * apart - part);
      }
      out[0].data<R>()[0] = count ? static_cast<R>(sum / static_cast<double>(count)) : R(0);
    });
  }

  // x and the target pull at each other alike, so the target's gradient is the same with the two swapped.
  void gradient(GradientContext& g) const override {
    if (g.wants(0))
      g.give(0, g.apply("mean_squared_error_gradient", options(), {g.in(0), g.in(1), g.grad()}));
    if (g.wants(1))
      g.give(1, g.apply("mean_squared_error_gradient", options(), {g.in(1), g.in(0), g.grad()}));
  }

  Expr explain(Inputs in, const Cell&, const RunContext&) const override {
    const Shape& shape = in[0].shape();
    std::vector<Expr> terms;
    for (int64_t i = 0; i < shape.count(); ++i) {
      const Index at = unflatten(shape, i);
      const Expr apart = cell(in, 0, at) - cell(in, 1, at);
      terms.push_back(delta_ == 0 ? apart * apart : near(apart) * (Expr(2) * apart - near(apart)));
    }
    return terms.empty() ? Expr(0) : Expr::sum(terms) / Expr(static_cast<double>(terms.size()));
  }
};

// Inputs x, target, dloss.
class MeanSquaredErrorGradient final : public SquaredErrorBase {
 public:
  using SquaredErrorBase::SquaredErrorBase;
  std::string label() const override { return "Mean Squared Error Gradient"; }
  std::string equation() const override {
    return delta_ == 0 ? "dx = 2 (x - target) / count * dloss"
                       : join("dx = 2 d / count * dloss, d = x - target between -", delta_, " and ", delta_);
  }
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
      for (int64_t i = 0; i < count; ++i) dx[i] = static_cast<R>(near(x[i] - target[i])) * each;
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Expr count(static_cast<double>(in[0].shape().count()));
    return near(cell(in, 0, out.index) - cell(in, 1, out.index)) * (Expr(2) * cell(in, 2, {}) / count);
  }
};

}  // namespace

Stage mean_squared_error(const Scope& in, Stage x, Stage target, double delta) {
  Options options;
  if (delta != 0) options.set("delta", delta);
  return in.graph->add(in, "mean_squared_error", options, {x, target});
}

void register_mean_squared_error(Registry& all) {
  const Shape x = {{Axis::B, 3}, {Axis::C, 2}};
  const Options bounded = {{"delta", 0.4}};
  all.add<MeanSquaredError>("mean_squared_error",
                            {{{}, {{x}, {x}}}, {{}, {{Shape{}}, {Shape{}}}}, {bounded, {{x}, {x}}}});
  all.add<MeanSquaredErrorGradient>("mean_squared_error_gradient",
                                    {{{}, {{x}, {x}, {Shape{}, DType::f32, 0.5, 1}}},
                                     {bounded, {{x}, {x}, {Shape{}, DType::f32, 0.5, 1}}}});
}

}  // namespace limpid

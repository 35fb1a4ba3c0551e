// Log softmax: the logarithm of what softmax gives, without forming weights so small that they vanish.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// The largest of a row; a NaN anywhere wins, so that it is never swallowed.
template <class R>
R largest(const R* x, const Along& a, int64_t o, int64_t k) {
  R top = -std::numeric_limits<R>::infinity();
  for (int64_t i = 0; i < a.size; ++i) {
    const R value = x[a.at(o, i, k)];
    if (std::isnan(value)) return value;
    if (value > top) top = value;
  }
  return top;
}

class LogSoftmaxBase : public Operation {
 public:
  explicit LogSoftmaxBase(const Options& options) : axis_(axis_option(options, "axis", "V")) {}

 protected:
  std::string letter() const {
    return std::string(1, static_cast<char>(std::tolower(static_cast<char>(axis_))));
  }
  Axis axis_;
};

class LogSoftmax final : public LogSoftmaxBase {
 public:
  using LogSoftmaxBase::LogSoftmaxBase;
  std::string label() const override { return "Log Softmax"; }
  std::string equation() const override {
    return join("y[", letter(), "] = x[", letter(), "] - log(sum_", letter(), "' exp(x[", letter(), "']))");
  }
  std::string caption() const override {
    return "The logarithm of each probability: 0 is certain, and the more negative, the less likely.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    require_axis(in[0], axis_, "the input");
    return {{"", in[0]}};
  }

  // A row of only -inf has no weights at all (softmax gives zeros): it stays -inf.
  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Along a = along(in[0].shape(), in[0].shape().find(axis_));
      const R* x = in[0].data<R>();
      R* y = out[0].data<R>();
      for (int64_t o = 0; o < a.outer; ++o)
        for (int64_t k = 0; k < a.inner; ++k) {
          const R top = largest(x, a, o, k);
          const bool nothing = top == -std::numeric_limits<R>::infinity();
          double sum = 0;
          for (int64_t i = 0; i < a.size && !nothing; ++i) sum += std::exp(x[a.at(o, i, k)] - top);
          for (int64_t i = 0; i < a.size; ++i)
            y[a.at(o, i, k)] = nothing ? top : static_cast<R>((x[a.at(o, i, k)] - top) - std::log(sum));
        }
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("log_softmax_gradient", options(), {g.out(), g.grad()}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int axis = in[0].shape().find(axis_);
    const int64_t size = in[0].shape()[axis].size;
    double top = -k_infinity;
    for (int64_t i = 0; i < size; ++i) top = std::fmax(top, in[0].at(with(out.index, axis, i)));
    if (top == -k_infinity) return Expr(top);
    std::vector<Expr> terms;
    for (int64_t i = 0; i < size; ++i) terms.push_back(exp(cell(in, 0, with(out.index, axis, i)) - top));
    return (cell(in, 0, out.index) - top) - log(Expr::sum(terms));
  }
};

// dx = dy - exp(y) sum dy.  Inputs y (what log softmax gave) and dy.  Where y is -inf nothing was there to
// move.
class LogSoftmaxGradient final : public LogSoftmaxBase {
 public:
  using LogSoftmaxBase::LogSoftmaxBase;
  std::string label() const override { return "Log Softmax Gradient"; }
  std::string equation() const override {
    return join("dx[", letter(), "] = dy[", letter(), "] - exp(y[", letter(), "]) sum_", letter(), "' dy[",
                letter(), "']");
  }
  std::string caption() const override { return "Raising one number lowers the probability of all others."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_axis(in[0], axis_, "the logarithms");
    if (!fit(in[0], in[1])) fail_call("the gradient is ", in[1].text(), ", expected ", in[0].text());
    return {{"", in[0]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Along a = along(in[0].shape(), in[0].shape().find(axis_));
      const R none = -std::numeric_limits<R>::infinity();
      const R *y = in[0].data<R>(), *dy = in[1].data<R>();
      R* dx = out[0].data<R>();
      for (int64_t o = 0; o < a.outer; ++o)
        for (int64_t k = 0; k < a.inner; ++k) {
          double sum = 0;
          for (int64_t i = 0; i < a.size; ++i)
            if (y[a.at(o, i, k)] != none) sum += dy[a.at(o, i, k)];
          for (int64_t i = 0; i < a.size; ++i) {
            const int64_t n = a.at(o, i, k);
            dx[n] = y[n] != none ? static_cast<R>(dy[n] - std::exp(y[n]) * sum) : R(0);
          }
        }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int axis = in[0].shape().find(axis_);
    if (in[0].at(out.index) == -k_infinity) return Expr(0);
    std::vector<Expr> terms;
    for (int64_t i = 0; i < in[0].shape()[axis].size; ++i) {
      const Index at = with(out.index, axis, i);
      if (in[0].at(at) != -k_infinity) terms.push_back(cell(in, 1, at));
    }
    return cell(in, 1, out.index) - exp(cell(in, 0, out.index)) * Expr::sum(terms);
  }
};

}  // namespace

Stage log_softmax(const Scope& in, Stage x, Axis axis) {
  return in.graph->add(in, "log_softmax", {{"axis", std::string(1, static_cast<char>(axis))}}, {x});
}

void register_log_softmax(Registry& all) {
  const Shape logits = {{Axis::B, 2}, {Axis::T, 3}, {Axis::V, 5}};
  const Options over_time = {{"axis", std::string("T")}};
  all.add<LogSoftmax>("log_softmax", {{{}, {{logits}}},
                                      {{}, {{logits, DType::f32, -40, 40}}},
                                      {over_time, {{logits}}},
                                      {{}, {{{{Axis::V, 1}}, DType::f32, -1, 1, false}}}});
  all.add<LogSoftmaxGradient>("log_softmax_gradient", {{{}, {{logits, DType::f32, -4, 0}, {logits}}},
                                                       {over_time, {{logits, DType::f32, -4, 0}, {logits}}}});
}

}  // namespace limpid

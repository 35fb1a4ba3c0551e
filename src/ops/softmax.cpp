// Softmax: scores become weights that add up to 1, or, beside a sink, to 1 less what that takes.
#include "limpid/ops.h"
#include "ops/scores.h"

namespace limpid {

namespace {

// The largest of a row; a NaN anywhere wins, so that it is never swallowed.
template <class R>
R largest(const R* z, const Along& a, int64_t o, int64_t k) {
  R top = -std::numeric_limits<R>::infinity();
  for (int64_t i = 0; i < a.size; ++i) {
    const R x = z[a.at(o, i, k)];
    if (x > top || std::isnan(x)) top = x;
    if (std::isnan(top)) return top;
  }
  return top;
}

// sinks [H] of scores [B,H,T,S]; null: there are none.
void require_sinks(const Shape& scores, const Shape& sinks, Axis axis) {
  require_scores(scores);
  if (axis != Axis::S)
    fail_call("sinks stand beside keys, expected a softmax along S, not ", static_cast<char>(axis));
  if (sinks.rank() != 1 || !fits(sinks[0].size, scores[1].size))
    fail_call("the sinks are ", sinks.text(), ", expected one for each head of ", scores.text());
}

class Softmax final : public Operation {
 public:
  explicit Softmax(const Options& options)
      : axis_(axis_option(options, "axis", "S")),
        lse_(options.flag("log_sum_exp")),
        rest_(options.flag("log_sum_exp_rest")),
        sinks_(options.flag("sinks")) {
    if (sinks_ && !rest_)
      fail_call("sinks need log_sum_exp and log_sum_exp_rest, which their gradient reads");
    if (rest_ && !lse_) fail_call("log_sum_exp_rest is asked for without log_sum_exp, which it completes");
  }

  std::string label() const override { return "Softmax"; }
  std::string equation() const override {
    if (sinks_) return "A[t,s] = exp(Z[t,s]) / (exp(sink) + sum_s' exp(Z[t,s']))";
    return axis_ == Axis::S ? "A[t,s] = exp(Z[t,s]) / sum_s' exp(Z[t,s'])"
                            : "p[v] = exp(x[v]) / sum_v' exp(x[v'])";
  }
  std::string caption() const override {
    return sinks_ ? "Turns each row of scores into weights; what they lack of 1 the head's sink takes."
                  : "Turns each row of scores into weights that add up to 1.";
  }
  Role role() const override { return axis_ == Axis::S ? Role::weights : Role::plain; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, size_t{1} + sinks_, size_t{1} + sinks_);
    const int axis = require_axis(in[0], axis_, "the input");
    if (sinks_) require_sinks(in[0], in[1], axis_);
    std::vector<Output> out = {{"", in[0]}};
    if (lse_) {
      Shape rows = in[0].part(0, axis);
      for (int i = axis + 1; i < in[0].rank(); ++i) rows.append(in[0][i]);
      out.push_back({"lse", rows});
      if (rest_) out.push_back({"lse_rest", rows});
    }
    return out;
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Along a = along(in[0].shape(), in[0].shape().find(axis_));
      const R* z = in[0].data<R>();
      R* weights = out[0].data<R>();
      for (int64_t o = 0; o < a.outer; ++o)
        for (int64_t k = 0; k < a.inner; ++k) {
          const R keys = largest(z, a, o, k);
          const R sink = sinks_ ? in[1].data<R>()[o / in[0].shape()[2].size % in[1].shape()[0].size] : R(0);
          const R top = sinks_ && (sink > keys || std::isnan(sink)) ? sink : keys;
          const bool nothing =
              top == -std::numeric_limits<R>::infinity();  // every key masked: zeros, never NaN
          double sum = sinks_ && !nothing ? std::exp(sink - top) : R(0);
          for (int64_t i = 0; i < a.size; ++i) {
            R& weight = weights[a.at(o, i, k)];
            weight = nothing ? R(0) : std::exp(z[a.at(o, i, k)] - top);
            sum += weight;
          }
          if (!nothing)
            for (int64_t i = 0; i < a.size; ++i) {
              R& weight = weights[a.at(o, i, k)];
              weight = static_cast<R>(weight / sum);
            }
          // A masked key's weight is 0, in a row with a NaN too: it must not reach that key.
          for (int64_t i = 0; i < a.size; ++i)
            if (z[a.at(o, i, k)] == -std::numeric_limits<R>::infinity())
              weights[a.at(o, i, k)] = axis_ == Axis::S ? hidden_weight<R>() : R(0);
          if (!lse_) continue;
          const R lse = nothing ? top : static_cast<R>(top + std::log(sum));
          out[1].data<R>()[o * a.inner + k] = lse;
          if (rest_)
            out[2].data<R>()[o * a.inner + k] =
                nothing ? R(0) : static_cast<R>((static_cast<double>(top) - lse) + std::log(sum));
        }
    });
  }

  void gradient(GradientContext& g) const override {
    // lse's own gradient is not needed by anything: nobody differentiates through it.
    if (g.wants(0)) g.give(0, g.apply("softmax_gradient", {{"axis", axis_word()}}, {g.out(), g.grad()}));
    if (sinks_ && g.wants(1))
      g.give(1, g.apply("softmax_sink_gradient", {}, {g.out(), g.grad(), g.in(1), g.out(1), g.out(2)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int axis = in[0].shape().find(axis_);
    const Index row = out.output == 0 ? out.index : inserted(out.index, axis, 0);
    const int64_t size = in[0].shape()[axis].size;
    double top = -k_infinity;
    for (int64_t i = 0; i < size; ++i) top = std::fmax(top, in[0].at(with(row, axis, i)));
    if (sinks_) top = std::fmax(top, in[1].at({row[1]}));
    if (top == -k_infinity) return Expr(out.output == 1 ? top : 0);
    std::vector<Expr> terms;
    if (sinks_) terms.push_back(exp(cell(in, 1, {row[1]}) - top));
    for (int64_t i = 0; i < size; ++i) terms.push_back(exp(cell(in, 0, with(row, axis, i)) - top));
    if (out.output == 1) return log(Expr::sum(terms)) + top;
    if (out.output == 2) return log(Expr::sum(terms)) + (top - rounded_lse(in, row, top));
    const Expr total = Expr::sum(terms);
    if (in[0].at(row) == -k_infinity && std::isnan(total.value())) return Expr(0);
    return exp(cell(in, 0, row) - top) / total;
  }

 private:
  std::string axis_word() const { return std::string(1, static_cast<char>(axis_)); }

  // lse as run() rounds it.
  double rounded_lse(Inputs in, const Index& row, double top) const {
    double lse = 0;
    on_real(in[0], [&]<class R>() {
      const int axis = in[0].shape().find(axis_);
      double sum = sinks_ ? std::exp(static_cast<R>(in[1].at({row[1]}) - top)) : R(0);
      for (int64_t i = 0; i < in[0].shape()[axis].size; ++i)
        sum += std::exp(static_cast<R>(in[0].at(with(row, axis, i)) - top));
      lse = static_cast<R>(top + std::log(sum));
    });
    return lse;
  }

  Axis axis_;
  bool lse_, rest_, sinks_;
};

// dZ = A * (dA - sum A dA): how much a score moves the loss.
class SoftmaxGradient final : public Operation {
 public:
  explicit SoftmaxGradient(const Options& options) : axis_(axis_option(options, "axis", "S")) {}

  std::string label() const override { return "Softmax Gradient"; }
  std::string equation() const override { return "dZ[t,s] = A[t,s] (dA[t,s] - sum_s' A[t,s'] dA[t,s'])"; }
  std::string caption() const override {
    return "A score matters as far as its weight does better than the row's average.";
  }
  Role role() const override { return axis_ == Axis::S ? Role::weights : Role::plain; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_axis(in[0], axis_, "the weights");
    if (!fit(in[0], in[1])) fail_call("the gradient is ", in[1].text(), ", expected ", in[0].text());
    return {{"", in[0]}};
  }

  // A masked weight: its gradient is zero, whatever stands there.
  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Along a = along(in[0].shape(), in[0].shape().find(axis_));
      const R* weights = in[0].data<R>();
      const R* dweights = in[1].data<R>();
      R* dz = out[0].data<R>();
      for (int64_t o = 0; o < a.outer; ++o)
        for (int64_t k = 0; k < a.inner; ++k) {
          double mean = 0;
          for (int64_t i = 0; i < a.size; ++i)
            if (!hides(weights[a.at(o, i, k)]))
              mean += static_cast<double>(weights[a.at(o, i, k)]) * dweights[a.at(o, i, k)];
          for (int64_t i = 0; i < a.size; ++i) {
            const int64_t n = a.at(o, i, k);
            dz[n] = hides(weights[n]) ? R(0) : static_cast<R>(weights[n] * (dweights[n] - mean));
          }
        }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int axis = in[0].shape().find(axis_);
    std::vector<Expr> terms;
    for (int64_t i = 0; i < in[0].shape()[axis].size; ++i) {
      const Index at = with(out.index, axis, i);
      if (!hides(in[0].at(at))) terms.push_back(cell(in, 0, at) * cell(in, 1, at));
    }
    if (hides(in[0].at(out.index))) return Expr(0);
    return cell(in, 0, out.index) * (cell(in, 1, out.index) - Expr::sum(terms));
  }

 private:
  Axis axis_;
};

// dsink = -sum over queries of (the sink's weight) (sum_s A dA).  Inputs A, dA, sinks, lse and lse_rest.
class SoftmaxSinkGradient final : public Operation {
 public:
  explicit SoftmaxSinkGradient(const Options&) {}
  std::string label() const override { return "Softmax Gradient (sinks)"; }
  std::string equation() const override {
    return "dsink = -sum_t exp((sink - lse[t]) - rest[t]) sum_s A[t,s] dA[t,s]";
  }
  std::string caption() const override {
    return "A sink takes from all weights of a row alike, so it matters as far as the row as a whole does.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 5, 5);
    require_sinks(in[0], in[2], Axis::S);
    if (!fit(in[1], in[0])) fail_call("the gradient is ", in[1].text(), ", expected ", in[0].text());
    for (size_t i : {size_t{3}, size_t{4}})
      if (!fit(in[i], in[0].part(0, 3)))
        fail_call(i == 3 ? "lse is " : "lse_rest is ", in[i].text(), ", expected ", in[0].part(0, 3).text());
    return {{"", in[2]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = in[0].shape();
      const auto weights = in[0].as<R>(), dweights = in[1].as<R>(), lse = in[3].as<R>(), rest = in[4].as<R>();
      for (int64_t h = 0; h < shape[1].size; ++h) {
        const double sink = in[2].data<R>()[h];
        double sum = 0;
        for (int64_t b = 0; b < shape[0].size; ++b)
          for (int64_t t = 0; t < shape[2].size; ++t) {
            double row = 0;
            for (int64_t s = 0; s < shape[3].size; ++s)
              if (!hides(weights(b, h, t, s)))
                row += static_cast<double>(weights(b, h, t, s)) * dweights(b, h, t, s);
            if (row != 0) sum -= std::exp((sink - lse(b, h, t)) - rest(b, h, t)) * row;
          }
        out[0].data<R>()[h] = static_cast<R>(sum);
      }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Shape& shape = in[0].shape();
    const int64_t h = out.index[0];
    std::vector<Expr> rows;
    for (int64_t b = 0; b < shape[0].size; ++b)
      for (int64_t t = 0; t < shape[2].size; ++t) {
        std::vector<Expr> terms;
        for (int64_t s = 0; s < shape[3].size; ++s)
          if (!hides(in[0].at({b, h, t, s})))
            terms.push_back(cell(in, 0, {b, h, t, s}) * cell(in, 1, {b, h, t, s}));
        const Expr row = Expr::sum(terms);
        if (row.value() == 0) continue;
        rows.push_back(Expr(-1) * exp(cell(in, 2, {h}) - cell(in, 3, {b, h, t}) - cell(in, 4, {b, h, t})) *
                       row);
      }
    return Expr::sum(rows);
  }
};

}  // namespace

Stage softmax_beside_sinks(const Scope& in, Stage scores, Stage sinks) {
  return in.graph->add(
      in, "softmax",
      {{"axis", std::string("S")}, {"log_sum_exp", true}, {"log_sum_exp_rest", true}, {"sinks", true}},
      {scores, sinks});
}

Stage softmax(const Scope& in, Stage x, Axis axis, bool log_sum_exp) {
  Options options = {{"axis", std::string(1, static_cast<char>(axis))}};
  if (log_sum_exp) {
    options.set("log_sum_exp", true);
    options.set("log_sum_exp_rest", true);  // traces of 0.1 have the one without the other
  }
  return in.graph->add(in, "softmax", options, {x});
}

void register_softmax(Registry& all) {
  const Shape scores = {{Axis::B, 2}, {Axis::H, 2}, {Axis::T, 3}, {Axis::S, 5}};
  const Example::Input sinks = {{{Axis::H, 2}}, DType::f32, -1, 3};
  const Options beside = {{"log_sum_exp", true}, {"log_sum_exp_rest", true}, {"sinks", true}};
  const Shape rows = scores.part(0, 3);
  all.add<Softmax>("softmax", {{{}, {{scores}}},
                               {{{"log_sum_exp", true}}, {{scores, DType::f32, -9, 9}}},
                               {{{"log_sum_exp", true}, {"log_sum_exp_rest", true}}, {{scores}}},
                               {{{"axis", "T"}}, {{scores}}},
                               {beside, {{scores}, sinks}}});
  all.add<SoftmaxGradient>("softmax_gradient", {{{}, {{scores, DType::f32, 0, 1}, {scores}}}});
  all.add<SoftmaxSinkGradient>("softmax_sink_gradient",
                               {{{}, {{scores, DType::f32, 0, 1}, {scores}, sinks, {rows}, {rows}}}});
}

}  // namespace limpid

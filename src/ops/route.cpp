// Route: of all experts of a layer each token goes to the few that its router scores highest (Shazeer 2017,
// "outrageously large neural networks", 2.1; Fedus 2021).
#include <algorithm>
#include <numeric>

#include "limpid/ops.h"
#include "ops/experts.h"

namespace limpid {

namespace {

// The numbers of the `count` largest of z, largest first, the lower number first among equals.  A NaN stands
// before all numbers, so that it is never swallowed.
template <class Number>
std::vector<int64_t> largest(Number&& z, int64_t experts, int64_t count) {
  std::vector<int64_t> order(static_cast<size_t>(experts));
  std::iota(order.begin(), order.end(), 0);
  const auto before = [&](int64_t a, int64_t b) {
    const double x = z(a), y = z(b);
    if (std::isnan(x) || std::isnan(y)) return std::isnan(x) && (!std::isnan(y) || a < b);
    return x > y || (x == y && a < b);
  };
  std::partial_sort(order.begin(), order.begin() + count, order.end(), before);
  order.resize(static_cast<size_t>(count));
  return order;
}

class RouteBase : public Operation {
 public:
  explicit RouteBase(const Options& options)
      : count_(options.integer("count", 1)), share_(options.flag("share_of_all")) {
    if (count_ < 1) fail_call("count is ", count_, ", expected at least 1 expert for a token");
  }

 protected:
  void require_logits(const Shape& logits) const {
    if (logits.rank() < 1) fail_call("the logits are ", logits.text(), ", expected [...,M]");
    const int64_t experts = logits[logits.rank() - 1].size;
    if (experts < count_)
      fail_call("the logits are ", logits.text(), ": of ", experts, " experts none can choose ", count_);
  }

  Shape chosen_shape(const Shape& logits) const {
    Shape chosen = logits.part(0, logits.rank() - 1);
    chosen.append({Axis::J, count_});
    return chosen;
  }

  // What the weights are divided by, times e^-top: over the chosen, or over all.
  template <class Number>
  double total(Number&& z, int64_t experts, const std::vector<int64_t>& chosen, double top) const {
    double sum = 0;
    if (share_)
      for (int64_t m = 0; m < experts; ++m) sum += std::exp(z(m) - top);
    else
      for (int64_t m : chosen) sum += std::exp(z(m) - top);
    return sum;
  }

  int64_t count_;
  bool share_;
};

// Outputs the weights [...,M], 0 of an expert that is not chosen, and "chosen" [...,J], largest first.
class Route final : public RouteBase {
 public:
  using RouteBase::RouteBase;
  std::string label() const override { return "Router Weights"; }
  std::string equation() const override {
    return share_ ? join("w = softmax(z), kept for the ", count_, " largest z")
                  : join("w = softmax over the ", count_, " largest z, 0 elsewhere");
  }
  std::string caption() const override {
    return join("Sends each token to the ", count_, count_ == 1 ? " expert" : " experts",
                " with the highest scores, and weights what ", count_ == 1 ? "it says." : "they say.");
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    require_logits(in[0]);
    return {{"", in[0]}, {"chosen", chosen_shape(in[0]), DType::i64}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = in[0].shape();
      const int64_t experts = shape[shape.rank() - 1].size, rows = shape.count() / experts;
      for (int64_t r = 0; r < rows; ++r) {
        const R* z = in[0].data<R>() + r * experts;
        R* w = out[0].data<R>() + r * experts;
        const auto number = [&](int64_t m) { return static_cast<double>(z[m]); };
        const std::vector<int64_t> chosen = largest(number, experts, count_);
        std::copy(chosen.begin(), chosen.end(), out[1].data<int64_t>() + r * count_);
        std::fill(w, w + experts, R(0));
        const double top = z[chosen[0]], sum = total(number, experts, chosen, top);
        if (top == -k_infinity) continue;  // no score at all: zeros, never NaN
        for (int64_t m : chosen) w[m] = static_cast<R>(std::exp(z[m] - top) / sum);
      }
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0))
      g.give(0, g.apply("route_gradient", options(), {g.in(0), g.out().output("chosen"), g.grad()}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int last = in[0].shape().rank() - 1;
    const int64_t experts = in[0].shape()[last].size;
    const auto at = [&](int64_t m) { return with(out.index, last, m); };
    const std::vector<int64_t> chosen = largest([&](int64_t m) { return in[0].at(at(m)); }, experts, count_);
    if (out.output == 1) return Expr(static_cast<double>(chosen[static_cast<size_t>(out.index.back())]));
    const double top = in[0].at(at(chosen[0]));
    if (top == -k_infinity || std::find(chosen.begin(), chosen.end(), out.index.back()) == chosen.end())
      return Expr(0);
    std::vector<Expr> terms;
    for (int64_t m = 0; m < experts; ++m)
      if (share_ || std::find(chosen.begin(), chosen.end(), m) != chosen.end())
        terms.push_back(exp(cell(in, 0, at(m)) - top));
    return exp(cell(in, 0, out.index) - top) / Expr::sum(terms);
  }
};

// dz = w (dw - sum over the chosen of w dw), w the softmax that the weights are of.  Inputs z, chosen, dw:
// the choice itself has no gradient.
class RouteGradient final : public RouteBase {
 public:
  using RouteBase::RouteBase;
  std::string label() const override { return "Router Weights Gradient"; }
  std::string equation() const override { return "dz[m] = w[m] (dw[m] - sum over the chosen of w dw)"; }
  std::string caption() const override {
    return "An expert's score matters as far as the expert does better than the weighted average.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_logits(in[0]);
    if (!fit(in[1], chosen_shape(in[0])))
      fail_call("chosen is ", in[1].text(), ", expected ", chosen_shape(in[0]).text());
    if (!fit(in[2], in[0])) fail_call("the gradient is ", in[2].text(), ", expected ", in[0].text());
    return {{"", in[0]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = in[0].shape();
      const int64_t experts = shape[shape.rank() - 1].size, rows = shape.count() / experts;
      for (int64_t r = 0; r < rows; ++r) {
        const R *z = in[0].data<R>() + r * experts, *dw = in[2].data<R>() + r * experts;
        R* dz = out[0].data<R>() + r * experts;
        const std::vector<int64_t> chosen = chosen_of(in[1], r, experts);
        double top = -k_infinity;
        for (int64_t m = 0; m < experts; ++m) top = std::fmax(top, static_cast<double>(z[m]));
        const double sum = total([&](int64_t m) { return static_cast<double>(z[m]); }, experts, chosen, top);
        std::fill(dz, dz + experts, R(0));
        if (top == -k_infinity) continue;
        const auto weight = [&](int64_t m) { return std::exp(z[m] - top) / sum; };
        double mean = 0;
        for (int64_t m : chosen) mean += weight(m) * dw[m];
        for (int64_t m = 0; m < experts; ++m) {
          const bool is_chosen = std::find(chosen.begin(), chosen.end(), m) != chosen.end();
          if (is_chosen)
            dz[m] = static_cast<R>(weight(m) * (dw[m] - mean));
          else if (share_)
            dz[m] = static_cast<R>(-weight(m) * mean);
        }
      }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int last = in[0].shape().rank() - 1;
    const int64_t experts = in[0].shape()[last].size;
    const Index row = part(out.index, 0, last);
    const auto at = [&](int64_t m) { return joined(row, {m}); };
    const std::vector<int64_t> chosen = chosen_of(in[1], flatten(in[0].shape().part(0, last), row), experts);
    double top = -k_infinity;
    for (int64_t m = 0; m < experts; ++m) top = std::fmax(top, in[0].at(at(m)));
    if (top == -k_infinity) return Expr(0);
    const auto is_chosen = [&](int64_t m) {
      return std::find(chosen.begin(), chosen.end(), m) != chosen.end();
    };
    std::vector<Expr> all, terms;
    for (int64_t m = 0; m < experts; ++m)
      if (share_ || is_chosen(m)) all.push_back(exp(cell(in, 0, at(m)) - top));
    const Expr sum = Expr::sum(all);
    const auto weight = [&](int64_t m) { return exp(cell(in, 0, at(m)) - top) / sum; };
    for (int64_t m : chosen) terms.push_back(weight(m) * cell(in, 2, at(m)));
    if (is_chosen(out.index.back()))
      return weight(out.index.back()) * (cell(in, 2, out.index) - Expr::sum(terms));
    return share_ ? Expr(-1) * weight(out.index.back()) * Expr::sum(terms) : Expr(0);
  }

 private:
  std::vector<int64_t> chosen_of(const ConstView& chosen, int64_t row, int64_t experts) const {
    std::vector<int64_t> out;
    for (int64_t j = 0; j < count_; ++j) out.push_back(expert_at(chosen, row * count_ + j, experts));
    return out;
  }
};

}  // namespace

Routed route(const Scope& in, Stage logits, const RouteOptions& o) {
  Options options = {{"count", o.count}};
  if (o.share_of_all) options.set("share_of_all", true);
  const Stage weights = in.graph->add(in, "route", options, {logits});
  return {weights, weights.output("chosen")};
}

void register_route(Registry& all) {
  const Shape logits = {{Axis::B, 2}, {Axis::T, 3}, {Axis::M, 5}};
  const Example::Input chosen = {{{Axis::B, 2}, {Axis::T, 3}, {Axis::J, 2}}, DType::i64, 0, 5, false};
  const Options two = {{"count", int64_t{2}}}, shares = {{"count", int64_t{2}}, {"share_of_all", true}};
  all.add<Route>("route", {{two, {{logits, DType::f32, -3, 3}}},
                           {shares, {{logits, DType::f32, -3, 3}}},
                           {{{"share_of_all", true}}, {{{{Axis::M, 4}}}}},
                           {{{"count", int64_t{5}}}, {{logits}}}});
  // Of distinct experts: one a row is enough for the arithmetic.
  const Example::Input one = {{{Axis::B, 2}, {Axis::T, 3}, {Axis::J, 1}}, DType::i64, 0, 5, false};
  all.add<RouteGradient>("route_gradient",
                         {{{}, {{logits}, one, {logits}}},
                          {{{"count", int64_t{1}}, {"share_of_all", true}}, {{logits}, one, {logits}}},
                          {shares, {{logits}, chosen, {logits}}}});
}

}  // namespace limpid

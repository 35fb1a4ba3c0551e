// Expert sum: what a token's experts say, added up by the router's weights.
#include "limpid/ops.h"
#include "ops/experts.h"

namespace limpid {

namespace {

// x [...,J,C], weights [...,M], chosen [...,J]
void require_experts(const Shape& x, const Shape& weights, const Shape& chosen) {
  if (!chosen_rows(x, chosen, "x").apart)
    fail_call("x is ", x.text(), ", expected a row for each place of chosen ", chosen.text());
  if (chosen_rows(weights, chosen, "the weights").apart)
    fail_call("the weights are ", weights.text(), ", expected [...,M] with the rows of ", chosen.text());
}

Shape summed(const Shape& x) {
  Shape y = x.part(0, x.rank() - 2);
  y.append(x[x.rank() - 1]);
  return y;
}

// Where row r's weight of its expert j stands.
struct Places {
  int64_t slots, experts, width;

  Places(const Shape& x, const Shape& weights)
      : slots(x[x.rank() - 2].size), experts(weights[weights.rank() - 1].size), width(x[x.rank() - 1].size) {}
  int64_t weight(const ConstView& chosen, int64_t slot) const {
    return slot / slots * experts + expert_at(chosen, slot, experts);
  }
};

class ExpertSum final : public Operation {
 public:
  explicit ExpertSum(const Options&) {}
  std::string label() const override { return "Experts' Sum"; }
  std::string equation() const override { return "y = sum_j w[m] x[j], m the token's chosen expert j"; }
  std::string caption() const override {
    return "Adds up what a token's experts say, each by the weight that the router gave it.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_experts(in[0], in[1], in[2]);
    return {{"", summed(in[0])}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Places at(in[0].shape(), in[1].shape());
      const int64_t rows = in[2].shape().count() / std::max<int64_t>(at.slots, 1);
      const R *x = in[0].data<R>(), *w = in[1].data<R>();
      R* y = out[0].data<R>();
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < at.width; ++c) {
          double sum = 0;
          for (int64_t n = r * at.slots; n < (r + 1) * at.slots; ++n)
            sum += static_cast<double>(w[at.weight(in[2], n)]) * x[n * at.width + c];
          y[r * at.width + c] = static_cast<R>(sum);
        }
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("expert_sum_gradient", {}, {g.grad(), g.in(1), g.in(2), g.in(0)}));
    if (g.wants(1))
      g.give(1, g.apply("expert_sum_weight_gradient", {}, {g.grad(), g.in(0), g.in(2), g.in(1)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Index row = part(out.index, 0, in[2].shape().rank() - 1);
    std::vector<Expr> terms;
    for (int64_t j = 0; j < in[2].shape()[in[2].shape().rank() - 1].size; ++j) {
      const Index place = joined(row, {j});
      const int64_t m = expert_at(in[2], flatten(in[2].shape(), place), in[1].shape().sizes().back());
      terms.push_back(cell(in, 1, joined(row, {m})) * cell(in, 0, joined(place, {out.index.back()})));
    }
    return Expr::sum(terms);
  }
};

// dx[j] = w[m] dy.  Inputs dy, weights, chosen, and x for its shape.
class ExpertSumGradient final : public Operation {
 public:
  explicit ExpertSumGradient(const Options&) {}
  std::string label() const override { return "Experts' Sum Gradient (x)"; }
  std::string equation() const override { return "dx[j] = w[m] dy, m the token's chosen expert j"; }
  std::string caption() const override {
    return "What an expert said matters as far as the router listened to it.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 4, 4);
    require_experts(in[3], in[1], in[2]);
    if (!fit(in[0], summed(in[3])))
      fail_call("the gradient is ", in[0].text(), ", expected ", summed(in[3]).text());
    return {{"", in[3]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Places at(in[3].shape(), in[1].shape());
      const R *dy = in[0].data<R>(), *w = in[1].data<R>();
      R* dx = out[0].data<R>();
      for (int64_t n = 0; n < in[2].shape().count(); ++n) {
        const R weight = w[at.weight(in[2], n)];
        for (int64_t c = 0; c < at.width; ++c)
          dx[n * at.width + c] = weight * dy[n / at.slots * at.width + c];
      }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Shape& chosen = in[2].shape();
    const Index place = part(out.index, 0, chosen.rank()), row = part(place, 0, chosen.rank() - 1);
    const int64_t m = expert_at(in[2], flatten(chosen, place), in[1].shape().sizes().back());
    return cell(in, 1, joined(row, {m})) * cell(in, 0, joined(row, {out.index.back()}));
  }
};

// dw[m] = x[j] . dy, 0 of an expert that is not chosen.  Inputs dy, x, chosen, and the weights for their
// shape.
class ExpertSumWeightGradient final : public Operation {
 public:
  explicit ExpertSumWeightGradient(const Options&) {}
  std::string label() const override { return "Experts' Sum Gradient (weights)"; }
  std::string equation() const override { return "dw[m] = x[j] . dy, m the token's chosen expert j"; }
  std::string caption() const override {
    return "A router's weight matters as far as its expert points where the sum should go.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 4, 4);
    require_experts(in[1], in[3], in[2]);
    if (!fit(in[0], summed(in[1])))
      fail_call("the gradient is ", in[0].text(), ", expected ", summed(in[1]).text());
    return {{"", in[3]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Places at(in[1].shape(), in[3].shape());
      const R *dy = in[0].data<R>(), *x = in[1].data<R>();
      R* dw = out[0].data<R>();
      std::fill(dw, dw + in[3].shape().count(), R(0));
      for (int64_t n = 0; n < in[2].shape().count(); ++n) {
        double sum = 0;
        for (int64_t c = 0; c < at.width; ++c)
          sum += static_cast<double>(x[n * at.width + c]) * dy[n / at.slots * at.width + c];
        dw[at.weight(in[2], n)] += static_cast<R>(sum);
      }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Index row = part(out.index, 0, in[2].shape().rank() - 1);
    std::vector<Expr> terms;
    for (int64_t j = 0; j < in[2].shape().sizes().back(); ++j) {
      const Index place = joined(row, {j});
      if (expert_at(in[2], flatten(in[2].shape(), place), in[3].shape().sizes().back()) != out.index.back())
        continue;
      for (int64_t c = 0; c < in[1].shape().sizes().back(); ++c)
        terms.push_back(cell(in, 1, joined(place, {c})) * cell(in, 0, joined(row, {c})));
    }
    return Expr::sum(terms);
  }
};

}  // namespace

Stage expert_sum(const Scope& in, Stage x, const Routed& routed) {
  return in.graph->add(in, "expert_sum", {}, {x, routed.weights, routed.chosen});
}

void register_expert_sum(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::J, 2}, {Axis::C, 4}},
              weights = {{Axis::B, 2}, {Axis::T, 3}, {Axis::M, 5}},
              y = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 4}};
  const Example::Input chosen = {{{Axis::B, 2}, {Axis::T, 3}, {Axis::J, 2}}, DType::i64, 0, 5, false};
  all.add<ExpertSum>("expert_sum", {{{}, {{x}, {weights}, chosen}}});
  all.add<ExpertSumGradient>("expert_sum_gradient", {{{}, {{y}, {weights}, chosen, {x}}}});
  all.add<ExpertSumWeightGradient>("expert_sum_weight_gradient", {{{}, {{y}, {x}, chosen, {weights}}}});
}

}  // namespace limpid

// Attention pooling (Lin 2017, "A structured self-attentive sentence embedding"): a sentence becomes R rows,
// each a weighted sum of its words.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// weights [B,T,R], x [B,T,C], y [B,R,C]
struct Sizes {
  int64_t B, T, R, C;
};
Sizes sizes(const Shape& weights, const Shape& x) {
  return {weights[0].size, weights[1].size, weights[2].size, x[2].size};
}

void require_pair(const Shape& weights, const Shape& x) {
  require_rank(weights, 3, "weights", "[B,T,R]");
  require_rank(x, 3, "x", "[B,T,C]");
  require_size(weights, 0, x[0].size, "weights", x);
  require_size(weights, 1, x[1].size, "weights", x);
}

Shape pooled(const Shape& weights, const Shape& x) { return {weights[0], weights[2], x[2]}; }

void require_gradient(const Shape& dy, const Shape& weights, const Shape& x) {
  if (!fit(dy, pooled(weights, x)))
    fail_call("the gradient is ", dy.text(), ", expected ", pooled(weights, x).text());
}

// Inputs weights, x.  A weight of exactly zero reads nothing, so a NaN in padding stays there.
class AttentionPool final : public Operation {
 public:
  explicit AttentionPool(const Options&) {}
  std::string label() const override { return "Attention Pooling"; }
  std::string equation() const override { return "y[r] = sum_t A[t,r] x[t]"; }
  std::string caption() const override {
    return "Sums up a sentence as a few weighted averages of its words.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_pair(in[0], in[1]);
    return {{"", pooled(in[0], in[1])}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class Real>() {
      const Sizes n = sizes(in[0].shape(), in[1].shape());
      const auto weights = in[0].as<Real>(), x = in[1].as<Real>();
      const auto y = out[0].as<Real>();
      for (int64_t b = 0; b < n.B; ++b)
        for (int64_t r = 0; r < n.R; ++r)
          for (int64_t c = 0; c < n.C; ++c) {
            double sum = 0;
            for (int64_t t = 0; t < n.T; ++t)
              if (weights(b, t, r) != 0) sum += weights(b, t, r) * x(b, t, c);
            y(b, r, c) = static_cast<Real>(sum);
          }
    });
  }

  void gradient(GradientContext& g) const override {
    const std::vector<Stage> inputs = {g.grad(), g.in(0), g.in(1)};
    if (g.wants(0)) g.give(0, g.apply("attention_pool_weights_gradient", {}, inputs));
    if (g.wants(1)) g.give(1, g.apply("attention_pool_input_gradient", {}, inputs));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], r = out.index[1], c = out.index[2];
    std::vector<Expr> terms;
    for (int64_t t = 0; t < in[0].shape()[1].size; ++t)
      if (in[0].at({b, t, r}) != 0) terms.push_back(cell(in, 0, {b, t, r}) * cell(in, 1, {b, t, c}));
    return Expr::sum(terms);
  }
};

// dA[t,r] = sum_c dy[r,c] x[t,c].  Inputs dy, weights, x.
class WeightsGradient final : public Operation {
 public:
  explicit WeightsGradient(const Options&) {}
  std::string label() const override { return "Attention Pooling Gradient (weights)"; }
  std::string equation() const override { return "dA[t,r] = sum_c dy[r,c] x[t,c]"; }
  std::string caption() const override {
    return "A weight should grow if its word points where the loss falls.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_pair(in[1], in[2]);
    require_gradient(in[0], in[1], in[2]);
    return {{"", in[1]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class Real>() {
      const Sizes n = sizes(in[1].shape(), in[2].shape());
      const auto dy = in[0].as<Real>(), x = in[2].as<Real>();
      const auto dweights = out[0].as<Real>();
      for (int64_t b = 0; b < n.B; ++b)
        for (int64_t t = 0; t < n.T; ++t)
          for (int64_t r = 0; r < n.R; ++r) {
            double sum = 0;
            for (int64_t c = 0; c < n.C; ++c) sum += dy(b, r, c) * x(b, t, c);
            dweights(b, t, r) = static_cast<Real>(sum);
          }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], t = out.index[1], r = out.index[2];
    std::vector<Expr> terms;
    for (int64_t c = 0; c < in[2].shape()[2].size; ++c)
      terms.push_back(cell(in, 0, {b, r, c}) * cell(in, 2, {b, t, c}));
    return Expr::sum(terms);
  }
};

// dx[t,c] = sum_r A[t,r] dy[r,c].  Inputs dy, weights, x for its shape.
class InputGradient final : public Operation {
 public:
  explicit InputGradient(const Options&) {}
  std::string label() const override { return "Attention Pooling Gradient (x)"; }
  std::string equation() const override { return "dx[t,c] = sum_r A[t,r] dy[r,c]"; }
  std::string caption() const override { return "A word gets its gradient back in the measure it was read."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_pair(in[1], in[2]);
    require_gradient(in[0], in[1], in[2]);
    return {{"", in[2]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class Real>() {
      const Sizes n = sizes(in[1].shape(), in[2].shape());
      const auto dy = in[0].as<Real>(), weights = in[1].as<Real>();
      const auto dx = out[0].as<Real>();
      for (int64_t b = 0; b < n.B; ++b)
        for (int64_t t = 0; t < n.T; ++t)
          for (int64_t c = 0; c < n.C; ++c) {
            double sum = 0;
            for (int64_t r = 0; r < n.R; ++r) sum += weights(b, t, r) * dy(b, r, c);
            dx(b, t, c) = static_cast<Real>(sum);
          }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], t = out.index[1], c = out.index[2];
    std::vector<Expr> terms;
    for (int64_t r = 0; r < in[1].shape()[2].size; ++r)
      terms.push_back(cell(in, 1, {b, t, r}) * cell(in, 0, {b, r, c}));
    return Expr::sum(terms);
  }
};

}  // namespace

Stage attention_pool(const Scope& in, Stage weights, Stage x) {
  return in.graph->add(in, "attention_pool", {}, {weights, x});
}

void register_attention_pool(Registry& all) {
  const Shape weights = {{Axis::B, 2}, {Axis::T, 3}, {Axis::R, 2}},
              x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 4}};
  const Shape y = pooled(weights, x);
  const Shape one_hop = {{Axis::B, 1}, {Axis::T, 5}, {Axis::R, 1}},
              one = {{Axis::B, 1}, {Axis::T, 5}, {Axis::C, 1}};
  all.add<AttentionPool>("attention_pool",
                         {{{}, {{weights, DType::f32, 0, 1}, {x}}}, {{}, {{one_hop}, {one}}}});
  all.add<WeightsGradient>("attention_pool_weights_gradient", {{{}, {{y}, {weights}, {x}}}});
  all.add<InputGradient>("attention_pool_input_gradient", {{{}, {{y}, {weights}, {x}}}});
}

}  // namespace limpid

// Weighted sum: each query takes a little of every value, as much as its weights say.
#include "limpid/ops.h"
#include "ops/scores.h"

namespace limpid {

namespace {

void require_pattern_and_value(const Shape& pattern, const Shape& v) {
  require_rank(pattern, 4, "the pattern", "[B,H,T,S]");
  require_rank(v, 4, "v", "[B,S,G,D]");
  if (!fits(pattern[0].size, v[0].size) || !fits(pattern[3].size, v[1].size))
    fail_call("v is ", v.text(), ", expected the B and S of the pattern ", pattern.text());
  require_groups(pattern, pattern[1].size, v, "v");
}

// [B,T,H,D]
Shape result(const Shape& pattern, const Shape& v) {
  return {{Axis::B, pattern[0].size},
          {Axis::T, pattern[2].size},
          {Axis::H, pattern[1].size},
          {Axis::D, v[3].size}};
}

// A hidden weight (minus zero) reads nothing: an invisible value may hold anything, a NaN included.
class WeightedSum final : public Operation {
 public:
  explicit WeightedSum(const Options&) {}
  std::string label() const override { return "Weighted Sum"; }
  std::string equation() const override { return "z[t] = sum_s A[t,s] v[s]"; }
  std::string caption() const override {
    return "Each token gathers the values of the tokens it looks at, by their weights.";
  }
  Role role() const override { return Role::value; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_pattern_and_value(in[0], in[1]);
    return {{"", result(in[0], in[1])}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = out[0].shape();
      const int64_t keys = in[1].shape()[1].size,
                    share = heads_per_group(shape[2].size, in[1].shape()[2].size);
      const auto pattern = in[0].as<R>(), v = in[1].as<R>();
      const auto z = out[0].as<R>();
      for (int64_t b = 0; b < shape[0].size; ++b)
        for (int64_t t = 0; t < shape[1].size; ++t)
          for (int64_t h = 0; h < shape[2].size; ++h)
            for (int64_t d = 0; d < shape[3].size; ++d) {
              R sum = 0;
              for (int64_t s = 0; s < keys; ++s)
                if (!hides(pattern(b, h, t, s))) sum += pattern(b, h, t, s) * v(b, s, h / share, d);
              z(b, t, h, d) = sum;
            }
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("weighted_sum_pattern_gradient", {}, {g.grad(), g.in(1), g.in(0)}));
    if (g.wants(1)) g.give(1, g.apply("weighted_sum_value_gradient", {}, {g.in(0), g.grad(), g.in(1)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], t = out.index[1], h = out.index[2], d = out.index[3];
    const int64_t share = heads_per_group(in[0].shape()[1].size, in[1].shape()[2].size);
    std::vector<Expr> terms;
    for (int64_t s = 0; s < in[1].shape()[1].size; ++s)
      if (!hides(in[0].at({b, h, t, s})))
        terms.push_back(cell(in, 0, {b, h, t, s}) * cell(in, 1, {b, s, h / share, d}));
    return Expr::sum(terms);
  }
};

// dA[t,s] = dz[t] . v[s].  Inputs dz, v, and the pattern for its shape.  A masked cell may read a NaN here:
// softmax's gradient does not look at it.
class WeightedSumPatternGradient final : public Operation {
 public:
  explicit WeightedSumPatternGradient(const Options&) {}
  std::string label() const override { return "Weighted Sum Gradient (weights)"; }
  std::string equation() const override { return "dA[t,s] = dz[t] . v[s]"; }
  std::string caption() const override {
    return "A weight matters as far as its value points where the sum should go.";
  }
  Role role() const override { return Role::weights; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_pattern_and_value(in[2], in[1]);
    const Shape expected = result(in[2], in[1]);
    if (!fit(in[0], expected)) fail_call("the gradient is ", in[0].text(), ", expected ", expected.text());
    return {{"", in[2]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t width = in[1].shape()[3].size;
      const int64_t share = heads_per_group(in[2].shape()[1].size, in[1].shape()[2].size);
      const auto dz = in[0].as<R>(), v = in[1].as<R>();
      const auto dpattern = out[0].as<R>();
      each_cell(in[2].shape(), [&](int64_t b, int64_t h, int64_t t, int64_t s) {
        R sum = 0;
        for (int64_t d = 0; d < width; ++d) sum += dz(b, t, h, d) * v(b, s, h / share, d);
        dpattern(b, h, t, s) = sum;
      });
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], h = out.index[1], t = out.index[2], s = out.index[3];
    const int64_t share = heads_per_group(in[2].shape()[1].size, in[1].shape()[2].size);
    std::vector<Expr> terms;
    for (int64_t d = 0; d < in[1].shape()[3].size; ++d)
      terms.push_back(cell(in, 0, {b, t, h, d}) * cell(in, 1, {b, s, h / share, d}));
    return Expr::sum(terms);
  }
};

// dv[s] = sum_t A[t,s] dz[t], over every query head that reads this value head.  Inputs pattern, dz, and v
// for its shape.
class WeightedSumValueGradient final : public Operation {
 public:
  explicit WeightedSumValueGradient(const Options&) {}
  std::string label() const override { return "Weighted Sum Gradient (v)"; }
  std::string equation() const override { return "dv[s] = sum_t A[t,s] dz[t]"; }
  std::string caption() const override {
    return "A value learns from every token that looked at it, by the weight it had there.";
  }
  Role role() const override { return Role::value; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_pattern_and_value(in[0], in[2]);
    const Shape expected = result(in[0], in[2]);
    if (!fit(in[1], expected)) fail_call("the gradient is ", in[1].text(), ", expected ", expected.text());
    return {{"", in[2]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& v = in[2].shape();
      const int64_t queries = in[0].shape()[2].size,
                    share = heads_per_group(in[0].shape()[1].size, v[2].size);
      const auto pattern = in[0].as<R>(), dz = in[1].as<R>();
      const auto dv = out[0].as<R>();
      for (int64_t b = 0; b < v[0].size; ++b)
        for (int64_t s = 0; s < v[1].size; ++s)
          for (int64_t g = 0; g < v[2].size; ++g)
            for (int64_t d = 0; d < v[3].size; ++d) {
              R sum = 0;
              for (int64_t h = g * share; h < (g + 1) * share; ++h)
                for (int64_t t = 0; t < queries; ++t)
                  if (!hides(pattern(b, h, t, s))) sum += pattern(b, h, t, s) * dz(b, t, h, d);
              dv(b, s, g, d) = sum;
            }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], s = out.index[1], g = out.index[2], d = out.index[3];
    const int64_t share = heads_per_group(in[0].shape()[1].size, in[2].shape()[2].size);
    std::vector<Expr> terms;
    for (int64_t h = g * share; h < (g + 1) * share; ++h)
      for (int64_t t = 0; t < in[0].shape()[2].size; ++t)
        if (!hides(in[0].at({b, h, t, s})))
          terms.push_back(cell(in, 0, {b, h, t, s}) * cell(in, 1, {b, t, h, d}));
    return Expr::sum(terms);
  }
};

}  // namespace

Stage weighted_sum(const Scope& in, Stage pattern, Stage v) {
  return in.graph->add(in, "weighted_sum", {}, {pattern, v});
}

void register_weighted_sum(Registry& all) {
  const Shape pattern = scores_shape(2, 4, 3, 5);
  const Shape v = {{Axis::B, 2}, {Axis::S, 5}, {Axis::G, 4}, {Axis::D, 3}};
  const Shape shared = {{Axis::B, 2}, {Axis::S, 5}, {Axis::G, 2}, {Axis::D, 3}};
  const Shape single = {{Axis::B, 2}, {Axis::S, 5}, {Axis::G, 1}, {Axis::D, 1}};
  const Shape dz = {{Axis::B, 2}, {Axis::T, 3}, {Axis::H, 4}, {Axis::D, 3}};
  const Example::Input weights = {pattern, DType::f32, 0, 1};
  all.add<WeightedSum>("weighted_sum",
                       {{{}, {weights, {v}}}, {{}, {weights, {shared}}}, {{}, {weights, {single}}}});
  all.add<WeightedSumPatternGradient>("weighted_sum_pattern_gradient", {{{}, {{dz}, {shared}, weights}}});
  all.add<WeightedSumValueGradient>("weighted_sum_value_gradient", {{{}, {weights, {dz}, {shared}}}});
}

}  // namespace limpid

// Raw scores: the dot product of every query with every key says how well they match.
#include "limpid/ops.h"
#include "ops/scores.h"

namespace limpid {

namespace {

void require_query_and_key(const Shape& q, const Shape& k) {
  require_rank(q, 4, "q", "[B,T,H,D]");
  require_rank(k, 4, "k", "[B,S,G,D]");
  if (!fits(q[0].size, k[0].size) || !fits(q[3].size, k[3].size))
    fail_call("k is ", k.text(), ", expected the B and D of q ", q.text());
  require_groups(q, q[2].size, k, "k");
}

class RawScores final : public Operation {
 public:
  explicit RawScores(const Options&) {}
  std::string label() const override { return "Dot Product"; }
  std::string equation() const override { return "Z[t,s] = q[t] . k[s]"; }
  std::string caption() const override {
    return "Each query is compared with each key: the better they match, the higher the score.";
  }
  Role role() const override { return Role::weights; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    const Shape &q = in[0], &k = in[1];
    require_query_and_key(q, k);
    return {{"", scores_shape(q[0].size, q[2].size, q[1].size, k[1].size)}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t width = in[0].shape()[3].size;
      const int64_t share = heads_per_group(in[0].shape()[2].size, in[1].shape()[2].size);
      const auto q = in[0].as<R>(), k = in[1].as<R>();
      const auto z = out[0].as<R>();
      each_cell(out[0].shape(), [&](int64_t b, int64_t h, int64_t t, int64_t s) {
        R sum = 0;
        for (int64_t d = 0; d < width; ++d) sum += q(b, t, h, d) * k(b, s, h / share, d);
        z(b, h, t, s) = sum;
      });
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("raw_scores_query_gradient", {}, {g.grad(), g.in(1), g.in(0)}));
    if (g.wants(1)) g.give(1, g.apply("raw_scores_key_gradient", {}, {g.grad(), g.in(0), g.in(1)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], h = out.index[1], t = out.index[2], s = out.index[3];
    const int64_t share = heads_per_group(in[0].shape()[2].size, in[1].shape()[2].size);
    std::vector<Expr> terms;
    for (int64_t d = 0; d < in[0].shape()[3].size; ++d)
      terms.push_back(cell(in, 0, {b, t, h, d}) * cell(in, 1, {b, s, h / share, d}));
    return Expr::sum(terms);
  }
};

// dq[t] = sum_s dZ[t,s] k[s].  Inputs dZ, k, and q for its shape.  A dZ of exactly zero reads nothing: an
// invisible key may hold anything, a NaN included.
class RawScoresQueryGradient final : public Operation {
 public:
  explicit RawScoresQueryGradient(const Options&) {}
  std::string label() const override { return "Dot Product Gradient (q)"; }
  std::string equation() const override { return "dq[t] = sum_s dZ[t,s] k[s]"; }
  std::string caption() const override { return "A query moves towards the keys whose scores should rise."; }
  Role role() const override { return Role::query; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    const Shape &dz = in[0], &k = in[1], &q = in[2];
    require_query_and_key(q, k);
    const Shape expected = scores_shape(q[0].size, q[2].size, q[1].size, k[1].size);
    if (!fit(dz, expected)) fail_call("the gradient is ", dz.text(), ", expected ", expected.text());
    return {{"", q}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& q = in[2].shape();
      const int64_t keys = in[1].shape()[1].size, share = heads_per_group(q[2].size, in[1].shape()[2].size);
      const auto dz = in[0].as<R>(), k = in[1].as<R>();
      const auto dq = out[0].as<R>();
      for (int64_t b = 0; b < q[0].size; ++b)
        for (int64_t t = 0; t < q[1].size; ++t)
          for (int64_t h = 0; h < q[2].size; ++h)
            for (int64_t d = 0; d < q[3].size; ++d) {
              R sum = 0;
              for (int64_t s = 0; s < keys; ++s)
                if (dz(b, h, t, s) != 0) sum += dz(b, h, t, s) * k(b, s, h / share, d);
              dq(b, t, h, d) = sum;
            }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], t = out.index[1], h = out.index[2], d = out.index[3];
    const int64_t share = heads_per_group(in[2].shape()[2].size, in[1].shape()[2].size);
    std::vector<Expr> terms;
    for (int64_t s = 0; s < in[1].shape()[1].size; ++s)
      if (in[0].at({b, h, t, s}) != 0)
        terms.push_back(cell(in, 0, {b, h, t, s}) * cell(in, 1, {b, s, h / share, d}));
    return Expr::sum(terms);
  }
};

// dk[s] = sum_t dZ[t,s] q[t], over every query head that reads this key head.  Inputs dZ, q, and k for its
// shape.
class RawScoresKeyGradient final : public Operation {
 public:
  explicit RawScoresKeyGradient(const Options&) {}
  std::string label() const override { return "Dot Product Gradient (k)"; }
  std::string equation() const override { return "dk[s] = sum_t dZ[t,s] q[t]"; }
  std::string caption() const override { return "A key moves towards the queries that should see it more."; }
  Role role() const override { return Role::key; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    const Shape &dz = in[0], &q = in[1], &k = in[2];
    require_query_and_key(q, k);
    const Shape expected = scores_shape(q[0].size, q[2].size, q[1].size, k[1].size);
    if (!fit(dz, expected)) fail_call("the gradient is ", dz.text(), ", expected ", expected.text());
    return {{"", k}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& k = in[2].shape();
      const int64_t queries = in[1].shape()[1].size,
                    share = heads_per_group(in[1].shape()[2].size, k[2].size);
      const auto dz = in[0].as<R>(), q = in[1].as<R>();
      const auto dk = out[0].as<R>();
      for (int64_t b = 0; b < k[0].size; ++b)
        for (int64_t s = 0; s < k[1].size; ++s)
          for (int64_t g = 0; g < k[2].size; ++g)
            for (int64_t d = 0; d < k[3].size; ++d) {
              R sum = 0;
              for (int64_t h = g * share; h < (g + 1) * share; ++h)
                for (int64_t t = 0; t < queries; ++t)
                  if (dz(b, h, t, s) != 0) sum += dz(b, h, t, s) * q(b, t, h, d);
              dk(b, s, g, d) = sum;
            }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], s = out.index[1], g = out.index[2], d = out.index[3];
    const int64_t share = heads_per_group(in[1].shape()[2].size, in[2].shape()[2].size);
    std::vector<Expr> terms;
    for (int64_t h = g * share; h < (g + 1) * share; ++h)
      for (int64_t t = 0; t < in[1].shape()[1].size; ++t)
        if (in[0].at({b, h, t, s}) != 0)
          terms.push_back(cell(in, 0, {b, h, t, s}) * cell(in, 1, {b, t, h, d}));
    return Expr::sum(terms);
  }
};

}  // namespace

Stage raw_scores(const Scope& in, Stage q, Stage k) { return in.graph->add(in, "raw_scores", {}, {q, k}); }

void register_raw_scores(Registry& all) {
  const Shape q = {{Axis::B, 2}, {Axis::T, 3}, {Axis::H, 4}, {Axis::D, 5}};
  const Shape k = {{Axis::B, 2}, {Axis::S, 2}, {Axis::G, 4}, {Axis::D, 5}};
  const Shape shared = {
      {Axis::B, 2}, {Axis::S, 4}, {Axis::G, 2}, {Axis::D, 5}};  // two query heads read one key head
  const Shape single = {{Axis::B, 2}, {Axis::S, 1}, {Axis::G, 1}, {Axis::D, 5}};  // all of them read the same
  const Shape dz = scores_shape(2, 4, 3, 4);
  all.add<RawScores>("raw_scores", {{{}, {{q}, {k}}}, {{}, {{q}, {shared}}}, {{}, {{q}, {single}}}});
  all.add<RawScoresQueryGradient>("raw_scores_query_gradient", {{{}, {{dz}, {shared}, {q}}}});
  all.add<RawScoresKeyGradient>("raw_scores_key_gradient", {{{}, {{dz}, {q}, {shared}}}});
}

}  // namespace limpid

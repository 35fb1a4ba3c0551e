// Position scores: what a token is, compared with how far away the other one stands.  A query is compared
// with the key of a distance (content to position), or a key with the query of a distance (position to
// content): the two terms of disentangled attention (DeBERTa, He 2020, 3.1).
#include "limpid/ops.h"
#include "ops/scores.h"

namespace limpid {

namespace {

// Inputs x [B,T,H,D] and the rows [N,H,D] that its length can ask for.  The row of a query t and a key s is
// that of t - s, in both terms.
class PositionScoresBase : public Operation {
 public:
  explicit PositionScoresBase(const Options& options)
      : buckets_(position_buckets(options)), keys_(options.flag("keys")), scale_(options.real("scale", 1)) {}

 protected:
  void require_rows(const Shape& x, const Shape& rows) const {
    require_rank(x, 4, keys_ ? "k" : "q", keys_ ? "[B,S,G,D]" : "[B,T,H,D]");
    require_rank(rows, 3, "the rows", "[N,H,D]");
    if (!fits(rows[1].size, x[2].size) || !fits(rows[2].size, x[3].size))
      fail_call("the rows are ", rows.text(), ", expected [N,H,D] with the H and D of ", x.text());
    const int64_t count = position_row_count(x[1].size, buckets_);
    if (!fits(rows[0].size, count))
      fail_call("the rows are ", rows.text(), ", expected ", count, " of them for ", x[1].size, " tokens");
  }

  void require_scores_of(const Shape& dz, const Shape& x) const {
    const Shape expected = scores_shape(x[0].size, x[2].size, x[1].size, x[1].size);
    if (!fit(dz, expected)) fail_call("the gradient is ", dz.text(), ", expected ", expected.text());
  }

  // The place of every distance -(T - 1), ..., T - 1 among the rows.
  std::vector<int64_t> places(int64_t tokens) const { return position_places(tokens, buckets_); }

  std::string content() const { return keys_ ? "k[s]" : "q[t]"; }
  std::string position() const { return keys_ ? "q_pos[row(t - s)]" : "k_pos[row(t - s)]"; }
  std::string factor() const { return scale_ == 1 ? "" : "scale "; }

  PositionBuckets buckets_;
  bool keys_;
  double scale_;
};

class PositionScores final : public PositionScoresBase {
 public:
  using PositionScoresBase::PositionScoresBase;
  std::string label() const override { return keys_ ? "Position to Content" : "Content to Position"; }
  std::string equation() const override { return join("P[t,s] = ", factor(), content(), " . ", position()); }
  std::string caption() const override {
    return keys_ ? "Each key is compared with the query of the distance from which it is looked at."
                 : "Each query is compared with the key of how far away the other token stands.";
  }
  Role role() const override { return Role::weights; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_rows(in[0], in[1]);
    return {{"", scores_shape(in[0][0].size, in[0][2].size, in[0][1].size, in[0][1].size)}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t tokens = in[0].shape()[1].size, width = in[0].shape()[3].size;
      const std::vector<int64_t> places = this->places(tokens);
      const auto x = in[0].as<R>(), rows = in[1].as<R>();
      const auto z = out[0].as<R>();
      each_cell(out[0].shape(), [&](int64_t b, int64_t h, int64_t t, int64_t s) {
        const int64_t n = places[static_cast<size_t>(t - s + tokens - 1)], c = keys_ ? s : t;
        R sum = 0;
        for (int64_t d = 0; d < width; ++d) sum += x(b, c, h, d) * rows(n, h, d);
        z(b, h, t, s) = static_cast<R>(scale_) * sum;
      });
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0))
      g.give(0, g.apply("position_scores_content_gradient", options(), {g.grad(), g.in(1), g.in(0)}));
    if (g.wants(1))
      g.give(1, g.apply("position_scores_rows_gradient", options(), {g.grad(), g.in(0), g.in(1)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], h = out.index[1], t = out.index[2], s = out.index[3];
    const int64_t tokens = in[0].shape()[1].size, c = keys_ ? s : t;
    const int64_t n = places(tokens)[static_cast<size_t>(t - s + tokens - 1)];
    std::vector<Expr> terms;
    for (int64_t d = 0; d < in[0].shape()[3].size; ++d)
      terms.push_back(cell(in, 0, {b, c, h, d}) * cell(in, 1, {n, h, d}));
    return scale_ == 1 ? Expr::sum(terms) : Expr(scale_) * Expr::sum(terms);
  }
};

// dx[c] = scale sum dZ[t,s] row(t - s), over the cells of token c.  Inputs dZ, the rows, and x for its shape.
class PositionScoresContentGradient final : public PositionScoresBase {
 public:
  using PositionScoresBase::PositionScoresBase;
  std::string label() const override { return "Position Scores Gradient"; }
  std::string equation() const override {
    return join("d", content(), " = ", factor(), keys_ ? "sum_t" : "sum_s", " dZ[t,s] ", position());
  }
  std::string caption() const override {
    return "A token moves towards the distances whose scores should rise.";
  }
  Role role() const override { return keys_ ? Role::key : Role::query; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_rows(in[2], in[1]);
    require_scores_of(in[0], in[2]);
    return {{"", in[2]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& x = in[2].shape();
      const int64_t tokens = x[1].size;
      const std::vector<int64_t> places = this->places(tokens);
      const auto dz = in[0].as<R>(), rows = in[1].as<R>();
      const auto dx = out[0].as<R>();
      for (int64_t b = 0; b < x[0].size; ++b)
        for (int64_t c = 0; c < tokens; ++c)
          for (int64_t h = 0; h < x[2].size; ++h)
            for (int64_t d = 0; d < x[3].size; ++d) {
              R sum = 0;
              for (int64_t other = 0; other < tokens; ++other) {
                const int64_t t = keys_ ? other : c, s = keys_ ? c : other;
                sum += dz(b, h, t, s) * rows(places[static_cast<size_t>(t - s + tokens - 1)], h, d);
              }
              dx(b, c, h, d) = static_cast<R>(scale_) * sum;
            }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], c = out.index[1], h = out.index[2], d = out.index[3];
    const int64_t tokens = in[2].shape()[1].size;
    const std::vector<int64_t> places = this->places(tokens);
    std::vector<Expr> terms;
    for (int64_t other = 0; other < tokens; ++other) {
      const int64_t t = keys_ ? other : c, s = keys_ ? c : other;
      terms.push_back(cell(in, 0, {b, h, t, s}) *
                      cell(in, 1, {places[static_cast<size_t>(t - s + tokens - 1)], h, d}));
    }
    return Expr(scale_) * Expr::sum(terms);
  }
};

// drow[n] = scale sum dZ[t,s] x[c] over the cells whose distance has row n.  Inputs dZ, x, and the rows for
// their shape.  A dZ of exactly zero reads nothing: what is not seen may hold anything, a NaN included.
class PositionScoresRowsGradient final : public PositionScoresBase {
 public:
  using PositionScoresBase::PositionScoresBase;
  std::string label() const override { return "Position Scores Gradient (rows)"; }
  std::string equation() const override {
    return join("drow[n] = ", factor(), "sum of dZ[t,s] ", content(), " over the cells of row n");
  }
  std::string caption() const override {
    return "A distance's vector learns from every pair of tokens that far apart.";
  }
  Role role() const override { return keys_ ? Role::query : Role::key; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_rows(in[1], in[2]);
    require_scores_of(in[0], in[1]);
    return {{"", in[2]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t tokens = in[1].shape()[1].size, width = in[1].shape()[3].size;
      const std::vector<int64_t> places = this->places(tokens);
      const auto dz = in[0].as<R>(), x = in[1].as<R>();
      const auto drows = out[0].as<R>();
      std::fill_n(out[0].data<R>(), out[0].shape().count(), R(0));
      each_cell(in[0].shape(), [&](int64_t b, int64_t h, int64_t t, int64_t s) {
        if (dz(b, h, t, s) == 0) return;
        const int64_t n = places[static_cast<size_t>(t - s + tokens - 1)], c = keys_ ? s : t;
        const R seed = static_cast<R>(scale_) * dz(b, h, t, s);
        for (int64_t d = 0; d < width; ++d) drows(n, h, d) += seed * x(b, c, h, d);
      });
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t tokens = in[1].shape()[1].size;
    const std::vector<int64_t> places = this->places(tokens);
    std::vector<Expr> terms;
    each_cell(in[0].shape(), [&](int64_t b, int64_t h, int64_t t, int64_t s) {
      if (h != out.index[1] || places[static_cast<size_t>(t - s + tokens - 1)] != out.index[0]) return;
      if (in[0].at({b, h, t, s}) != 0)
        terms.push_back(cell(in, 0, {b, h, t, s}) * cell(in, 1, {b, keys_ ? s : t, h, out.index[2]}));
    });
    return Expr(scale_) * Expr::sum(terms);
  }
};

}  // namespace

std::vector<int64_t> position_places(int64_t tokens, const PositionBuckets& o) {
  std::vector<int64_t> places;
  for (int64_t behind = 1 - tokens; behind < tokens; ++behind)
    places.push_back(position_row(behind, o) - position_row(1 - tokens, o));
  return places;
}

Stage position_scores(const Scope& in, Stage x, Stage rows, const PositionScoresOptions& o) {
  Options options = options_of(o.buckets);
  if (o.keys) options.set("keys", true);
  if (o.scale != 1) options.set("scale", o.scale);
  return in.graph->add(in, "position_scores", options, {x, rows});
}

void register_position_scores(Registry& all) {
  const Shape q = {{Axis::B, 2}, {Axis::T, 4}, {Axis::H, 2}, {Axis::D, 3}};
  const Shape k = {{Axis::B, 2}, {Axis::S, 4}, {Axis::G, 2}, {Axis::D, 3}};
  const Shape rows = {{Axis::N, 7}, {Axis::H, 2}, {Axis::D, 3}}, dz = scores_shape(2, 2, 4, 4);
  const Shape long_q = {{Axis::B, 1}, {Axis::T, 11}, {Axis::H, 2}, {Axis::D, 2}};
  const Shape few = {{Axis::N, 8}, {Axis::H, 2}, {Axis::D, 2}}, long_dz = scores_shape(1, 2, 11, 11);
  const auto options = [](const PositionBuckets& buckets, bool keys, double scale) {
    Options made = options_of(buckets);
    made.set("keys", keys);
    made.set("scale", scale);
    return made;
  };
  const Options query = options({5, 0, 1}, false, 0.5), key = options({5, 0, 1}, true, 1);
  const Options bucketed = options({4, 4, 8}, false, 1), clipped = options({4, 0, 1}, true, 0.25);
  all.add<PositionScores>("position_scores", {{query, {{q}, {rows}}},
                                              {key, {{k}, {rows}}},
                                              {bucketed, {{long_q}, {few}}},
                                              {clipped, {{long_q}, {few}}}});
  all.add<PositionScoresContentGradient>(
      "position_scores_content_gradient",
      {{query, {{dz}, {rows}, {q}}}, {clipped, {{long_dz}, {few}, {long_q}}}});
  all.add<PositionScoresRowsGradient>("position_scores_rows_gradient",
                                      {{key, {{dz}, {k}, {rows}}}, {bucketed, {{long_dz}, {long_q}, {few}}}});
}

}  // namespace limpid

// Relative keys: every distance between two tokens has a key of its own, and the query is compared with that
// too (Shaw 2018).  Distances beyond K count as K.
#include "limpid/ops.h"
#include "ops/scores.h"

namespace limpid {

namespace {

class RelativeKeysBase : public Operation {
 public:
  explicit RelativeKeysBase(const Options& options) : first_query_(options.integer("first_query")) {}

 protected:
  static void require_query_and_table(const Shape& scores, const Shape& q, const Shape& table) {
    require_scores(scores);
    require_rank(q, 4, "q", "[B,T,H,D]");
    require_rank(table, 2, "the table", "[N,D]");
    if (!fit({q[0], q[2], q[1]}, scores.part(0, 3)))
      fail_call("q is ", q.text(), ", expected the B, T and H of the scores ", scores.text());
    if (!fits(table[1].size, q[3].size))
      fail_call("the table is ", table.text(), ", expected [N,D] with the D of q ", q.text());
    if (table[0].size >= 0 && table[0].size % 2 == 0)
      fail_call("the table is ", table.text(), ", expected an odd number of rows: distances -K to K");
  }

  // clip(s - t, -K, K) + K
  int64_t row(int64_t t, int64_t s, int64_t rows) const {
    const int64_t furthest = rows / 2;
    return std::clamp(s - (t + first_query_), -furthest, furthest) + furthest;
  }

  std::string key() const { return "key(s - " + text_of_query("t", first_query_, true) + ")"; }

  int64_t first_query_;
};

// Inputs scores, q and the table.
class RelativeKeys final : public RelativeKeysBase {
 public:
  using RelativeKeysBase::RelativeKeysBase;
  std::string label() const override { return "Relative Keys"; }
  std::string equation() const override { return "Z[t,s] = X[t,s] + q[t] . " + key(); }
  std::string caption() const override {
    return "Each query is also compared with a learned key for how far away the other token stands.";
  }
  Role role() const override { return Role::weights; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_query_and_table(in[0], in[1], in[2]);
    return {{"", in[0]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t rows = in[2].shape()[0].size, width = in[2].shape()[1].size;
      const auto x = in[0].as<R>(), q = in[1].as<R>(), table = in[2].as<R>();
      const auto z = out[0].as<R>();
      each_cell(in[0].shape(), [&](int64_t b, int64_t h, int64_t t, int64_t s) {
        R sum = 0;
        for (int64_t d = 0; d < width; ++d) sum += q(b, t, h, d) * table(row(t, s, rows), d);
        z(b, h, t, s) = x(b, h, t, s) + sum;
      });
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("pass", {}, {g.grad()}));
    if (g.wants(1))
      g.give(1, g.apply("relative_keys_query_gradient", options(), {g.grad(), g.in(2), g.in(1)}));
    if (g.wants(2))
      g.give(2, g.apply("relative_keys_table_gradient", options(), {g.grad(), g.in(1), g.in(2)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], h = out.index[1], t = out.index[2], s = out.index[3];
    const int64_t n = row(t, s, in[2].shape()[0].size);
    std::vector<Expr> terms = {cell(in, 0, out.index)};
    for (int64_t d = 0; d < in[2].shape()[1].size; ++d)
      terms.push_back(cell(in, 1, {b, t, h, d}) * cell(in, 2, {n, d}));
    return Expr::sum(terms);
  }
};

// dq[t] = sum_s dZ[t,s] key(s - t).  Inputs dZ, the table, and q for its shape.
class RelativeKeysQueryGradient final : public RelativeKeysBase {
 public:
  using RelativeKeysBase::RelativeKeysBase;
  std::string label() const override { return "Relative Keys Gradient (q)"; }
  std::string equation() const override { return "dq[t] = sum_s dZ[t,s] " + key(); }
  std::string caption() const override {
    return "A query moves towards the distances whose scores should rise.";
  }
  Role role() const override { return Role::query; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_query_and_table(in[0], in[2], in[1]);
    return {{"", in[2]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& q = in[2].shape();
      const int64_t keys = in[0].shape()[3].size, rows = in[1].shape()[0].size;
      const auto dz = in[0].as<R>(), table = in[1].as<R>();
      const auto dq = out[0].as<R>();
      for (int64_t b = 0; b < q[0].size; ++b)
        for (int64_t t = 0; t < q[1].size; ++t)
          for (int64_t h = 0; h < q[2].size; ++h)
            for (int64_t d = 0; d < q[3].size; ++d) {
              R sum = 0;
              for (int64_t s = 0; s < keys; ++s) sum += dz(b, h, t, s) * table(row(t, s, rows), d);
              dq(b, t, h, d) = sum;
            }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], t = out.index[1], h = out.index[2], d = out.index[3];
    const int64_t rows = in[1].shape()[0].size;
    std::vector<Expr> terms;
    for (int64_t s = 0; s < in[0].shape()[3].size; ++s)
      terms.push_back(cell(in, 0, {b, h, t, s}) * cell(in, 1, {row(t, s, rows), d}));
    return Expr::sum(terms);
  }
};

// dtable[n] = the sum of dZ[t,s] q[t] over the cells of distance n.  Inputs dZ, q, and the table for its
// shape.  A dZ of exactly zero reads nothing.
class RelativeKeysTableGradient final : public RelativeKeysBase {
 public:
  using RelativeKeysBase::RelativeKeysBase;
  std::string label() const override { return "Relative Keys Gradient (table)"; }
  std::string equation() const override {
    return "dkey(n) = sum of dZ[t,s] q[t] over the cells at distance n";
  }
  std::string caption() const override {
    return "A distance's key learns from every pair of tokens that far apart.";
  }
  Role role() const override { return Role::key; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_query_and_table(in[0], in[1], in[2]);
    return {{"", in[2]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t rows = in[2].shape()[0].size, width = in[2].shape()[1].size;
      const auto dz = in[0].as<R>(), q = in[1].as<R>();
      const auto dtable = out[0].as<R>();
      for (int64_t n = 0; n < rows; ++n)
        for (int64_t d = 0; d < width; ++d) dtable(n, d) = 0;
      each_cell(in[0].shape(), [&](int64_t b, int64_t h, int64_t t, int64_t s) {
        if (dz(b, h, t, s) == 0) return;
        const int64_t n = row(t, s, rows);
        for (int64_t d = 0; d < width; ++d) dtable(n, d) += dz(b, h, t, s) * q(b, t, h, d);
      });
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t rows = in[2].shape()[0].size;
    std::vector<Expr> terms;
    each_cell(in[0].shape(), [&](int64_t b, int64_t h, int64_t t, int64_t s) {
      if (row(t, s, rows) == out.index[0] && in[0].at({b, h, t, s}) != 0)
        terms.push_back(cell(in, 0, {b, h, t, s}) * cell(in, 1, {b, t, h, out.index[1]}));
    });
    return Expr::sum(terms);
  }
};

}  // namespace

Stage relative_keys(const Scope& in, Stage scores, Stage q, Stage table, int64_t first_query) {
  Options options;
  if (first_query != 0) options.set("first_query", first_query);
  return in.graph->add(in, "relative_keys", options, {scores, q, table});
}

void register_relative_keys(Registry& all) {
  const Shape scores = scores_shape(2, 2, 4, 6), table = {{Axis::N, 5}, {Axis::D, 3}};
  const Shape q = {{Axis::B, 2}, {Axis::T, 4}, {Axis::H, 2}, {Axis::D, 3}};
  const Shape single = {{Axis::N, 1}, {Axis::D, 3}};
  const Options cached = {{"first_query", int64_t{2}}};
  all.add<RelativeKeys>(
      "relative_keys",
      {{{}, {{scores}, {q}, {table}}}, {cached, {{scores}, {q}, {table}}}, {{}, {{scores}, {q}, {single}}}});
  all.add<RelativeKeysQueryGradient>("relative_keys_query_gradient", {{cached, {{scores}, {table}, {q}}}});
  all.add<RelativeKeysTableGradient>("relative_keys_table_gradient", {{cached, {{scores}, {q}, {table}}}});
}

}  // namespace limpid

// Relative bias: every distance between two tokens has a learned number that is added to their score (T5,
// Raffel 2019, 2.1).  Near distances have a bucket each; far ones share buckets that grow with the logarithm
// of the distance.
#include "limpid/ops.h"
#include "ops/scores.h"

namespace limpid {

namespace {

class RelativeBiasBase : public Operation {
 public:
  explicit RelativeBiasBase(const Options& options)
      : bidirectional_(options.flag("bidirectional")),
        max_distance_(options.integer("max_distance", 128)),
        first_query_(options.integer("first_query")) {}

 protected:
  void require_table(const Shape& table, const Shape& scores) const {
    require_scores(scores);
    require_rank(table, 2, "the table", "[N,H]");
    if (!fits(table[1].size, scores[1].size))
      fail_call("the table is ", table.text(), ", expected [N,H] with the H of the scores ", scores.text());
    const int64_t buckets = table[0].size, least = bidirectional_ ? 4 : 2;
    if (buckets < 0) return;
    if (buckets < least) fail_call("the table is ", table.text(), ", expected at least ", least, " buckets");
    if (max_distance_ <= exact(buckets))
      fail_call("max_distance is ", max_distance_, ", expected more than ", exact(buckets), ", which ",
                buckets, " buckets count exactly");
  }

  int64_t exact(int64_t buckets) const { return (bidirectional_ ? buckets / 2 : buckets) / 2; }

  // Of query t and key s of text b.
  int64_t bucket(const Index& at, int64_t buckets, const RunContext& context) const {
    return relative_bucket(at[3] - (at[2] + first_query_ + context.first_of(at[0])), buckets,
                           {bidirectional_, max_distance_, first_query_});
  }

  bool bidirectional_;
  int64_t max_distance_, first_query_;
};

class RelativeBias final : public RelativeBiasBase {
 public:
  using RelativeBiasBase::RelativeBiasBase;
  std::string label() const override { return "Relative Position Bias"; }
  std::string equation() const override {
    return join("Z[h,t,s] = X[h,t,s] + table[bucket(s - ", text_of_query("t", first_query_, true), "), h]");
  }
  std::string caption() const override {
    return "Adds a learned number for how far apart two tokens are; far distances share one.";
  }
  Role role() const override { return Role::weights; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_table(in[1], in[0]);
    return {{"", in[0]}};
  }

  void run(Inputs in, Outputs out, const RunContext& context) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t buckets = in[1].shape()[0].size;
      const auto x = in[0].as<R>(), table = in[1].as<R>();
      const auto z = out[0].as<R>();
      each_cell(in[0].shape(), [&](int64_t b, int64_t h, int64_t t, int64_t s) {
        z(b, h, t, s) = x(b, h, t, s) + table(bucket({b, h, t, s}, buckets, context), h);
      });
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("pass", {}, {g.grad()}));
    if (g.wants(1)) g.give(1, g.apply("relative_bias_table_gradient", options(), {g.grad(), g.in(1)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext& context) const override {
    const int64_t row = bucket(out.index, in[1].shape()[0].size, context);
    return cell(in, 0, out.index) + cell(in, 1, {row, out.index[1]});
  }
};

// dtable[n,h] = the sum of dZ over the cells of bucket n.  Inputs dZ, and the table for its shape.
class RelativeBiasTableGradient final : public RelativeBiasBase {
 public:
  using RelativeBiasBase::RelativeBiasBase;
  std::string label() const override { return "Relative Bias Gradient"; }
  std::string equation() const override {
    return "dtable[n,h] = sum of dZ[h,t,s] over the cells of bucket n";
  }
  std::string caption() const override {
    return "A bucket's number learns from every pair of tokens at its distance.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_table(in[1], in[0]);
    return {{"", in[1]}};
  }

  void run(Inputs in, Outputs out, const RunContext& context) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t buckets = in[1].shape()[0].size;
      const auto dz = in[0].as<R>();
      const auto dtable = out[0].as<R>();
      for (int64_t n = 0; n < buckets; ++n)
        for (int64_t h = 0; h < in[1].shape()[1].size; ++h) dtable(n, h) = 0;
      each_cell(in[0].shape(), [&](int64_t b, int64_t h, int64_t t, int64_t s) {
        dtable(bucket({b, h, t, s}, buckets, context), h) += dz(b, h, t, s);
      });
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext& context) const override {
    const int64_t buckets = in[1].shape()[0].size;
    std::vector<Expr> terms;
    each_cell(in[0].shape(), [&](int64_t b, int64_t h, int64_t t, int64_t s) {
      if (h == out.index[1] && bucket({b, h, t, s}, buckets, context) == out.index[0])
        terms.push_back(cell(in, 0, {b, h, t, s}));
    });
    return Expr::sum(terms);
  }
};

}  // namespace

// In float as T5 computes it, so that a distance at the edge of a bucket falls on the same side.
int64_t relative_bucket(int64_t ahead, int64_t buckets, const RelativeBiasOptions& o) {
  const int64_t own = o.bidirectional ? buckets / 2 : buckets;  // of one direction
  const int64_t small = own / 2;                                // that hold one distance each
  const int64_t first = o.bidirectional && ahead > 0 ? own : 0;
  const int64_t distance = o.bidirectional ? std::abs(ahead) : std::max<int64_t>(-ahead, 0);
  if (distance < small) return first + distance;
  const double span = std::log(static_cast<double>(o.max_distance) / static_cast<double>(small));
  const float part =
      std::log(static_cast<float>(distance) / static_cast<float>(small)) / static_cast<float>(span);
  const auto step = static_cast<int64_t>(part * static_cast<float>(own - small));
  return first + std::min(small + step, own - 1);
}

Stage relative_bias(const Scope& in, Stage scores, Stage table, const RelativeBiasOptions& o) {
  Options options = {{"bidirectional", o.bidirectional}, {"max_distance", o.max_distance}};
  if (o.first_query != 0) options.set("first_query", o.first_query);
  return in.graph->add(in, "relative_bias", options, {scores, table});
}

void register_relative_bias(Registry& all) {
  const Shape scores = scores_shape(2, 2, 9, 7), last = scores_shape(1, 2, 1, 12);
  const Shape table = {{Axis::N, 8}, {Axis::H, 2}}, smallest = {{Axis::N, 2}, {Axis::H, 2}};
  const Options both = {{"bidirectional", true}, {"max_distance", int64_t{6}}};
  const Options causal = {{"max_distance", int64_t{6}}};
  const Options cached = {{"max_distance", int64_t{20}}, {"first_query", int64_t{11}}};
  all.add<RelativeBias>("relative_bias", {{both, {{scores}, {table}}},
                                          {causal, {{scores}, {table}}},
                                          {cached, {{last}, {table}}},
                                          {{}, {{scores}, {smallest}}}});
  all.add<RelativeBiasTableGradient>("relative_bias_table_gradient",
                                     {{both, {{scores}, {table}}}, {cached, {{last}, {table}}}});
}

}  // namespace limpid

// ALiBi: attention with linear biases.  A key's score falls in proportion to its distance, in each head by
// another slope (Press 2021).
#include "limpid/ops.h"
#include "ops/scores.h"

namespace limpid {

namespace {

class Alibi final : public Operation {
 public:
  explicit Alibi(const Options& options) : first_query_(options.integer("first_query")) {}
  std::string label() const override { return "ALiBi"; }
  std::string equation() const override {
    return join("Z[h,t,s] = X[h,t,s] - slope[h] (", text_of_query("t", first_query_), " - s)");
  }
  std::string caption() const override {
    return "The further away a token is, the lower its score: steeply in the first heads, gently in the "
           "last.";
  }
  Role role() const override { return Role::weights; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    require_scores(in[0]);
    return {{"", in[0]}};
  }

  void run(Inputs in, Outputs out, const RunContext& context) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = in[0].shape();
      const auto x = in[0].as<R>();
      const auto z = out[0].as<R>();
      each_cell(shape, [&](int64_t b, int64_t h, int64_t t, int64_t s) {
        const R distance = static_cast<R>(t + first_query_ + context.first_of(b) - s);
        z(b, h, t, s) = x(b, h, t, s) - static_cast<R>(alibi_slope(h, shape[1].size)) * distance;
      });
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("pass", {}, {g.grad()}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext& context) const override {
    const int64_t h = out.index[1], t = out.index[2], s = out.index[3];
    const double distance = static_cast<double>(t + first_query_ + context.first_of(out.index[0]) - s);
    return cell(in, 0, out.index) - Expr(alibi_slope(h, in[0].shape()[1].size)) * Expr(distance);
  }

 private:
  int64_t first_query_;
};

}  // namespace

double alibi_slope(int64_t h, int64_t heads) {
  int64_t below = 1;
  while (2 * below <= heads) below *= 2;
  if (h < below) return std::exp2(-8 * static_cast<double>(h + 1) / static_cast<double>(below));
  return std::exp2(-8 * static_cast<double>(2 * (h - below) + 1) / static_cast<double>(2 * below));
}

Stage alibi(const Scope& in, Stage scores, int64_t first_query) {
  Options options;
  if (first_query != 0) options.set("first_query", first_query);
  return in.graph->add(in, "alibi", options, {scores});
}

void register_alibi(Registry& all) {
  all.add<Alibi>("alibi", {{{}, {{scores_shape(2, 4, 3, 3)}}},
                           {{{"first_query", int64_t{4}}}, {{scores_shape(1, 6, 1, 5)}}},
                           {{{"first_query", int64_t{-2}}}, {{scores_shape(1, 1, 3, 2)}}}});
}

}  // namespace limpid

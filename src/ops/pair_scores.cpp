// Pair scores: how alike each vector of one list is to each of another, as their dot product times a learned
// factor e^s, with a learned bias (Radford 2021, CLIP; Zhai 2023, SigLIP, which has the bias).
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// x [B,C], y [B,C] of another count, s [], and b [] if "bias".
void require_lists(const Shape& x, const Shape& y) {
  require_rank(x, 2, "x", "[B,C]");
  require_rank(y, 2, "y", "[B,C]");
  if (!fits(x[1].size, y[1].size))
    fail_call("x is ", x.text(), " and y is ", y.text(), ", expected vectors of one width");
}

Shape scores_of(const Shape& x, const Shape& y) { return {x[0], {Axis::V, y[0].size}}; }

class PairScores final : public Operation {
 public:
  explicit PairScores(const Options& options) : bias_(options.flag("bias")) {}
  std::string label() const override { return "Pair Scores"; }
  std::string equation() const override { return bias_ ? "z = e^s x y^T + b" : "z = e^s x y^T"; }
  std::string caption() const override {
    return "How alike each vector is to each of the other kind: their dot product, times a learned factor.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    const size_t count = size_t{3} + bias_;
    require_inputs(in, count, count);
    require_lists(in[0], in[1]);
    for (size_t i = 2; i < count; ++i) require_rank(in[i], 0, i == 2 ? "s" : "b", "a single number");
    return {{"", scores_of(in[0], in[1])}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const auto x = in[0].as<R>(), y = in[1].as<R>();
      const auto z = out[0].as<R>();
      const double factor = std::exp(static_cast<double>(in[2].data<R>()[0]));
      const double bias = bias_ ? static_cast<double>(in[3].data<R>()[0]) : 0.0;
      const int64_t width = in[0].shape()[1].size;
      for (int64_t i = 0; i < in[0].shape()[0].size; ++i)
        for (int64_t j = 0; j < in[1].shape()[0].size; ++j) {
          double sum = 0;
          for (int64_t c = 0; c < width; ++c) sum += static_cast<double>(x(i, c)) * y(j, c);
          z(i, j) = static_cast<R>(factor * sum + bias);
        }
    });
  }

  void gradient(GradientContext& g) const override {
    const Stage dx = g.apply("pair_scores_gradient", {}, {g.grad(), g.in(0), g.in(1), g.in(2)});
    if (g.wants(0)) g.give(0, dx);
    if (g.wants(1)) g.give(1, dx.output("dy"));
    if (g.wants(2)) g.give(2, dx.output("ds"));
    if (bias_ && g.wants(3)) g.give(3, dx.output("db"));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    std::vector<Expr> terms;
    for (int64_t c = 0; c < in[0].shape()[1].size; ++c)
      terms.push_back(cell(in, 0, {out.index[0], c}) * cell(in, 1, {out.index[1], c}));
    const Expr z = exp(cell(in, 2, {})) * Expr::sum(terms);
    return bias_ ? z + cell(in, 3, {}) : z;
  }

 private:
  bool bias_;
};

// dx = e^s dz y, dy = e^s dz^T x, ds = the sum of dz e^s (x y^T), db = the sum of dz.
// Inputs dz, x, y, s.
class PairScoresGradient final : public Operation {
 public:
  explicit PairScoresGradient(const Options&) {}
  std::string label() const override { return "Pair Scores Gradient"; }
  std::string equation() const override { return "dx = e^s dz y, dy = e^s dz^T x"; }
  std::string caption() const override {
    return "Pulls the vectors of a pair together, or apart, by what its score should change.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 4, 4);
    require_lists(in[1], in[2]);
    if (!fit(in[0], scores_of(in[1], in[2])))
      fail_call("the gradient is ", in[0].text(), ", expected ", scores_of(in[1], in[2]).text());
    require_rank(in[3], 0, "s", "a single number");
    return {{"dx", in[1]}, {"dy", in[2]}, {"ds", Shape{}}, {"db", Shape{}}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const auto dz = in[0].as<R>(), x = in[1].as<R>(), y = in[2].as<R>();
      const auto dx = out[0].as<R>(), dy = out[1].as<R>();
      const double factor = std::exp(static_cast<double>(in[3].data<R>()[0]));
      const int64_t rows = in[1].shape()[0].size, columns = in[2].shape()[0].size,
                    width = in[1].shape()[1].size;
      for (int64_t c = 0; c < width; ++c) {
        for (int64_t i = 0; i < rows; ++i) {
          double sum = 0;
          for (int64_t j = 0; j < columns; ++j) sum += static_cast<double>(dz(i, j)) * y(j, c);
          dx(i, c) = static_cast<R>(factor * sum);
        }
        for (int64_t j = 0; j < columns; ++j) {
          double sum = 0;
          for (int64_t i = 0; i < rows; ++i) sum += static_cast<double>(dz(i, j)) * x(i, c);
          dy(j, c) = static_cast<R>(factor * sum);
        }
      }
      double of_scale = 0, of_bias = 0;
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
          double sum = 0;
          for (int64_t c = 0; c < width; ++c) sum += static_cast<double>(x(i, c)) * y(j, c);
          of_scale += dz(i, j) * sum;
          of_bias += dz(i, j);
        }
      out[2].data<R>()[0] = static_cast<R>(factor * of_scale);
      out[3].data<R>()[0] = static_cast<R>(of_bias);
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t rows = in[1].shape()[0].size, columns = in[2].shape()[0].size,
                  width = in[1].shape()[1].size;
    const Expr factor = exp(cell(in, 3, {}));
    std::vector<Expr> terms;
    if (out.output == 0) {
      for (int64_t j = 0; j < columns; ++j)
        terms.push_back(cell(in, 0, {out.index[0], j}) * cell(in, 2, {j, out.index[1]}));
      return factor * Expr::sum(terms);
    }
    if (out.output == 1) {
      for (int64_t i = 0; i < rows; ++i)
        terms.push_back(cell(in, 0, {i, out.index[0]}) * cell(in, 1, {i, out.index[1]}));
      return factor * Expr::sum(terms);
    }
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        std::vector<Expr> products;
        for (int64_t c = 0; c < width; ++c) products.push_back(cell(in, 1, {i, c}) * cell(in, 2, {j, c}));
        const Expr dz = cell(in, 0, {i, j});
        terms.push_back(out.output == 2 ? dz * Expr::sum(products) : dz);
      }
    return out.output == 2 ? factor * Expr::sum(terms) : Expr::sum(terms);
  }
};

}  // namespace

Stage pair_scores(const Scope& in, Stage x, Stage y, Stage s, Stage b) {
  Options options;
  if (b) options.set("bias", true);
  return in.graph->add(in, "pair_scores", options,
                       b ? std::vector<Stage>{x, y, s, b} : std::vector<Stage>{x, y, s});
}

void register_pair_scores(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::C, 4}}, y = {{Axis::B, 3}, {Axis::C, 4}};
  const Shape z = {{Axis::B, 2}, {Axis::V, 3}}, one = {};
  all.add<PairScores>("pair_scores", {{{}, {{x}, {y}, {one}}}, {{{"bias", true}}, {{y}, {x}, {one}, {one}}}});
  all.add<PairScoresGradient>("pair_scores_gradient", {{{}, {{z}, {x}, {y}, {one}}}});
}

}  // namespace limpid

// Standardize: each channel of a series less its own mean, over its own spread (instance norm of the series,
// Kim 2022, RevIN), so that one network reads series of any size.  forecast() gives the size back.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// Inputs x [B,X,K] and which of its values were observed [B,X,K] (0 or not).  A value that was not counts
// neither for mean nor for spread, and is scaled as the number it is.
class Standardize final : public Operation {
 public:
  explicit Standardize(const Options& options)
      : kind_(options.word("by", "deviation")), least_(options.real("least", 1e-5)) {
    if (kind_ != "deviation" && kind_ != "magnitude" && kind_ != "nothing" && kind_ != "mean")
      fail_call("by is '", kind_, "', expected deviation, magnitude, mean or nothing");
  }
  std::string label() const override { return "Standardize"; }
  std::string equation() const override {
    if (kind_ == "nothing") return "y = x";
    if (kind_ == "mean") return "y[x,k] = x[x,k] - mean[k]";
    return kind_ == "deviation" ? "y[x,k] = (x[x,k] - mean[k]) / sqrt(variance[k] + epsilon)"
                                : "y[x,k] = x[x,k] / mean of |x[x',k]|";
  }
  std::string caption() const override {
    return kind_ == "mean" ? "Takes its own mean from every channel of the series."
                           : "Brings every channel of the series to the same size.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_rank(in[0], 3, "the series", "[B,X,K]");
    if (!fit(in[1], in[0])) fail_call("observed is ", in[1].text(), ", expected ", in[0].text());
    const Shape channels = {in[0][0], in[0][2]};
    return {{"", in[0]}, {"loc", channels}, {"scale", channels}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = in[0].shape();
      const auto x = in[0].as<R>();
      const auto y = out[0].as<R>(), loc = out[1].as<R>(), scale = out[2].as<R>();
      for (int64_t b = 0; b < shape[0].size; ++b)
        for (int64_t k = 0; k < shape[2].size; ++k) {
          const auto [mean, spread] = size_of<R>(in, b, k);
          loc(b, k) = static_cast<R>(mean);
          scale(b, k) = static_cast<R>(spread);
          for (int64_t t = 0; t < shape[1].size; ++t)
            y(b, t, k) = static_cast<R>((x(b, t, k) - mean) / spread);
        }
    });
  }

  void gradient(GradientContext&) const override {}  // of what is given: nothing learned stands before it

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], k = out.index.back();
    const auto [mean, spread] = size_expr(in, b, k);
    if (out.output == 1) return mean;
    if (out.output == 2) return spread;
    return (cell(in, 0, out.index) - mean) / spread;
  }

 private:
  static bool seen(Inputs in, int64_t b, int64_t t, int64_t k) { return in[1].as<int64_t>()(b, t, k) != 0; }

  template <class R>
  std::pair<double, double> size_of(Inputs in, int64_t b, int64_t k) const {
    if (kind_ == "nothing") return {0, 1};
    const int64_t length = in[0].shape()[1].size;
    const auto x = in[0].as<R>();
    double sum = 0, count = 0, squares = 0;
    const bool magnitude = kind_ == "magnitude";
    for (int64_t t = 0; t < length; ++t)
      if (seen(in, b, t, k))
        sum += magnitude ? std::abs(static_cast<double>(x(b, t, k))) : x(b, t, k), ++count;
    const double mean = sum / std::max(count, 1.0);
    if (magnitude) return {0, count > 0 ? std::max(mean, least_) : 1};
    if (kind_ == "mean") return {mean, 1};
    for (int64_t t = 0; t < length; ++t)
      if (seen(in, b, t, k)) squares += (x(b, t, k) - mean) * (x(b, t, k) - mean);
    return {mean, std::sqrt(squares / std::max(count, 1.0) + least_)};
  }

  std::pair<Expr, Expr> size_expr(Inputs in, int64_t b, int64_t k) const {
    if (kind_ == "nothing") return {Expr(0), Expr(1)};
    std::vector<Expr> values, squares;
    for (int64_t t = 0; t < in[0].shape()[1].size; ++t)
      if (seen(in, b, t, k)) values.push_back(cell(in, 0, {b, t, k}));
    const Expr count(static_cast<double>(std::max<size_t>(values.size(), 1)));
    if (kind_ == "magnitude") {
      if (values.empty()) return {Expr(0), Expr(1)};
      for (const Expr& value : values) squares.push_back(maximum({value, Expr(-1) * value}));
      return {Expr(0), maximum({Expr::sum(squares) / count, Expr(least_)})};
    }
    const Expr mean = Expr::sum(values) / count;
    if (kind_ == "mean") return {mean, Expr(1)};
    for (const Expr& value : values) squares.push_back((value - mean) * (value - mean));
    return {mean, sqrt(Expr::sum(squares) / count + Expr(least_))};
  }

  std::string kind_;
  double least_;
};

}  // namespace

Standardized standardize(const Scope& in, Stage x, Stage observed, const StandardizeOptions& o) {
  static const char* const k_by[] = {"deviation", "magnitude", "nothing", "mean"};
  const Stage y =
      in.graph->add(in, "standardize",
                    {{"by", std::string(k_by[static_cast<int>(o.by)])}, {"least", o.least}}, {x, observed});
  return {y, y.output("loc"), y.output("scale")};
}

void register_standardize(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::X, 5}, {Axis::K, 3}};
  const Example::Input series = {x, DType::f32, -3, 3, false}, observed = {x, DType::i64, 0, 2, false};
  all.add<Standardize>("standardize", {{{}, {series, observed}},
                                       {{{"by", std::string("magnitude")}}, {series, observed}},
                                       {{{"by", std::string("nothing")}}, {series, observed}},
                                       {{{"by", std::string("mean")}}, {series, observed}}});
}

}  // namespace limpid

// Forecast: what was predicted of a standardized series, at the series' own size.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// Inputs y [B K,O], and loc and scale [B,K] of standardize.
class Forecast final : public Operation {
 public:
  explicit Forecast(const Options&) {}
  std::string label() const override { return "Forecast"; }
  std::string equation() const override { return "y[o,k] = x[k,o] scale[k] + loc[k]"; }
  std::string caption() const override { return "Gives what was predicted the size of its channel."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_rank(in[0], 2, "what is predicted", "[B K,O]");
    require_rank(in[1], 2, "loc", "[B,K]");
    if (!fit(in[2], in[1])) fail_call("scale is ", in[2].text(), ", expected ", in[1].text());
    const int64_t rows = in[0][0].size, batch = in[1][0].size, channels = in[1][1].size;
    if (rows >= 0 && batch >= 0 && channels >= 0 && rows != batch * channels)
      fail_call("what is predicted is ", in[0].text(), ", expected a row for each of ", batch, " series of ",
                channels, " channels");
    return {{"", {in[1][0], in[0][1], in[1][1]}}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = out[0].shape();
      const auto x = in[0].as<R>(), loc = in[1].as<R>(), scale = in[2].as<R>();
      const auto y = out[0].as<R>();
      for (int64_t b = 0; b < shape[0].size; ++b)
        for (int64_t o = 0; o < shape[1].size; ++o)
          for (int64_t k = 0; k < shape[2].size; ++k)
            y(b, o, k) =
                static_cast<R>(static_cast<double>(x(b * shape[2].size + k, o)) * scale(b, k) + loc(b, k));
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("forecast_gradient", {}, {g.grad(), g.in(2)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t b = out.index[0], o = out.index[1], k = out.index[2], channels = in[1].shape()[1].size;
    return cell(in, 0, {b * channels + k, o}) * cell(in, 2, {b, k}) + cell(in, 1, {b, k});
  }
};

// Inputs dy [B,O,K] and scale [B,K] -> dx [B K,O].
class ForecastGradient final : public Operation {
 public:
  explicit ForecastGradient(const Options&) {}
  std::string label() const override { return "Forecast Gradient"; }
  std::string equation() const override { return "dx[k,o] = dy[o,k] scale[k]"; }
  std::string caption() const override { return "A channel's gradient is scaled as its forecast was."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_rank(in[0], 3, "the gradient", "[B,O,K]");
    if (!fit(in[1], {in[0][0], in[0][2]}))
      fail_call("scale is ", in[1].text(), ", expected [B,K] of ", in[0].text());
    const int64_t batch = in[0][0].size, channels = in[0][2].size;
    const int64_t rows = batch < 0 || channels < 0 ? k_symbolic : batch * channels;
    return {{"", {{in[0][0].axis, rows}, in[0][1]}}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = in[0].shape();
      const auto dy = in[0].as<R>(), scale = in[1].as<R>();
      const auto dx = out[0].as<R>();
      for (int64_t b = 0; b < shape[0].size; ++b)
        for (int64_t k = 0; k < shape[2].size; ++k)
          for (int64_t o = 0; o < shape[1].size; ++o)
            dx(b * shape[2].size + k, o) = dy(b, o, k) * scale(b, k);
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t channels = in[1].shape()[1].size, b = out.index[0] / channels, k = out.index[0] % channels;
    return cell(in, 0, {b, out.index[1], k}) * cell(in, 1, {b, k});
  }
};

}  // namespace

Stage forecast(const Scope& in, Stage x, Stage loc, Stage scale) {
  return in.graph->add(in, "forecast", {}, {x, loc, scale});
}

void register_forecast(Registry& all) {
  const Shape rows = {{Axis::B, 6}, {Axis::V, 4}}, ahead = {{Axis::B, 2}, {Axis::V, 4}, {Axis::K, 3}};
  const Example::Input size = {{{Axis::B, 2}, {Axis::K, 3}}, DType::f32, 0.5, 2, false};
  all.add<Forecast>("forecast", {{{}, {{rows}, size, size}}});
  all.add<ForecastGradient>("forecast_gradient", {{{}, {{ahead}, size}}});
}

}  // namespace limpid

// RMS norm (Zhang, Sennrich 2019): every row is divided by its root mean square, then a learned gain w.
#include <vector>

#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

class RmsNormBase : public Operation {
 public:
  explicit RmsNormBase(const Options& options)
      : gain_(options.flag("gain")), epsilon_(options.real("epsilon", 1e-5)) {}

 protected:
  void require_gain(const Shape& w, const Shape& x) const {
    const Shape expected = x.part(x.rank() - 1, 1);
    if (!fit(w, expected)) fail_call("w is ", w.text(), ", expected ", expected.text());
  }

  bool gain_;
  double epsilon_;
};

// Inputs x, and w if "gain".
class RmsNorm final : public RmsNormBase {
 public:
  using RmsNormBase::RmsNormBase;
  std::string label() const override { return "RMS Norm"; }
  std::string equation() const override {
    return join("y = x / sqrt(mean(x^2) + epsilon)", gain_ ? " w" : "");
  }
  std::string caption() const override { return "Brings the numbers of every row to about the same size."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    const size_t count = size_t{1} + gain_;
    require_inputs(in, count, count);
    const Shape& x = in[0];
    if (x.rank() < 1) fail_call("x is ", x.text(), ", expected at least one axis");
    if (gain_) require_gain(in[1], x);
    return {{"normalized", x}, {"scale", x.part(0, x.rank() - 1)}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = in[0].shape();
      const int64_t rows = product(shape, 0, shape.rank() - 1), width = shape[shape.rank() - 1].size;
      const R* w = gain_ ? in[1].data<R>() : nullptr;
      for (int64_t r = 0; r < rows; ++r) {
        const R* x = in[0].data<R>() + r * width;
        R* y = out[0].data<R>() + r * width;
        double squares = 0;
        for (int64_t i = 0; i < width; ++i) squares += static_cast<double>(x[i]) * x[i];
        const double scale = std::sqrt(squares / static_cast<double>(width) + epsilon_);
        for (int64_t i = 0; i < width; ++i) y[i] = static_cast<R>(w ? x[i] / scale * w[i] : x[i] / scale);
        out[1].data<R>()[r] = static_cast<R>(scale);
      }
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.grad(1)) fail_call("the gradient of 'scale' by itself is not known");
    std::vector<Stage> inputs = {g.grad(), g.in(0), g.out(1)};
    if (gain_) inputs.push_back(g.in(1));
    const Stage dx = g.apply("rms_norm_gradient", options(), inputs);
    if (g.wants(0)) g.give(0, dx);
    if (gain_ && g.wants(1)) g.give(1, dx.output("dw"));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int last = in[0].shape().rank() - 1;
    const int64_t width = in[0].shape()[last].size;
    const Index row = part(out.index, 0, last);
    std::vector<Expr> squares;
    for (int64_t i = 0; i < width; ++i) {
      const Expr x = cell(in, 0, inserted(row, last, i));
      squares.push_back(x * x);
    }
    const Expr scale = sqrt(Expr::sum(squares) / Expr(static_cast<double>(width)) + Expr(epsilon_));
    if (out.output == 1) return scale;
    const Expr y = cell(in, 0, out.index) / scale;
    return gain_ ? y * cell(in, 1, {out.index.back()}) : y;
  }
};

// With n = x / scale and g = dy w:  dx = (g - n mean(g n)) / scale, dw = sum dy n.
// Inputs dy, x, scale, and w if "gain".  Outputs dx, and dw if "gain"; the sum runs in row order.
class RmsNormGradient final : public RmsNormBase {
 public:
  using RmsNormBase::RmsNormBase;
  std::string label() const override { return "RMS Norm Gradient"; }
  std::string equation() const override { return "dx = (g - n mean(g n)) / scale, n = x / scale, g = dy w"; }
  std::string caption() const override {
    return "Only a change that keeps a row's size gets through the norm, so the rest is taken out.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    const size_t count = size_t{3} + gain_;
    require_inputs(in, count, count);
    const Shape& x = in[1];
    if (x.rank() < 1 || !fit(in[0], x)) fail_call("the gradient is ", in[0].text(), ", expected ", x.text());
    if (!fit(in[2], x.part(0, x.rank() - 1)))
      fail_call("scale is ", in[2].text(), ", expected ", x.part(0, x.rank() - 1).text());
    if (gain_) require_gain(in[3], x);
    std::vector<Output> out = {{"dx", x}};
    if (gain_) out.push_back({"dw", in[3]});
    return out;
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = in[1].shape();
      const int64_t rows = product(shape, 0, shape.rank() - 1), width = shape[shape.rank() - 1].size;
      const R* w = gain_ ? in[3].data<R>() : nullptr;
      R* dw = gain_ ? out[1].data<R>() : nullptr;
      std::vector<double> dw_sums(dw ? static_cast<size_t>(width) : 0);
      for (int64_t r = 0; r < rows; ++r) {
        const R *dy = in[0].data<R>() + r * width, *x = in[1].data<R>() + r * width;
        R* dx = out[0].data<R>() + r * width;
        const double scale = in[2].data<R>()[r];
        double along_n = 0;
        for (int64_t i = 0; i < width; ++i) {
          const double n = x[i] / scale;
          along_n += dy[i] * (w ? w[i] : 1.0) * n;
          if (dw) dw_sums[static_cast<size_t>(i)] += dy[i] * n;
        }
        const double mean_gn = along_n / static_cast<double>(width);
        for (int64_t i = 0; i < width; ++i) {
          const double n = x[i] / scale, g = dy[i] * (w ? w[i] : 1.0);
          dx[i] = static_cast<R>((g - n * mean_gn) / scale);
        }
      }
      for (int64_t i = 0; dw && i < width; ++i) dw[i] = static_cast<R>(dw_sums[static_cast<size_t>(i)]);
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Shape& shape = in[1].shape();
    const int last = shape.rank() - 1;
    std::vector<Expr> terms;
    if (out.output == 1) {
      const Shape rows = shape.part(0, last);
      for (int64_t r = 0; r < rows.count(); ++r) {
        const Index row = unflatten(rows, r);
        terms.push_back(cell(in, 0, inserted(row, last, out.index[0])) * normalized(in, row, out.index[0]));
      }
      return Expr::sum(terms);
    }
    const Index row = part(out.index, 0, last);
    const int64_t width = shape[last].size, i = out.index.back();
    for (int64_t j = 0; j < width; ++j) terms.push_back(weighted(in, row, j) * normalized(in, row, j));
    const Expr mean_gn = Expr::sum(terms) / Expr(static_cast<double>(width));
    return (weighted(in, row, i) - normalized(in, row, i) * mean_gn) / cell(in, 2, row);
  }

 private:
  Expr normalized(Inputs in, const Index& row, int64_t i) const {
    return cell(in, 1, inserted(row, static_cast<int>(row.size()), i)) / cell(in, 2, row);
  }
  Expr weighted(Inputs in, const Index& row, int64_t i) const {
    const Expr dy = cell(in, 0, inserted(row, static_cast<int>(row.size()), i));
    return gain_ ? dy * cell(in, 3, {i}) : dy;
  }
};

}  // namespace

Stage rms_norm(const Scope& in, Stage x, Stage w, double epsilon) {
  Options options = {{"epsilon", epsilon}};
  if (w) options.set("gain", true);
  return in.graph->add(in, "rms_norm", options, w ? std::vector<Stage>{x, w} : std::vector<Stage>{x});
}

void register_rms_norm(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 5}}, w = {{Axis::C, 5}},
              rows = {{Axis::B, 2}, {Axis::T, 3}};
  const Options gain = {{"gain", true}, {"epsilon", 1e-5}};
  const Example::Input scale = {rows, DType::f32, 0.5, 1};
  all.add<RmsNorm>(
      "rms_norm",
      {{gain, {{x}, {w}}}, {{{"gain", true}, {"epsilon", 0.1}}, {{w}, {w}}}, {{}, {{x, DType::f32, -9, 9}}}});
  all.add<RmsNormGradient>("rms_norm_gradient", {{gain, {{x}, {x}, scale, {w}}}, {{}, {{x}, {x}, scale}}});
}

}  // namespace limpid

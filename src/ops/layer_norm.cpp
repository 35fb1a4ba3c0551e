// Layer norm (Ba, Kiros, Hinton 2016): every row gets mean 0 and spread 1, then a learned gain w and bias b.
#include <vector>

#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

class LayerNormBase : public Operation {
 public:
  explicit LayerNormBase(const Options& options)
      : gain_(options.flag("gain")), bias_(options.flag("bias")), epsilon_(options.real("epsilon", 1e-5)) {}

 protected:
  void require_row(const Shape& given, const Shape& x, const char* what) const {
    const Shape expected = x.part(x.rank() - 1, 1);
    if (!fit(given, expected)) fail_call(what, " is ", given.text(), ", expected ", expected.text());
  }

  bool gain_, bias_;
  double epsilon_;
};

template <class R>
double mean_of(const R* row, int64_t width) {
  double sum = 0;
  for (int64_t i = 0; i < width; ++i) sum += row[i];
  return sum / static_cast<double>(width);
}

// The mean of a row of an input as arithmetic.
Expr mean_of(Inputs in, int input, const Index& row) {
  const int last = static_cast<int>(row.size());
  const int64_t width = in[static_cast<size_t>(input)].shape()[last].size;
  std::vector<Expr> terms;
  for (int64_t i = 0; i < width; ++i) terms.push_back(cell(in, input, inserted(row, last, i)));
  return Expr::sum(terms) / Expr(static_cast<double>(width));
}

// Inputs x, w if "gain", b if "bias".
class LayerNorm final : public LayerNormBase {
 public:
  using LayerNormBase::LayerNormBase;
  std::string label() const override { return "Layer Norm"; }
  std::string equation() const override {
    return join("y = (x - mean(x)) / sqrt(var(x) + epsilon)", gain_ ? " w" : "", bias_ ? " + b" : "");
  }
  std::string caption() const override {
    return "Brings every row to mean 0 and spread 1, so that no row shouts.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    const size_t count = size_t{1} + gain_ + bias_;
    require_inputs(in, count, count);
    const Shape& x = in[0];
    if (x.rank() < 1) fail_call("x is ", x.text(), ", expected at least one axis");
    if (gain_) require_row(in[1], x, "w");
    if (bias_) require_row(in[count - 1], x, "b");
    return {{"normalized", x}, {"scale", x.part(0, x.rank() - 1)}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = in[0].shape();
      const int64_t rows = product(shape, 0, shape.rank() - 1), width = shape[shape.rank() - 1].size;
      const R* w = gain_ ? in[1].data<R>() : nullptr;
      const R* b = bias_ ? in.back().data<R>() : nullptr;
      for (int64_t r = 0; r < rows; ++r) {
        const R* x = in[0].data<R>() + r * width;
        R* y = out[0].data<R>() + r * width;
        const double mean = mean_of(x, width);
        double squares = 0;
        for (int64_t i = 0; i < width; ++i) squares += (x[i] - mean) * (x[i] - mean);
        const double scale = std::sqrt(squares / static_cast<double>(width) + epsilon_);
        for (int64_t i = 0; i < width; ++i) {
          const double n = (x[i] - mean) / scale;
          y[i] = static_cast<R>(n * (w ? w[i] : 1.0) + (b ? b[i] : 0.0));
        }
        out[1].data<R>()[r] = static_cast<R>(scale);
      }
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.grad(1)) fail_call("the gradient of 'scale' by itself is not known");
    std::vector<Stage> inputs = {g.grad(), g.in(0), g.out(1)};
    if (gain_) inputs.push_back(g.in(1));
    const Stage dx = g.apply("layer_norm_gradient", options(), inputs);
    const int b = g.inputs() - 1;
    if (g.wants(0)) g.give(0, dx);
    if (gain_ && g.wants(1)) g.give(1, dx.output("dw"));
    if (bias_ && g.wants(b)) g.give(b, dx.output("db"));
  }

  // The spread takes the mean as a number already known: written out, it would repeat the row for every
  // element.
  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int last = in[0].shape().rank() - 1;
    const int64_t width = in[0].shape()[last].size;
    const Index row = part(out.index, 0, last);
    const Expr mean = mean_of(in, 0, row);
    const Expr known(mean.value());
    std::vector<Expr> squares;
    for (int64_t i = 0; i < width; ++i) {
      const Expr apart = cell(in, 0, inserted(row, last, i)) - known;
      squares.push_back(apart * apart);
    }
    const Expr scale = sqrt(Expr::sum(squares) / Expr(static_cast<double>(width)) + Expr(epsilon_));
    if (out.output == 1) return scale;
    Expr y = (cell(in, 0, out.index) - mean) / scale;
    if (gain_) y = y * cell(in, 1, {out.index.back()});
    if (bias_) y = y + cell(in, static_cast<int>(in.size()) - 1, {out.index.back()});
    return y;
  }
};

// With n = (x - mean) / scale and g = dy w:  dx = (g - mean(g) - n mean(g n)) / scale, dw = sum dy n, db =
// sum dy. Inputs dy, x, scale, and w if "gain".  Outputs dx, dw if "gain", db if "bias"; sums run in row
// order.
class LayerNormGradient final : public LayerNormBase {
 public:
  using LayerNormBase::LayerNormBase;
  std::string label() const override { return "Layer Norm Gradient"; }
  std::string equation() const override {
    return "dx = (g - mean(g) - n mean(g n)) / scale, n = (x - mean(x)) / scale, g = dy w";
  }
  std::string caption() const override {
    return "Only a change that keeps a row's mean and spread gets through the norm, so the rest is taken "
           "out.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    const size_t count = size_t{3} + gain_;
    require_inputs(in, count, count);
    const Shape& x = in[1];
    if (x.rank() < 1 || !fit(in[0], x)) fail_call("the gradient is ", in[0].text(), ", expected ", x.text());
    if (!fit(in[2], x.part(0, x.rank() - 1)))
      fail_call("scale is ", in[2].text(), ", expected ", x.part(0, x.rank() - 1).text());
    if (gain_) require_row(in[3], x, "w");
    std::vector<Output> out = {{"dx", x}};
    if (gain_) out.push_back({"dw", in[3]});
    if (bias_) out.push_back({"db", x.part(x.rank() - 1, 1)});
    return out;
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = in[1].shape();
      const int64_t rows = product(shape, 0, shape.rank() - 1), width = shape[shape.rank() - 1].size;
      const R* w = gain_ ? in[3].data<R>() : nullptr;
      R* dw = gain_ ? out[1].data<R>() : nullptr;
      R* db = bias_ ? out.back().data<R>() : nullptr;
      std::vector<double> dw_sums(static_cast<size_t>(width)), db_sums = dw_sums;
      for (int64_t r = 0; r < rows; ++r) {
        const R *dy = in[0].data<R>() + r * width, *x = in[1].data<R>() + r * width;
        R* dx = out[0].data<R>() + r * width;
        const double mean = mean_of(x, width), scale = in[2].data<R>()[r];
        double sum = 0, along_n = 0;
        for (int64_t i = 0; i < width; ++i) {
          const double n = (x[i] - mean) / scale, g = dy[i] * (w ? w[i] : 1.0);
          sum += g;
          along_n += g * n;
          if (dw) dw_sums[static_cast<size_t>(i)] += dy[i] * n;
          if (db) db_sums[static_cast<size_t>(i)] += dy[i];
        }
        const double mean_g = sum / static_cast<double>(width),
                     mean_gn = along_n / static_cast<double>(width);
        for (int64_t i = 0; i < width; ++i) {
          const double n = (x[i] - mean) / scale, g = dy[i] * (w ? w[i] : 1.0);
          dx[i] = static_cast<R>((g - mean_g - n * mean_gn) / scale);
        }
      }
      for (int64_t i = 0; i < width; ++i) {
        if (dw) dw[i] = static_cast<R>(dw_sums[static_cast<size_t>(i)]);
        if (db) db[i] = static_cast<R>(db_sums[static_cast<size_t>(i)]);
      }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    if (out.output == 0) return explain_dx(in, out.index);
    const bool is_dw = gain_ && out.output == 1;
    const Shape& shape = in[1].shape();
    const int last = shape.rank() - 1;
    const Shape rows = shape.part(0, last);
    const int64_t i = out.index[0];
    std::vector<Expr> terms;
    for (int64_t r = 0; r < rows.count(); ++r) {
      const Index row = unflatten(rows, r);
      const Expr dy = cell(in, 0, inserted(row, last, i));
      terms.push_back(is_dw ? dy * normalized(in, row, i, mean_of(in, 1, row).value()) : dy);
    }
    return Expr::sum(terms);
  }

 private:
  // n[i], with the mean as a number already known.
  static Expr normalized(Inputs in, const Index& row, int64_t i, double mean) {
    return (cell(in, 1, inserted(row, static_cast<int>(row.size()), i)) - Expr(mean)) / cell(in, 2, row);
  }
  Expr weighted(Inputs in, const Index& row, int64_t i) const {
    const Expr dy = cell(in, 0, inserted(row, static_cast<int>(row.size()), i));
    return gain_ ? dy * cell(in, 3, {i}) : dy;
  }
  Expr explain_dx(Inputs in, const Index& index) const {
    const int last = in[1].shape().rank() - 1;
    const int64_t width = in[1].shape()[last].size, i = index.back();
    const Index row = part(index, 0, last);
    const double mean = mean_of(in, 1, row).value();
    std::vector<Expr> g, gn;
    for (int64_t j = 0; j < width; ++j) {
      g.push_back(weighted(in, row, j));
      gn.push_back(weighted(in, row, j) * normalized(in, row, j, mean));
    }
    const Expr count(static_cast<double>(width));
    return (weighted(in, row, i) - Expr::sum(g) / count -
            normalized(in, row, i, mean) * (Expr::sum(gn) / count)) /
           cell(in, 2, row);
  }
};

}  // namespace

Stage layer_norm(const Scope& in, Stage x, Stage w, Stage b, double epsilon) {
  Options options = {{"epsilon", epsilon}};
  std::vector<Stage> inputs = {x};
  if (w) {
    options.set("gain", true);
    inputs.push_back(w);
  }
  if (b) {
    options.set("bias", true);
    inputs.push_back(b);
  }
  return in.graph->add(in, "layer_norm", options, inputs);
}

void register_layer_norm(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 5}}, w = {{Axis::C, 5}},
              rows = {{Axis::B, 2}, {Axis::T, 3}};
  const Options both = {{"gain", true}, {"bias", true}, {"epsilon", 1e-5}};
  const Example::Input scale = {rows, DType::f32, 0.5, 1};
  all.add<LayerNorm>("layer_norm", {{both, {{x}, {w}, {w}}},
                                    {{{"gain", true}, {"epsilon", 0.1}}, {{x}, {w}}},
                                    {{{"bias", true}}, {{x}, {w}}},
                                    {{}, {{x, DType::f32, -9, 9}}},
                                    {both, {{w}, {w}, {w}}}});
  all.add<LayerNormGradient>("layer_norm_gradient", {{both, {{x}, {x}, scale, {w}}},
                                                     {{{"gain", true}}, {{x}, {x}, scale, {w}}},
                                                     {{{"bias", true}}, {{x}, {x}, scale}},
                                                     {{}, {{x}, {x}, scale}}});
}

}  // namespace limpid

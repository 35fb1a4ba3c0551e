// Batch norm (Ioffe, Szegedy 2015) as it runs after training: each feature less its running mean, over its
// running deviation, then a learned gain and bias.  The statistics are kept as they were learned: no gradient
// goes there.
#include <vector>

#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

class BatchNormBase : public Operation {
 public:
  explicit BatchNormBase(const Options& options) : epsilon_(options.real("epsilon", 1e-5)) {}

 protected:
  static void require_features(const Shape& vector, const Shape& x, const char* what) {
    const Shape expected = x.part(x.rank() - 1, 1);
    if (!fit(vector, expected)) fail_call(what, " is ", vector.text(), ", expected ", expected.text());
  }
  static Index feature(const Cell& out) { return {out.index.back()}; }

  double epsilon_;
};

// Inputs x, gain w, bias b, running mean, running variance.
class BatchNorm final : public BatchNormBase {
 public:
  using BatchNormBase::BatchNormBase;
  std::string label() const override { return "Batch Norm"; }
  std::string equation() const override {
    return "y = (x - mean) / sqrt(variance + epsilon) w + b, mean and variance learned";
  }
  std::string caption() const override {
    return "Brings each feature to about the same size, by its mean and spread over what was learned from.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 5, 5);
    if (in[0].rank() < 1) fail_call("x is ", in[0].text(), ", expected at least one axis");
    static const char* const k_names[] = {"", "w", "b", "the mean", "the variance"};
    for (size_t i = 1; i < 5; ++i) require_features(in[i], in[0], k_names[i]);
    return {{"normalized", in[0]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = in[0].shape();
      const int64_t rows = product(shape, 0, shape.rank() - 1), width = shape[shape.rank() - 1].size;
      const R *w = in[1].data<R>(), *b = in[2].data<R>(), *mean = in[3].data<R>(),
              *variance = in[4].data<R>();
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t i = 0; i < width; ++i) {
          const double x = in[0].data<R>()[r * width + i];
          out[0].data<R>()[r * width + i] = static_cast<R>(
              (x - mean[i]) / std::sqrt(static_cast<double>(variance[i]) + epsilon_) * w[i] + b[i]);
        }
    });
  }

  void gradient(GradientContext& g) const override {
    const Stage dx =
        g.apply("batch_norm_gradient", options(), {g.grad(), g.in(0), g.in(1), g.in(3), g.in(4)});
    if (g.wants(0)) g.give(0, dx);
    if (g.wants(1)) g.give(1, dx.output("dw"));
    if (g.wants(2)) g.give(2, dx.output("db"));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Index i = feature(out);
    const Expr spread = sqrt(cell(in, 4, i) + Expr(epsilon_));
    return (cell(in, 0, out.index) - cell(in, 3, i)) / spread * cell(in, 1, i) + cell(in, 2, i);
  }
};

// Inputs dy, x, w, mean, variance.  Outputs dx = dy w / s, dw = sum dy (x - mean) / s, db = sum dy, with
// s = sqrt(variance + epsilon); sums run in row order.
class BatchNormGradient final : public BatchNormBase {
 public:
  using BatchNormBase::BatchNormBase;
  std::string label() const override { return "Batch Norm Gradient"; }
  std::string equation() const override { return "dx = dy w / sqrt(variance + epsilon)"; }
  std::string caption() const override { return "Each feature's gradient is scaled as the feature was."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 5, 5);
    if (in[1].rank() < 1 || !fit(in[0], in[1]))
      fail_call("the gradient is ", in[0].text(), ", expected ", in[1].text());
    static const char* const k_names[] = {"", "", "w", "the mean", "the variance"};
    for (size_t i = 2; i < 5; ++i) require_features(in[i], in[1], k_names[i]);
    return {{"dx", in[1]}, {"dw", in[2]}, {"db", in[2]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = in[1].shape();
      const int64_t rows = product(shape, 0, shape.rank() - 1), width = shape[shape.rank() - 1].size;
      for (int64_t i = 0; i < width; ++i) {
        const double s = std::sqrt(static_cast<double>(in[4].data<R>()[i]) + epsilon_),
                     mean = in[3].data<R>()[i];
        double dw = 0, db = 0;
        for (int64_t r = 0; r < rows; ++r) {
          const double dy = in[0].data<R>()[r * width + i];
          out[0].data<R>()[r * width + i] = static_cast<R>(dy * in[2].data<R>()[i] / s);
          dw += dy * (in[1].data<R>()[r * width + i] - mean) / s;
          db += dy;
        }
        out[1].data<R>()[i] = static_cast<R>(dw);
        out[2].data<R>()[i] = static_cast<R>(db);
      }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Index i = feature(out);
    const Expr spread = sqrt(cell(in, 4, i) + Expr(epsilon_));
    if (out.output == 0) return cell(in, 0, out.index) * cell(in, 2, i) / spread;
    const int last = in[1].shape().rank() - 1;
    const Shape rows = in[1].shape().part(0, last);
    std::vector<Expr> terms;
    for (int64_t r = 0; r < rows.count(); ++r) {
      const Index at = inserted(unflatten(rows, r), last, i[0]);
      const Expr dy = cell(in, 0, at);
      terms.push_back(out.output == 2 ? dy : dy * (cell(in, 1, at) - cell(in, 3, i)) / spread);
    }
    return Expr::sum(terms);
  }
};

}  // namespace

Stage batch_norm(const Scope& in, Stage x, Stage w, Stage b, Stage mean, Stage variance, double epsilon) {
  return in.graph->add(in, "batch_norm", {{"epsilon", epsilon}}, {x, w, b, mean, variance});
}

void register_batch_norm(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 5}}, w = {{Axis::C, 5}};
  const Example::Input mean = {w, DType::f32, -1, 1, false}, variance = {w, DType::f32, 0.2, 2, false};
  all.add<BatchNorm>("batch_norm", {{{}, {{x}, {w}, {w}, mean, variance}},
                                    {{{"epsilon", 0.1}}, {{w}, {w}, {w}, mean, variance}}});
  all.add<BatchNormGradient>("batch_norm_gradient", {{{}, {{x}, {x}, {w}, mean, variance}}});
}

}  // namespace limpid

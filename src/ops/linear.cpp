// Linear: y = x W + b, the network's only way to mix the numbers of a row.  Rows are vectors; W may have
// several axes in and out (W_Q is [C,H,D]), which are read as one.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// x is [rows, in]; w is [in, out], or [out, in] when transposed; y is [rows, out].
struct Sizes {
  int64_t rows = 1, in = 1, out = 1;
};

class LinearBase : public Operation {
 public:
  explicit LinearBase(const Options& options)
      : in_axes_(static_cast<int>(options.integer("in_axes", 1))),
        transposed_(options.flag("transposed")),
        keys_(options.flag("keys")) {}

 protected:
  Shape in_axes(const Shape& w) const {
    return transposed_ ? w.part(out_rank(w), in_axes_) : w.part(0, in_axes_);
  }
  Shape out_axes(const Shape& w) const {
    return transposed_ ? w.part(0, out_rank(w)) : w.part(in_axes_, out_rank(w));
  }
  int out_rank(const Shape& w) const { return w.rank() - in_axes_; }

  void require_weight(const Shape& w) const {
    if (in_axes_ < 1 || in_axes_ > w.rank())
      fail_call("w is ", w.text(), ", expected at least ", in_axes_, " axes");
  }
  Sizes sizes(const Shape& x, const Shape& w) const {
    return {product(x, 0, x.rank() - 1), in_axes(w).count(), out_axes(w).count()};
  }
  int64_t weight_at(const Sizes& n, int64_t k, int64_t j) const {
    return transposed_ ? j * n.in + k : k * n.out + j;
  }
  // The index into w for input number k and output axes `out`.
  Index weight_index(const Shape& w, int64_t k, const Index& out) const {
    const Index in = unflatten(in_axes(w), k);
    return transposed_ ? joined(out, in) : joined(in, out);
  }

  int in_axes_;
  bool transposed_, keys_;
};

class Linear final : public LinearBase {
 public:
  using LinearBase::LinearBase;
  std::string label() const override { return "Linear Transform"; }
  std::string equation() const override { return transposed_ ? "y = x W^T + b" : "y = x W + b"; }
  std::string caption() const override { return "Each new number is a weighted sum of the row's numbers."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 3);
    const Shape &x = in[0], &w = in[1];
    require_weight(w);
    if (x.rank() < 1) fail_call("x is ", x.text(), ", expected at least one axis");
    if (x[x.rank() - 1].size != in_axes(w).count())
      fail_call("x is ", x.text(), ", w is ", w.text(), ": x's last size must be ", in_axes(w).count());
    Shape y = x.part(0, x.rank() - 1);
    if (keys_)
      if (const int t = y.find(Axis::T); t >= 0) y[t].axis = Axis::S;
    for (const Dim& dim : out_axes(w)) y.append(dim);
    if (in.size() == 3 && !in[2].same_sizes(out_axes(w)))
      fail_call("b is ", in[2].text(), ", expected ", out_axes(w).text());
    return {{"", y}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Sizes n = sizes(in[0].shape(), in[1].shape());
      const R *x = in[0].data<R>(), *w = in[1].data<R>();
      const R* b = in.size() == 3 ? in[2].data<R>() : nullptr;
      R* y = out[0].data<R>();
      for (int64_t r = 0; r < n.rows; ++r)
        for (int64_t j = 0; j < n.out; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < n.in; ++k)
            sum += static_cast<double>(x[r * n.in + k]) * w[weight_at(n, k, j)];
          y[r * n.out + j] = static_cast<R>(b ? sum + b[j] : sum);
        }
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("linear_input_gradient", options(), {g.grad(), g.in(1), g.in(0)}));
    if (g.wants(1)) g.give(1, g.apply("linear_weight_gradient", options(), {g.in(0), g.grad(), g.in(1)}));
    if (g.inputs() == 3 && g.wants(2)) g.give(2, g.apply("linear_bias_gradient", {}, {g.grad(), g.in(2)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Shape &x = in[0].shape(), &w = in[1].shape();
    const Index row = part(out.index, 0, x.rank() - 1);
    const Index column = part(out.index, x.rank() - 1, out_rank(w));
    std::vector<Expr> terms;
    for (int64_t k = 0; k < x[x.rank() - 1].size; ++k)
      terms.push_back(cell(in, 0, inserted(row, x.rank() - 1, k)) * cell(in, 1, weight_index(w, k, column)));
    if (in.size() == 3) terms.push_back(cell(in, 2, column));
    return Expr::sum(terms);
  }
};

// dx = dy W^T.  Inputs dy, w, and x for its shape.
class LinearInputGradient final : public LinearBase {
 public:
  using LinearBase::LinearBase;
  std::string label() const override { return "Linear Gradient (x)"; }
  std::string equation() const override { return transposed_ ? "dx = dy W" : "dx = dy W^T"; }
  std::string caption() const override {
    return "Sends each output's gradient back along the weights it came by.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_weight(in[1]);
    return {{"", in[2]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Sizes n = sizes(in[2].shape(), in[1].shape());
      const R *dy = in[0].data<R>(), *w = in[1].data<R>();
      R* dx = out[0].data<R>();
      for (int64_t r = 0; r < n.rows; ++r)
        for (int64_t k = 0; k < n.in; ++k) {
          double sum = 0;
          for (int64_t j = 0; j < n.out; ++j)
            sum += static_cast<double>(dy[r * n.out + j]) * w[weight_at(n, k, j)];
          dx[r * n.in + k] = static_cast<R>(sum);
        }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Shape &x = in[2].shape(), &w = in[1].shape();
    const Index row = part(out.index, 0, x.rank() - 1);
    const Shape columns = out_axes(w);
    std::vector<Expr> terms;
    for (int64_t j = 0; j < columns.count(); ++j) {
      const Index column = unflatten(columns, j);
      terms.push_back(cell(in, 0, joined(row, column)) *
                      cell(in, 1, weight_index(w, out.index.back(), column)));
    }
    return Expr::sum(terms);
  }
};

// dW = x^T dy, summed over every row.  Inputs x, dy, and w for its shape.
class LinearWeightGradient final : public LinearBase {
 public:
  using LinearBase::LinearBase;
  std::string label() const override { return "Linear Gradient (W)"; }
  std::string equation() const override { return "dW = sum over rows of x^T dy"; }
  std::string caption() const override {
    return "A weight's gradient: what came in times what should have come out, over all rows.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 3, 3);
    require_weight(in[2]);
    return {{"", in[2]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Sizes n = sizes(in[0].shape(), in[2].shape());
      const R *x = in[0].data<R>(), *dy = in[1].data<R>();
      R* dw = out[0].data<R>();
      for (int64_t k = 0; k < n.in; ++k)
        for (int64_t j = 0; j < n.out; ++j) {
          double sum = 0;
          for (int64_t r = 0; r < n.rows; ++r)
            sum += static_cast<double>(x[r * n.in + k]) * dy[r * n.out + j];
          dw[weight_at(n, k, j)] = static_cast<R>(sum);
        }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Shape &x = in[0].shape(), &w = in[2].shape();
    const Index in_index =
        transposed_ ? part(out.index, out_rank(w), in_axes_) : part(out.index, 0, in_axes_);
    const Index column =
        transposed_ ? part(out.index, 0, out_rank(w)) : part(out.index, in_axes_, out_rank(w));
    const int64_t k = flatten(in_axes(w), in_index);
    const Shape rows = x.part(0, x.rank() - 1);
    std::vector<Expr> terms;
    for (int64_t r = 0; r < rows.count(); ++r) {
      const Index row = unflatten(rows, r);
      terms.push_back(cell(in, 0, inserted(row, rows.rank(), k)) * cell(in, 1, joined(row, column)));
    }
    return Expr::sum(terms);
  }
};

// db = the sum of dy over every row.  Inputs dy, and b for its shape.
class LinearBiasGradient final : public Operation {
 public:
  explicit LinearBiasGradient(const Options&) {}
  std::string label() const override { return "Linear Gradient (b)"; }
  std::string equation() const override { return "db = sum over rows of dy"; }
  std::string caption() const override {
    return "A bias adds to every row, so its gradient is the sum over rows.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    return {{"", in[1]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t width = in[1].shape().count(), rows = width ? in[0].shape().count() / width : 0;
      const R* dy = in[0].data<R>();
      R* db = out[0].data<R>();
      for (int64_t j = 0; j < width; ++j) {
        double sum = 0;
        for (int64_t r = 0; r < rows; ++r) sum += dy[r * width + j];
        db[j] = static_cast<R>(sum);
      }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Shape rows = in[0].shape().part(0, in[0].shape().rank() - in[1].shape().rank());
    std::vector<Expr> terms;
    for (int64_t r = 0; r < rows.count(); ++r)
      terms.push_back(cell(in, 0, joined(unflatten(rows, r), out.index)));
    return Expr::sum(terms);
  }
};

}  // namespace

Stage linear(const Scope& in, Stage x, Stage w, Stage b, const LinearOptions& o) {
  Options options;
  if (o.in_axes != 1) options.set("in_axes", int64_t{o.in_axes});
  if (o.transposed) options.set("transposed", true);
  if (o.keys) options.set("keys", true);
  return in.graph->add(in, "linear", options, b ? std::vector<Stage>{x, w, b} : std::vector<Stage>{x, w});
}

void register_linear(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 4}}, w = {{Axis::C, 4}, {Axis::H, 2}, {Axis::D, 3}};
  const Shape b = {{Axis::H, 2}, {Axis::D, 3}}, y = {{Axis::B, 2}, {Axis::T, 3}, {Axis::H, 2}, {Axis::D, 3}};
  const Shape joined_heads = {{Axis::H, 2}, {Axis::D, 2}, {Axis::C, 5}},
              vocabulary = {{Axis::V, 6}, {Axis::C, 4}};
  const Shape dx = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 4}},
              logits = {{Axis::B, 2}, {Axis::T, 3}, {Axis::V, 6}};
  all.add<Linear>("linear", {{{}, {{x}, {w}, {b}}},
                             {{{"keys", true}}, {{x}, {w}}},
                             {{{"in_axes", int64_t{2}}}, {{x}, {joined_heads}}},
                             {{{"transposed", true}}, {{x}, {vocabulary}}}});
  all.add<LinearInputGradient>(
      "linear_input_gradient",
      {{{}, {{y}, {w}, {dx}}}, {{{"transposed", true}}, {{logits}, {vocabulary}, {dx}}}});
  all.add<LinearWeightGradient>(
      "linear_weight_gradient",
      {{{}, {{x}, {y}, {w}}}, {{{"transposed", true}}, {{x}, {logits}, {vocabulary}}}});
  all.add<LinearBiasGradient>("linear_bias_gradient", {{{}, {{y}, {b}}}});
}

}  // namespace limpid

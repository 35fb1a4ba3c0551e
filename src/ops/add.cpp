// Add: element by element.  The residual connection; also a bias or a position that is the same for the whole
// batch, when b lacks a's leading axes.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

class Add final : public Operation {
 public:
  explicit Add(const Options&) {}

  std::string label() const override { return "Add"; }
  std::string equation() const override { return "y = a + b"; }
  std::string caption() const override {
    return "Adds two arrays number by number, so that neither is lost.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    const Shape &a = in[0], &b = in[1];
    const int missing = a.rank() - b.rank();
    if (missing < 0 || !fit(a.part(missing, b.rank()), b))
      fail_call("b is ", b.text(), ", expected ", a.text(), " or its last axes");
    return {{"", a}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t count = in[0].shape().count(), width = in[1].shape().count();
      const R *a = in[0].data<R>(), *b = in[1].data<R>();
      R* y = out[0].data<R>();
      for (int64_t i = 0; i < count; ++i) y[i] = a[i] + b[i % width];
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("pass", {}, {g.grad()}));
    const int64_t missing = g.in(0).shape().rank() - g.in(1).shape().rank();
    if (!g.wants(1)) return;
    if (missing == 0)
      g.give(1, g.apply("pass", {}, {g.grad()}));
    else
      g.give(1, g.apply("sum_leading", {{"axes", missing}}, {g.grad()}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int missing = in[0].shape().rank() - in[1].shape().rank();
    return cell(in, 0, out.index) + cell(in, 1, part(out.index, missing, in[1].shape().rank()));
  }
};

// What was added to every row gathers the gradients of all of them, in row order.
class SumLeading final : public Operation {
 public:
  explicit SumLeading(const Options& options) : axes_(static_cast<int>(options.integer("axes", 1))) {}

  std::string label() const override { return "Sum over Rows"; }
  std::string equation() const override { return "y = sum over the leading axes of x"; }
  std::string caption() const override {
    return "What was added everywhere gathers what comes back from everywhere.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    const Shape& x = in[0];
    if (axes_ < 0 || axes_ > x.rank()) fail_call("x is ", x.text(), ", expected at least ", axes_, " axes");
    return {{"", x.part(axes_, x.rank() - axes_)}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const int64_t width = out[0].shape().count(), rows = product(in[0].shape(), 0, axes_);
      const R* x = in[0].data<R>();
      R* y = out[0].data<R>();
      for (int64_t j = 0; j < width; ++j) {
        double sum = 0;
        for (int64_t r = 0; r < rows; ++r) sum += x[r * width + j];
        y[j] = static_cast<R>(sum);
      }
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Shape rows = in[0].shape().part(0, axes_);
    std::vector<Expr> terms;
    for (int64_t r = 0; r < rows.count(); ++r)
      terms.push_back(cell(in, 0, joined(unflatten(rows, r), out.index)));
    return Expr::sum(terms);
  }

 private:
  int axes_;
};

}  // namespace

Stage add(const Scope& in, Stage a, Stage b) { return in.graph->add(in, "add", {}, {a, b}); }

void register_add(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 4}};
  const auto only_forward = [](const Shape& shape) {
    return Example::Input{shape, DType::f32, -1, 1, false};
  };
  all.add<Add>(
      "add",
      {{{}, {{x}, {x}}}, {{}, {{x}, {x.part(1, 2)}}}, {{}, {{x}, {x.part(2, 1)}}}, {{}, {{x}, {Shape{}}}}});
  all.add<SumLeading>("sum_leading", {{{}, {only_forward(x)}},
                                      {{{"axes", int64_t{2}}}, {only_forward(x)}},
                                      {{{"axes", int64_t{3}}}, {only_forward(x)}}});
}

}  // namespace limpid

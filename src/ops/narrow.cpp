// Narrow and widen: numbers in half the memory, and back.  bf16 is the upper half of an f32: its range, and 8
// binary digits.  A training graph keeps so what its gradient reads of the forward pass
// (engine/activations.h).
#include "limpid/ops.h"
#include "ops/elementwise.h"
#include "tensor/dispatch.h"

namespace limpid {

namespace {

class Narrow final : public Operation {
 public:
  explicit Narrow(const Options&) {}
  std::string label() const override { return "Narrow"; }
  std::string equation() const override { return "y = x, rounded to 8 binary digits"; }
  std::string caption() const override { return "Keeps every number in half the memory, rounded to bf16."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    std::vector<Output> out = same_shape(in, 1);
    out[0].dtype = DType::bf16;
    return out;
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(in[0], [&]<class R>() {
      const R* x = in[0].data<R>();
      bf16* y = out[0].data<bf16>();
      for (int64_t i = 0; i < in[0].shape().count(); ++i) y[i] = store_from_double<bf16>(x[i]);
    });
  }

  // Almost everywhere a rounded number is a constant: as in all training with fewer bits, what comes back is
  // handed on as if it were not rounded.
  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("pass", {}, {g.grad()}));
  }

  // The number, and what rounding adds to it.
  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Expr x = cell(in, 0, out.index);
    const double added = load_as_double(store_from_double<bf16>(x.value())) - x.value();
    return std::isfinite(added) ? x + Expr(added) : x;
  }
};

class Widen final : public Operation {
 public:
  explicit Widen(const Options&) {}
  std::string label() const override { return "Widen"; }
  std::string equation() const override { return "y = x"; }
  std::string caption() const override { return "Brings numbers kept as bf16 back for arithmetic, exactly."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override { return same_shape(in, 1); }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const bf16* x = in[0].data<bf16>();
      R* y = out[0].data<R>();
      for (int64_t i = 0; i < in[0].shape().count(); ++i) y[i] = to_float(x[i]);
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("pass", {}, {g.grad()}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return cell(in, 0, out.index);
  }
};

}  // namespace

void register_narrow(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 5}};
  all.add<Narrow>("narrow",
                  {{{}, {{x, DType::f32, -9, 9, false}}}, {{}, {{Shape{}, DType::f32, -1, 1, false}}}});
  all.add<Widen>("widen",
                 {{{}, {{x, DType::bf16, -9, 9, false}}}, {{}, {{Shape{}, DType::bf16, -1, 1, false}}}});
}

}  // namespace limpid

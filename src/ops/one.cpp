// One: where a gradient starts.  The loss moves by 1 when the loss moves by 1.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

class One final : public Operation {
 public:
  explicit One(const Options&) {}
  std::string label() const override { return "One"; }
  std::string equation() const override { return "d loss / d loss = 1"; }
  std::string caption() const override {
    return "The gradient starts here: the loss changes one for one with itself.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    return {{"", in[0]}};
  }

  void run(Inputs, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      R* ones = out[0].data<R>();
      for (int64_t i = 0; i < out[0].shape().count(); ++i) ones[i] = 1;
    });
  }

  void gradient(GradientContext&) const override {}  // a constant: nothing goes back

  Expr explain(Inputs, const Cell&, const RunContext&) const override { return Expr(1); }
};

}  // namespace

void register_one(Registry& all) { all.add<One>("one", {{{}, {{Shape{}, DType::f32, -1, 1, false}}}}); }

}  // namespace limpid

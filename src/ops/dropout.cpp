// Dropout (Srivastava 2014): in training, numbers are set to 0 at random, so that the network leans on none
// of them.
//
// Whether an element is dropped is a function of the run's seed and step, the stage (its "stream", a hash of
// its name) and the element's place, so any order and any thread count drop the same ones, and the gradient
// draws them again instead of keeping a mask.  What is dropped keeps its sign: a weight that is hidden (minus
// zero, ops/scores.h) stays so.
#include "limpid/ops.h"
#include "limpid/random.h"
#include "ops/elementwise.h"

namespace limpid {

namespace {

class DropoutBase : public Operation {
 public:
  explicit DropoutBase(const Options& options)
      : rate_(options.real("rate")), stream_(static_cast<uint32_t>(options.integer("stream"))) {
    if (!(rate_ >= 0 && rate_ < 1)) fail_call("rate is ", rate_, ", expected at least 0 and below 1");
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override { return same_shape(in, 1); }

  void run(Inputs in, Outputs out, const RunContext& context) const override {
    on_real(out[0], [&]<class R>() {
      const R factor = static_cast<R>(1 / (1 - rate_));
      const int64_t count = in[0].shape().count(), before = context.numbers_before(in[0].shape());
      const R* x = in[0].data<R>();
      R* y = out[0].data<R>();
      for (int64_t i = 0; i < count; ++i)
        y[i] = kept(context, before + i) ? x[i] * factor : std::copysign(R(0), x[i]);
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext& context) const override {
    const int64_t before = context.numbers_before(in[0].shape());
    if (!kept(context, before + flatten(in[0].shape(), out.index))) return Expr(0);
    return cell(in, 0, out.index) * (Expr(1) / Expr(1 - rate_));
  }

 private:
  bool kept(const RunContext& context, int64_t element) const {
    return uniform(context.seed, stream_, static_cast<uint32_t>(context.step),
                   static_cast<uint64_t>(element)) >= rate_;
  }

  double rate_;
  uint32_t stream_;
};

class Dropout final : public DropoutBase {
 public:
  using DropoutBase::DropoutBase;
  std::string label() const override { return "Dropout"; }
  std::string equation() const override { return "y = 0 with probability rate, else x / (1 - rate)"; }
  std::string caption() const override {
    return "Drops numbers at random in training, so that the network leans on none.";
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("dropout_gradient", options(), {g.grad()}));
  }
};

// The same arithmetic on dy, with the same numbers drawn.
class DropoutGradient final : public DropoutBase {
 public:
  using DropoutBase::DropoutBase;
  std::string label() const override { return "Dropout Gradient"; }
  std::string equation() const override { return "dx = 0 where x was dropped, else dy / (1 - rate)"; }
  std::string caption() const override { return "Numbers that were dropped send nothing back."; }
};

}  // namespace

Stage dropout(const Scope& in, Stage x, double rate) {
  return in.graph->add(in, "dropout", {{"rate", rate}, {"stream", int64_t{stream_named(in.path)}}}, {x});
}

void register_dropout(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 5}};
  all.add<Dropout>("dropout", {{{{"rate", 0.3}, {"stream", int64_t{17}}}, {{x}}}, {{{"rate", 0.0}}, {{x}}}});
  all.add<DropoutGradient>("dropout_gradient", {{{{"rate", 0.3}, {"stream", int64_t{17}}}, {{x}}}});
}

}  // namespace limpid

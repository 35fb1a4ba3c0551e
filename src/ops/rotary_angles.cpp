// Rotary angles: how far each pair of numbers of a head turns at each position (Su 2021).  Pair i turns by
// t / base^(2 i / width): the first pairs fast, the last ones slowly, like the hands of a clock.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// How many positions pass while pair i turns by one radian.
double pace(double base, int64_t i, int64_t width) {
  return std::pow(base, 2 * static_cast<double>(i) / static_cast<double>(width));
}

class RotaryAngles final : public Operation {
 public:
  explicit RotaryAngles(const Options& options)
      : width_(options.integer("width")), base_(options.real("base", 10000)) {
    if (width_ < 2 || width_ % 2 != 0)
      fail_call("width is ", width_, ", expected an even number of at least 2");
    if (!(base_ > 0)) fail_call("base is ", base_, ", expected more than 0");
  }
  std::string label() const override { return "Rotary Angles"; }
  std::string equation() const override { return join("angle[t,i] = t / ", base_, "^(2 i / ", width_, ")"); }
  std::string caption() const override {
    return "The further on a token stands, the more its numbers turn: the first pairs fast, the last ones "
           "slowly.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    if (in[0].rank() < 2) fail_call("x is ", in[0].text(), ", expected [B,T,...]");
    const Shape angles = {{Axis::T, in[0][1].size}, {static_cast<Axis>('E'), width_ / 2}};
    return {{"cos", angles}, {"sin", angles}};
  }

  // The angle is computed in double whatever the run's type: at far positions float would lose the turn.
  void run(Inputs, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const auto cos = out[0].as<R>(), sin = out[1].as<R>();
      for (int64_t t = 0; t < out[0].shape()[0].size; ++t)
        for (int64_t i = 0; i < width_ / 2; ++i) {
          const double angle = static_cast<double>(t) / pace(base_, i, width_);
          cos(t, i) = static_cast<R>(std::cos(angle));
          sin(t, i) = static_cast<R>(std::sin(angle));
        }
    });
  }

  void gradient(GradientContext&) const override {}  // x is read for its length only

  Expr explain(Inputs, const Cell& out, const RunContext&) const override {
    const Expr angle = Expr(static_cast<double>(out.index[0])) / Expr(pace(base_, out.index[1], width_));
    return Expr::call(out.output == 0 ? Expr::Function::cos : Expr::Function::sin, {angle});
  }

 private:
  int64_t width_;
  double base_;
};

}  // namespace

Stage rotary_angles(const Scope& in, Stage x, const RotaryOptions& o) {
  return in.graph->add(in, "rotary_angles", {{"width", o.width}, {"base", o.base}}, {x});
}

void register_rotary_angles(Registry& all) {
  const Shape ids = {{Axis::B, 2}, {Axis::T, 5}}, x = {{Axis::B, 1}, {Axis::T, 300}, {Axis::C, 2}};
  const Example::Input tokens = {ids, DType::i64, 0, 9};
  all.add<RotaryAngles>("rotary_angles",
                        {{{{"width", int64_t{6}}}, {tokens}},
                         {{{"width", int64_t{2}}, {"base", 500.0}}, {{x, DType::f32, -1, 1, false}}}});
}

}  // namespace limpid

// Sinusoidal positions: place t is written as waves, fast ones in the first columns and slow ones in the last
// (Vaswani 2017, 3.5).  Columns 2i and 2i + 1 hold the sine and cosine of t / base^(2 i / C).
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// What place t is divided by in column c.
double wavelength(double base, int64_t c, int64_t width) {
  return std::pow(base, static_cast<double>(c - c % 2) / static_cast<double>(width));
}

class SinusoidalPositions final : public Operation {
 public:
  explicit SinusoidalPositions(const Options& options) : base_(options.real("base", 10000)) {
    if (!(base_ > 0 && std::isfinite(base_))) fail_call("base is ", base_, ", expected a number above 0");
  }
  std::string label() const override { return "Positional Encoding"; }
  std::string equation() const override {
    return join("y[t,2i] = sin(t / ", base_, "^(2i/C)), y[t,2i+1] = cos(the same)");
  }
  std::string caption() const override {
    return "Each place in the text has its own pattern of waves, fast in the first columns and slow in the "
           "last.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    require_rank(in[0], 3, "x", "[B,T,C]");
    return {{"", in[0]}};
  }

  // The angle is computed in double whatever the run's type: at far places float would lose the turn.
  void run(Inputs, Outputs out, const RunContext& context) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = out[0].shape();
      const auto y = out[0].as<R>();
      for (int64_t b = 0; b < shape[0].size; ++b)
        for (int64_t t = 0; t < shape[1].size; ++t)
          for (int64_t c = 0; c < shape[2].size; ++c) {
            const double angle =
                static_cast<double>(context.first_position + t) / wavelength(base_, c, shape[2].size);
            y(b, t, c) = static_cast<R>(c % 2 == 0 ? std::sin(angle) : std::cos(angle));
          }
    });
  }

  void gradient(GradientContext&) const override {}  // x is read for its sizes only

  Expr explain(Inputs in, const Cell& out, const RunContext& context) const override {
    const int64_t t = context.first_position + out.index[1], c = out.index[2];
    const Expr angle = Expr(static_cast<double>(t)) / Expr(wavelength(base_, c, in[0].shape()[2].size));
    return Expr::call(c % 2 == 0 ? Expr::Function::sin : Expr::Function::cos, {angle});
  }

 private:
  double base_;
};

}  // namespace

Stage sinusoidal_positions(const Scope& in, Stage x, double base) {
  return in.graph->add(in, "sinusoidal_positions", {{"base", base}}, {x});
}

void register_sinusoidal_positions(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 5}, {Axis::C, 6}},
              odd = {{Axis::B, 1}, {Axis::T, 200}, {Axis::C, 3}};
  all.add<SinusoidalPositions>(
      "sinusoidal_positions",
      {{{}, {{x, DType::f32, -1, 1, false}}}, {{{"base", 50.0}}, {{odd, DType::f32, -1, 1, false}}}});
}

}  // namespace limpid

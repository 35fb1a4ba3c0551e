// Interleave: T rows foretell a series by turns, so that moment o is of row o mod T: where a row is one phase
// of a period, as the patches whose moments lie a period apart are, each row says how its own phase goes on.
#include "limpid/ops.h"
#include "ops/loops.h"

namespace limpid {

namespace {

// x [B,T,N] -> [B,T N]
class Interleave final : public Operation {
 public:
  explicit Interleave(const Options&) {}
  std::string label() const override { return "Interleave Rows"; }
  std::string equation() const override { return "y[n T + t] = x[t,n]"; }
  std::string caption() const override {
    return "The rows take turns: each says what comes next in its phase.";
  }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 1, 1);
    require_rank(in[0], 3, "x", "[B,T,N]");
    const int64_t rows = in[0][1].size, each = in[0][2].size;
    return {{"", {in[0][0], {Axis::V, rows < 0 || each < 0 ? k_symbolic : rows * each}}}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = in[0].shape();
      const auto x = in[0].as<R>();
      const auto y = out[0].as<R>();
      for (int64_t b = 0; b < shape[0].size; ++b)
        for (int64_t t = 0; t < shape[1].size; ++t)
          for (int64_t n = 0; n < shape[2].size; ++n) y(b, n * shape[1].size + t) = x(b, t, n);
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("interleave_gradient", {}, {g.grad(), g.in(0)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t rows = in[0].shape()[1].size, o = out.index[1];
    return cell(in, 0, {out.index[0], o % rows, o / rows});
  }
};

// Inputs dy [B,T N] and x [B,T,N], of which only the shape counts -> dx [B,T,N].
class InterleaveGradient final : public Operation {
 public:
  explicit InterleaveGradient(const Options&) {}
  std::string label() const override { return "Interleave Gradient"; }
  std::string equation() const override { return "dx[t,n] = dy[n T + t]"; }
  std::string caption() const override { return "Each row gets back the gradient of its own moments."; }

  std::vector<Output> shape(const std::vector<Shape>& in) const override {
    require_inputs(in, 2, 2);
    require_rank(in[0], 2, "the gradient", "[B,T N]");
    require_rank(in[1], 3, "x", "[B,T,N]");
    const int64_t rows = in[1][1].size, each = in[1][2].size;
    if (rows >= 0 && each >= 0 && !fits(in[0][1].size, rows * each))
      fail_call("the gradient is ", in[0].text(), ", expected ", rows * each, " numbers a row, as x ",
                in[1].text(), " has");
    return {{"", in[1]}};
  }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    on_real(out[0], [&]<class R>() {
      const Shape& shape = out[0].shape();
      const auto dy = in[0].as<R>();
      const auto dx = out[0].as<R>();
      for (int64_t b = 0; b < shape[0].size; ++b)
        for (int64_t t = 0; t < shape[1].size; ++t)
          for (int64_t n = 0; n < shape[2].size; ++n) dx(b, t, n) = dy(b, n * shape[1].size + t);
    });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const int64_t rows = in[1].shape()[1].size;
    return cell(in, 0, {out.index[0], out.index[2] * rows + out.index[1]});
  }
};

}  // namespace

Stage interleave(const Scope& in, Stage x) { return in.graph->add(in, "interleave", {}, {x}); }

void register_interleave(Registry& all) {
  const Shape rows = {{Axis::B, 2}, {Axis::T, 3}, {Axis::V, 4}}, turns = {{Axis::B, 2}, {Axis::V, 12}};
  all.add<Interleave>("interleave", {{{}, {{rows}}}});
  all.add<InterleaveGradient>("interleave_gradient", {{{}, {{turns}, {rows}}}});
}

}  // namespace limpid

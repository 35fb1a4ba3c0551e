// Clip: numbers beyond a limit become the limit (the queries, keys and values of MPT and OLMo).
#include <algorithm>

#include "limpid/ops.h"
#include "ops/elementwise.h"

namespace limpid {

namespace {

double limit_of(const Options& options) {
  const double limit = options.real("limit");
  if (!(limit > 0 && std::isfinite(limit))) fail_call("limit is ", limit, ", expected a number above 0");
  return limit;
}

class Clip final : public Operation {
 public:
  explicit Clip(const Options& options) : limit_(limit_of(options)) {}
  std::string label() const override { return "Clip"; }
  std::string equation() const override { return join("y = min(max(x, -", limit_, "), ", limit_, ")"); }
  std::string caption() const override {
    return join("Cuts off what lies beyond -", limit_, " and ", limit_, ".");
  }
  std::vector<Output> shape(const std::vector<Shape>& in) const override { return same_shape(in, 1); }

  // Written so that a NaN stays a NaN.
  void run(Inputs in, Outputs out, const RunContext&) const override {
    each(in, out, [this]<class R>(R x) {
      const R limit = static_cast<R>(limit_);
      return x < -limit ? -limit : x > limit ? limit : x;
    });
  }

  void gradient(GradientContext& g) const override {
    if (g.wants(0)) g.give(0, g.apply("clip_gradient", options(), {g.grad(), g.in(0)}));
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    const Expr x = cell(in, 0, out.index);
    if (x.value() <= limit_) return maximum({x, Expr(-limit_)});
    return Expr(0) - maximum({Expr(0) - x, Expr(-limit_)});  // min(x, limit)
  }

 private:
  double limit_;
};

// Inputs dy, x.
class ClipGradient final : public Operation {
 public:
  explicit ClipGradient(const Options& options) : limit_(limit_of(options)) {}
  std::string label() const override { return "Clip Gradient"; }
  std::string equation() const override { return join("dx = dy where |x| <= ", limit_, ", else 0"); }
  std::string caption() const override {
    return "Only numbers that were let through send their gradient back.";
  }
  std::vector<Output> shape(const std::vector<Shape>& in) const override { return same_shape(in, 2); }

  void run(Inputs in, Outputs out, const RunContext&) const override {
    each_pair(in, out,
              [this]<class R>(R dy, R x) { return std::abs(x) > static_cast<R>(limit_) ? R(0) : dy; });
  }

  Expr explain(Inputs in, const Cell& out, const RunContext&) const override {
    return std::abs(in[1].at(out.index)) > limit_ ? Expr(0) : cell(in, 0, out.index);
  }

 private:
  double limit_;
};

}  // namespace

Stage clip(const Scope& in, Stage x, double limit) {
  return in.graph->add(in, "clip", {{"limit", limit}}, {x});
}

void register_clip(Registry& all) {
  const Shape x = {{Axis::B, 2}, {Axis::T, 3}, {Axis::H, 2}, {Axis::D, 4}};
  all.add<Clip>("clip", {{{{"limit", 2.0}}, {{x, DType::f32, -5, 5}}},
                         {{{"limit", int64_t{8}}}, {{{{Axis::C, 5}}, DType::f32, -9, 9}}}});
  all.add<ClipGradient>("clip_gradient", {{{{"limit", 0.5}}, {{x}, {x}}}});
}

}  // namespace limpid

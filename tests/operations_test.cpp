// Every operation of the build list, by its own examples: the gradient against central differences, the
// explanation against run(), float against double.  A new operation is tested by being listed.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "engine/reference.h"
#include "limpid/engine.h"
#include "limpid/ops.h"

namespace limpid {
namespace {

struct Case {
  std::string kind;
  Example example;
  size_t number;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.kind << ' ' << c.number; }

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Registry::Entry& entry : operations().entries())
    for (size_t i = 0; i < entry.examples.size(); ++i) cases.push_back({entry.kind, entry.examples[i], i});
  return cases;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return join(info.param.kind, "_", info.param.number);
}

Tensor drawn(const Example::Input& input, std::mt19937_64& random) {
  Tensor t(input.dtype == DType::f32 ? DType::f64 : input.dtype, input.shape);
  for (int64_t i = 0; i < t.count(); ++i) {
    const double u = std::uniform_real_distribution<>(input.low, input.high)(random);
    if (t.dtype() == DType::f64)
      t.data<double>()[i] = u;
    else if (t.dtype() == DType::bf16)
      t.data<bf16>()[i] = to_bf16(static_cast<float>(u));
    else if (t.dtype() == DType::i64)
      t.data<int64_t>()[i] = static_cast<int64_t>(std::floor(u));
    else
      t.data<bool>()[i] = u > (input.low + input.high) / 2;
  }
  return t;
}

// One stage "y" with inputs "x0", "x1", ...; d(loss)/dy is the input "seed".
struct OneStage {
  explicit OneStage(const Case& c, bool with_gradient = false) : graph(operations()) {
    std::mt19937_64 random(7 + c.number);
    std::vector<Stage> inputs, wanted;
    for (size_t i = 0; i < c.example.inputs.size(); ++i) {
      const Example::Input& in = c.example.inputs[i];
      inputs.push_back(graph.input(join("x", i), in.shape, in.dtype));
      if (in.differentiable && in.dtype == DType::f32) wanted.push_back(inputs.back());
      bound[join("x", i)] = drawn(in, random);
    }
    const Stage y = graph.add(graph.scope("y"), c.kind, c.example.options, inputs);
    if (!with_gradient) return;
    const Stage seed = graph.input("seed", y.shape());
    bound["seed"] = drawn({y.shape()}, random);
    differentiate(graph, {{y, seed}}, wanted);
    for (const Stage& stage : wanted) names.push_back(stage.name());
  }
  std::vector<Tensor> run(DType real = DType::f64) const { return run_all(graph, bound, real, {5, 3}); }
  double loss() const {
    const std::vector<Tensor> values = run();
    const Tensor& y = values[static_cast<size_t>(graph.stages().front().outputs.front())];
    const Tensor& seed = bound.at("seed");
    double sum = 0;
    for (int64_t i = 0; i < y.count(); ++i)
      if (!std::isinf(y.data<double>()[i]))  // -inf: masked, a constant
        sum += y.data<double>()[i] * seed.data<double>()[i];
    return sum;
  }
  Graph graph;
  std::map<std::string, Tensor> bound;
  std::vector<std::string> names;
};

class EveryOperation : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Operations, EveryOperation, testing::ValuesIn(all_cases()), case_name);

TEST_P(EveryOperation, SaysWhatItIs) {
  const auto op = operations().make(GetParam().kind, GetParam().example.options);
  EXPECT_FALSE(op->label().empty());
  EXPECT_FALSE(op->equation().empty());
  EXPECT_GT(op->caption().size(), 20u);
  EXPECT_EQ(op->caption().back(), '.');
}

// A gradient has no gradient of its own.
class EveryGradient : public testing::TestWithParam<Case> {
 public:
  static std::vector<Case> cases() {
    std::vector<Case> out = all_cases();
    std::erase_if(out, [](const Case& c) { return c.kind.find("_gradient") != std::string::npos; });
    return out;
  }
  static void TearDownTestSuite() {
    std::printf("gradients: the worst is off by %.1e of its tensor's largest (%s)\n", worst_share,
                worst_name.c_str());
  }
  static inline double worst_share = 0;
  static inline std::string worst_name;
};
INSTANTIATE_TEST_SUITE_P(Operations, EveryGradient, testing::ValuesIn(EveryGradient::cases()), case_name);

TEST_P(EveryGradient, MatchesCentralDifferences) {
  OneStage stage(GetParam(), true);
  const std::vector<Tensor> values = stage.run();
  for (const std::string& name : stage.names) {
    const Tensor& gradient = values[static_cast<size_t>(stage.graph.require(name + ".grad"))];
    Tensor& x = stage.bound.at(name);
    double largest = 0, worst = 0;
    for (int64_t i = 0; i < x.count(); ++i) {
      double& cell = x.data<double>()[i];
      const double at = cell, step = 1e-5 * std::max(1.0, std::abs(at));
      cell = at + step;
      const double above = stage.loss();
      cell = at - step;
      const double below = stage.loss();
      cell = at;
      const double expected = (above - below) / (2 * step);
      ASSERT_FALSE(std::isnan(gradient.data<double>()[i])) << name << " of " << GetParam().kind;
      largest = std::max(largest, std::abs(expected));
      worst = std::max(worst, std::abs(expected - gradient.data<double>()[i]));
    }
    if (worst > worst_share * largest)
      worst_share = worst / largest, worst_name = join(name, " of ", case_name({GetParam(), 0}));
    EXPECT_LT(worst, 1e-6 * largest) << name << " of " << GetParam().kind << ", largest gradient " << largest;
  }
}

TEST_P(EveryOperation, ExplanationRecombinesToWhatRunGives) {
  const OneStage stage(GetParam());
  const std::vector<Tensor> values = stage.run();
  const StageInfo& info = stage.graph.stages().front();
  std::vector<ConstView> in;
  for (int id : info.inputs) in.push_back(values[static_cast<size_t>(id)]);
  for (size_t o = 0; o < info.outputs.size(); ++o) {
    const Tensor& out = values[static_cast<size_t>(info.outputs[o])];
    if (!is_floating(out.dtype())) continue;
    Index index(static_cast<size_t>(out.shape().rank()), 0);
    for (int64_t n = 0; n < out.count(); ++n) {
      const double expected = std::as_const(out).view().at(index);
      const Expr why = info.operation->explain(in, {static_cast<int>(o), index}, {5, 3});
      for (const Expr* cell : why.cells()) {
        ASSERT_LT(static_cast<size_t>(cell->input()), in.size());
        const double read = in[static_cast<size_t>(cell->input())].at(cell->index());
        EXPECT_TRUE(read == cell->value() || std::isnan(read)) << "the explanation misquotes an input cell";
      }
      if (std::isinf(expected))
        EXPECT_EQ(why.value(), expected);
      else
        EXPECT_NEAR(why.value(), expected, 1e-12 * std::max(1.0, std::abs(expected))) << why.text();
      for (int i = out.shape().rank() - 1; i >= 0; --i) {
        if (++index[static_cast<size_t>(i)] < out.shape()[i].size) break;
        index[static_cast<size_t>(i)] = 0;
      }
    }
  }
}

TEST_P(EveryOperation, FloatFollowsDouble) {
  const OneStage stage(GetParam());
  const std::vector<Tensor> exact = stage.run(DType::f64), rounded = stage.run(DType::f32);
  for (int id : stage.graph.stages().front().outputs) {
    const Tensor &a = exact[static_cast<size_t>(id)], &b = rounded[static_cast<size_t>(id)];
    ASSERT_EQ(a.shape(), b.shape());
    if (!is_floating(a.dtype())) continue;
    const double bound = a.dtype() == DType::bf16 ? 0x1p-7 : 2e-5;
    const Tensor doubles = a.to(DType::f64), floats = b.to(DType::f32);
    for (int64_t i = 0; i < a.count(); ++i) {
      const double x = doubles.data<double>()[i], y = floats.data<float>()[i];
      if (std::isinf(x))
        EXPECT_EQ(x, y);
      else
        EXPECT_NEAR(x, y, bound * std::max(1.0, std::abs(x)));
    }
  }
}

TEST_P(EveryOperation, SurvivesTheTrip) {
  const OneStage stage(GetParam());
  const Graph again = graph_from_json(to_json(stage.graph), operations());
  EXPECT_EQ(to_json(again), to_json(stage.graph));
}

// Networks are built before anybody knows how long the text is.
TEST_P(EveryOperation, TakesSizesThatAreNotKnownYet) {
  const Case& c = GetParam();
  const auto op = operations().make(c.kind, c.example.options);
  std::vector<Shape> known, open;
  for (const Example::Input& in : c.example.inputs) {
    known.push_back(in.shape);
    open.push_back(in.shape);
    for (int i = 0; i < in.shape.rank(); ++i) {
      const Axis axis = in.shape[i].axis;
      if (axis == Axis::B || axis == Axis::T || axis == Axis::S) open.back()[i].size = k_symbolic;
    }
  }
  const std::vector<Output> expected = op->shape(known), found = op->shape(open);
  ASSERT_EQ(found.size(), expected.size());
  for (size_t o = 0; o < found.size(); ++o) {
    ASSERT_EQ(found[o].shape.rank(), expected[o].shape.rank());
    for (int i = 0; i < found[o].shape.rank(); ++i) {
      const Dim &dim = found[o].shape[i], &bound = expected[o].shape[i];
      EXPECT_EQ(dim.axis, bound.axis);
      EXPECT_TRUE(dim.size == bound.size || dim.size == k_symbolic) << found[o].shape.text();
    }
  }
}

TEST_P(EveryOperation, RefusesOtherInputs) {
  const Case& c = GetParam();
  const auto op = operations().make(c.kind, c.example.options);
  EXPECT_THROW(op->shape({}), Error);
  std::vector<Shape> too_many(c.example.inputs.size() + 9, Shape{{Axis::B, 1}});
  EXPECT_THROW(op->shape(too_many), Error);
}

}  // namespace
}  // namespace limpid

// What the norms promise beyond the test of every operation.
#include <gtest/gtest.h>

#include <cmath>

#include "limpid/ops.h"

namespace limpid {
namespace {

// The main output and "scale", for rows of 4, without gain or bias.
std::pair<Tensor, Tensor> normed(const std::string& kind, const std::vector<double>& x) {
  const int64_t rows = static_cast<int64_t>(x.size()) / 4;
  const Tensor in = Tensor::of<double>({{Axis::T, rows}, {Axis::C, 4}}, x);
  Tensor y(DType::f64, in.shape()), scale(DType::f64, {{Axis::T, rows}});
  const ConstView from[] = {in};
  const View to[] = {y, scale};
  operations().make(kind, {{"epsilon", 1e-5}})->run(from, to, {});
  return {y, scale};
}

TEST(LayerNorm, RowsHaveMeanZeroAndSpreadOne) {
  const auto [y, scale] = normed("layer_norm", {1, 2, 3, 4, 100, 100, 100, 104});
  for (int64_t t = 0; t < 2; ++t) {
    double mean = 0, squares = 0;
    for (int64_t c = 0; c < 4; ++c) {
      mean += y.at({t, c}) / 4;
      squares += y.at({t, c}) * y.at({t, c}) / 4;
    }
    EXPECT_NEAR(mean, 0, 1e-14);
    EXPECT_NEAR(squares, 1, 1e-5);
  }
  EXPECT_NEAR(scale.at({0}), std::sqrt(1.25 + 1e-5), 1e-15);
}

TEST(LayerNorm, AConstantRowBecomesZeros) {
  const auto [y, scale] = normed("layer_norm", {7, 7, 7, 7});
  for (int64_t c = 0; c < 4; ++c) EXPECT_EQ(y.at({0, c}), 0);
  EXPECT_NEAR(scale.at({0}), std::sqrt(1e-5), 1e-15);
}

TEST(Norms, ANaNStaysInItsRow) {
  for (const std::string kind : {"layer_norm", "rms_norm"}) {
    const auto [y, scale] = normed(kind, {1, NAN, 3, 4, 1, 2, 3, 4});
    for (int64_t c = 0; c < 4; ++c) {
      EXPECT_TRUE(std::isnan(y.at({0, c}))) << kind;
      EXPECT_TRUE(std::isfinite(y.at({1, c}))) << kind;
    }
  }
}

TEST(Norms, TheStagesOutputsHaveTheFieldsNames) {
  Graph graph(operations());
  const Stage x = graph.input("x", {{Axis::B, 1}, {Axis::T, 2}, {Axis::C, 4}});
  const Stage w = graph.parameter("w", {{Axis::C, 4}}, {});
  const Stage y = layer_norm(graph.scope("ln1"), x, w);
  EXPECT_EQ(y.name(), "ln1.normalized");
  EXPECT_EQ(y.output("scale").shape(), (Shape{{Axis::B, 1}, {Axis::T, 2}}));
  EXPECT_EQ(rms_norm(graph.scope("ln2"), x).name(), "ln2.normalized");
  const Stage wrong = graph.parameter("wrong", {{Axis::C, 3}}, {});
  try {
    layer_norm(graph.scope("ln3"), x, wrong);
    FAIL() << "a gain of another width was taken";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("ln3"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("w is [C=3], expected [C=4]"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace limpid

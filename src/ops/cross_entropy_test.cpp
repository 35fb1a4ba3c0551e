// What the loss promises beyond the test of every operation: huge logits, places that do not count, bad
// targets.

#include <gtest/gtest.h>

#include <cmath>

#include "limpid/ops.h"

namespace limpid {
namespace {

struct Loss {
  double mean = 0;
  std::vector<double> per_token, dlogits;
};

Loss loss_of(const std::vector<float>& logits, const std::vector<int64_t>& targets) {
  const auto rows = static_cast<int64_t>(targets.size());
  const int64_t classes = static_cast<int64_t>(logits.size()) / rows;
  const Tensor z = Tensor::of<float>({{Axis::T, rows}, {Axis::V, classes}}, logits);
  const Tensor t = Tensor::of<int64_t>({{Axis::T, rows}}, targets), one = Tensor::of<float>(Shape{}, {1});
  Tensor mean(DType::f32, Shape{}), per_token(DType::f32, t.shape()), dz(DType::f32, z.shape());
  const ConstView in[] = {z, t, one};
  const View out[] = {mean, per_token}, gradient[] = {dz};
  operations().make("cross_entropy", {})->run(Inputs(in, 2), out, {});
  operations().make("cross_entropy_gradient", {})->run(in, gradient, {});
  Loss loss{mean.at({}), {}, {}};
  for (int64_t i = 0; i < rows; ++i) loss.per_token.push_back(per_token.at({i}));
  for (int64_t i = 0; i < z.count(); ++i) loss.dlogits.push_back(dz.data<float>()[i]);
  return loss;
}

TEST(CrossEntropy, IsTheLogarithmOfTheClassesWhenNothingIsKnown) {
  const Loss loss = loss_of({3, 3, 3, 3}, {2});
  EXPECT_NEAR(loss.mean, std::log(4.0), 1e-6);
  EXPECT_NEAR(loss.dlogits[2], 0.25 - 1, 1e-6);
}

TEST(CrossEntropy, HugeLogitsDoNotOverflow) {
  const Loss sure = loss_of({1e30f, -1e30f, 0}, {0});
  EXPECT_EQ(sure.mean, 0);
  for (double d : sure.dlogits) EXPECT_EQ(d, 0);
  const Loss wrong = loss_of({20000, 0, 0}, {1});
  EXPECT_EQ(wrong.mean, 20000);
  EXPECT_EQ(wrong.dlogits, (std::vector<double>{1, -1, 0}));
  const Loss impossible = loss_of({0, -INFINITY}, {1});
  EXPECT_EQ(impossible.mean, INFINITY);
}

TEST(CrossEntropy, NegativeTargetsDoNotCount) {
  const Loss both = loss_of({1, 2, 5, -1}, {0, 1}), first = loss_of({1, 2, 5, -1}, {0, -100});
  EXPECT_NEAR(first.mean, both.per_token[0], 1e-7);
  EXPECT_EQ(first.per_token[1], 0);
  EXPECT_EQ(first.dlogits[2], 0);
  EXPECT_EQ(first.dlogits[3], 0);
  // Not even a NaN there.
  EXPECT_EQ(loss_of({1, 2, NAN, -1}, {0, -1}).mean, first.mean);
}

TEST(CrossEntropy, NothingThatCountsIsNoLoss) {
  const Loss none = loss_of({1, 2, 5, -1}, {-1, -1});
  EXPECT_EQ(none.mean, 0);
  for (double d : none.dlogits) EXPECT_EQ(d, 0);
}

TEST(CrossEntropy, ANaNIsNotSwallowed) {
  EXPECT_TRUE(std::isnan(loss_of({1, NAN, 3}, {0}).mean));
  EXPECT_TRUE(std::isnan(loss_of({NAN, 1, 3}, {1}).dlogits[2]));
}

TEST(CrossEntropy, ATargetThatIsNoClassIsNamed) {
  try {
    loss_of({1, 2, 3, 4, 5, 6}, {0, 3});
    FAIL() << "3 is not a class of 3";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::call);
    EXPECT_NE(std::string(error.what()).find("targets[1] is 3"), std::string::npos) << error.what();
  }
}

TEST(CrossEntropy, TheLossIsOneNumberAndShowsEachTokens) {
  Graph graph(operations());
  const Stage logits = graph.input("logits", {{Axis::T, 2}, {Axis::V, 3}});
  const Stage targets = graph.input("targets", {{Axis::T, 2}}, DType::i64);
  const Stage loss = cross_entropy(graph.scope("loss"), logits, targets);
  EXPECT_EQ(loss.shape(), Shape{});
  EXPECT_EQ(loss.output("per_token").name(), "loss.per_token");
}

}  // namespace
}  // namespace limpid

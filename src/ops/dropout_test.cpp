// What dropout promises beyond the test of every operation: the rate, and the same mask in any order.
#include <gtest/gtest.h>

#include <cmath>

#include "limpid/ops.h"
#include "limpid/random.h"

namespace limpid {
namespace {

const Shape k_row = {{Axis::T, 1000}, {Axis::C, 100}};

// Drops a tensor of ones.
Tensor dropped(const Operation& op, const Shape& shape, RunContext context) {
  Tensor ones(DType::f32, shape), out(DType::f32, shape);
  for (int64_t i = 0; i < ones.count(); ++i) ones.data<float>()[i] = 1;
  const ConstView in[] = {ones};
  const View to[] = {out};
  op.run(in, to, context);
  return out;
}

std::shared_ptr<const Operation> made(double rate, const std::string& name) {
  return operations().make("dropout", {{"rate", rate}, {"stream", int64_t{stream_named(name)}}});
}

int64_t zeros(const Tensor& t) {
  int64_t n = 0;
  for (int64_t i = 0; i < t.count(); ++i) n += t.data<float>()[i] == 0;
  return n;
}

int64_t differing(const Tensor& a, const Tensor& b) {
  int64_t n = 0;
  for (int64_t i = 0; i < a.count(); ++i) n += a.data<float>()[i] != b.data<float>()[i];
  return n;
}

TEST(Dropout, DropsTheShareItWasAskedFor) {
  for (const double rate : {0.0, 0.1, 0.5, 0.9}) {
    const Tensor y = dropped(*made(rate, "a"), k_row, {7, 1});
    const double count = static_cast<double>(y.count());
    EXPECT_NEAR(static_cast<double>(zeros(y)), rate * count, 5 * std::sqrt(rate * (1 - rate) * count));
    const float factor = static_cast<float>(1 / (1 - rate));
    for (int64_t i = 0; i < y.count(); ++i)
      ASSERT_TRUE(y.data<float>()[i] == 0 || y.data<float>()[i] == factor) << y.data<float>()[i];
  }
}

TEST(Dropout, TheMaskDependsOnThePlaceAlone) {
  // A shorter run draws the beginning of a longer one: an element's number is not the n-th of a sequence.
  const auto op = made(0.5, "a");
  const Tensor all = dropped(*op, k_row, {7, 1}), again = dropped(*op, k_row, {7, 1});
  EXPECT_EQ(differing(all, again), 0);
  const Tensor some = dropped(*op, {{Axis::T, 10}, {Axis::C, 100}}, {7, 1});
  for (int64_t i = 0; i < some.count(); ++i) ASSERT_EQ(some.data<float>()[i], all.data<float>()[i]);
}

TEST(Dropout, SeedStepAndNameEachChangeTheMask) {
  const Tensor one = dropped(*made(0.5, "a"), k_row, {7, 1});
  // Two independent masks of half zeros differ in half of their elements.
  for (const Tensor& other :
       {dropped(*made(0.5, "a"), k_row, {8, 1}), dropped(*made(0.5, "a"), k_row, {7, 2}),
        dropped(*made(0.5, "b"), k_row, {7, 1})})
    EXPECT_NEAR(static_cast<double>(differing(one, other)), 0.5 * one.count(),
                5 * std::sqrt(0.25 * one.count()));
}

TEST(Dropout, TheBuilderDrawsFromTheStagesName) {
  Graph graph(operations());
  const Stage x = graph.input("x", k_row);
  dropout(graph.scope("blocks.0.attn.dropout"), x, 0.1);
  EXPECT_EQ(graph.stages().back().operation->options().integer("stream"),
            stream_named("blocks.0.attn.dropout"));
}

TEST(Dropout, ARateOfOneOrMoreIsRefused) {
  for (const double rate : {1.0, -0.1, std::nan("")}) EXPECT_THROW(made(rate, "a"), Error);
}

}  // namespace
}  // namespace limpid

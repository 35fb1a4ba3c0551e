// Scores by distance, and what else DeBERTa and ESM bring: numbers that are known, and what does not fit.
#include <gtest/gtest.h>

#include <cmath>

#include "limpid/ops.h"
#include "ops/run_operation.h"

namespace limpid {
namespace {

Tensor filled(Shape shape, double first, double step) {
  Tensor t(DType::f64, std::move(shape));
  for (int64_t i = 0; i < t.count(); ++i) t.data<double>()[i] = first + step * static_cast<double>(i);
  return t;
}

// transformers 5, make_log_bucket_position(-12..12, 8, 16), and of 256 buckets of distances up to 512.
TEST(PositionRow, BucketsAreDebertas) {
  const int64_t expected[] = {-7, -7, -7, -6, -6, -6, -5, -5, -4, -3, -2, -1, 0,
                              1,  2,  3,  4,  5,  5,  6,  6,  6,  7,  7,  7};
  for (int64_t behind = -12; behind <= 12; ++behind)
    EXPECT_EQ(position_row(behind, {8, 8, 16}), expected[behind + 12] + 8) << behind;
  const PositionBuckets published = {256, 256, 512};
  const std::pair<int64_t, int64_t> far[] = {
      {0, 0},       {127, 127},   {128, 128},   {129, 129},   {130, 130},  {140, 137},
      {160, 149},   {200, 169},   {256, 192},   {300, 207},   {400, 233},  {500, 254},
      {510, 255},   {511, 255},   {512, 255},   {600, 255},   {4000, 255}, {-129, -129},
      {-130, -130}, {-511, -255}, {-512, -256}, {-4000, -256}};
  for (const auto& [behind, bucket] : far) EXPECT_EQ(position_row(behind, published), bucket + 256) << behind;
}

TEST(PositionRow, WithoutBucketsADistanceHasARowEach) {
  for (int64_t behind = -9; behind <= 9; ++behind)
    EXPECT_EQ(position_row(behind, {4, 0, 1}), std::clamp<int64_t>(behind, -4, 3) + 4);
  EXPECT_EQ(position_row_count(1, {4, 0, 1}), 1);
  EXPECT_EQ(position_row_count(4, {4, 0, 1}), 7);
  EXPECT_EQ(position_row_count(400, {4, 0, 1}), 8);
  EXPECT_EQ(position_row_count(0, {4, 0, 1}), 0);
  EXPECT_EQ(position_row_count(k_symbolic, {4, 0, 1}), k_symbolic);
  EXPECT_EQ(position_places(3, {2, 0, 1}), (std::vector<int64_t>{0, 1, 2, 3, 3}));
}

TEST(PositionRows, AreThoseThatTheTextReads) {
  const Tensor x(DType::f64, {{Axis::B, 1}, {Axis::T, 3}, {Axis::C, 2}}),
      table = filled({{Axis::N, 10}, {Axis::C, 2}}, 0, 1);
  const Tensor rows = run_operation("position_rows", options_of({5, 0, 1}), {x, table})[0];
  ASSERT_EQ(rows.shape(), (Shape{{Axis::N, 5}, {Axis::C, 2}}));
  for (int64_t n = 0; n < 5; ++n) EXPECT_EQ(rows.at({n, 1}), table.at({n + 3, 1}));
}

// Two tokens, one head of two numbers: q = (1,2), (3,4); the rows of -1, 0, 1 are (10,0), (0,10), (1,1).
TEST(PositionScores, QueriesAskTheKeysOfDistancesAndTheOtherWayRound) {
  const Shape content = {{Axis::B, 1}, {Axis::T, 2}, {Axis::H, 1}, {Axis::D, 2}};
  const Tensor x = filled(content, 1, 1),
               rows = Tensor::of<double>({{Axis::N, 3}, {Axis::H, 1}, {Axis::D, 2}}, {10, 0, 0, 10, 1, 1});
  Options options = options_of({2, 0, 1});
  options.set("scale", 0.5);
  const Tensor c2p = run_operation("position_scores", options, {x, rows})[0];
  options.set("keys", true);
  const Tensor p2c = run_operation("position_scores", options, {x, rows})[0];
  // t - s = 0 -1 / 1 0
  const double by_query[2][2] = {{10, 5}, {3.5, 20}}, by_key[2][2] = {{10, 15}, {1.5, 20}};
  for (int64_t t = 0; t < 2; ++t)
    for (int64_t s = 0; s < 2; ++s) {
      EXPECT_EQ(c2p.at({0, 0, t, s}), by_query[t][s]) << t << s;
      EXPECT_EQ(p2c.at({0, 0, t, s}), by_key[t][s]) << t << s;
    }
}

TEST(PositionScores, WhatDoesNotFitIsNamed) {
  const Tensor x(DType::f64, {{Axis::B, 1}, {Axis::T, 4}, {Axis::H, 2}, {Axis::D, 3}});
  const auto with_rows = [&](int64_t n, int64_t h, int64_t d) {
    const Tensor rows(DType::f64, {{Axis::N, n}, {Axis::H, h}, {Axis::D, d}});
    return complaint([&] { run_operation("position_scores", options_of({9, 0, 1}), {x, rows}); });
  };
  EXPECT_EQ(with_rows(7, 2, 3), "");
  EXPECT_EQ(with_rows(6, 2, 3), "the rows are [N=6,H=2,D=3], expected 7 of them for 4 tokens");
  EXPECT_NE(with_rows(7, 1, 3).find("expected [N,H,D] with the H and D of"), std::string::npos);
  EXPECT_NE(with_rows(7, 2, 2).find("expected [N,H,D] with the H and D of"), std::string::npos);
  const Tensor table(DType::f64, {{Axis::N, 7}, {Axis::C, 3}}), y(DType::f64, {{Axis::B, 1}, {Axis::T, 2}});
  EXPECT_EQ(complaint([&] { run_operation("position_rows", options_of({9, 0, 1}), {y, table}); }),
            "the table is [N=7,C=3], expected [N=18,C]: twice the span");
  const auto asked = [&](const PositionBuckets& o) {
    return complaint([&] { operations().make("position_rows", options_of(o)); });
  };
  EXPECT_NE(asked({0, 0, 1}).find("span is 0"), std::string::npos);
  EXPECT_NE(asked({INT64_MAX, 0, 1}).find("span is"), std::string::npos);
  EXPECT_NE(asked({4, 1, 9}).find("buckets is 1"), std::string::npos);
  EXPECT_NE(asked({4, -2, 9}).find("buckets is -2"), std::string::npos);
  EXPECT_NE(asked({4, 8, 5}).find("max_distance is 5, expected 6 to"), std::string::npos);
  EXPECT_EQ(asked({4, 8, 6}), "");
}

// modeling_esm.py: (1 - 0.12) / (1 - masked / length), 0 where a token is masked.
TEST(TokenDropout, MakesUpForMaskedTokens) {
  const Tensor x = filled({{Axis::B, 3}, {Axis::T, 4}, {Axis::C, 1}}, 1, 0),
               ids = Tensor::of<int64_t>({{Axis::B, 3}, {Axis::T, 4}}, {5, 9, 5, 5, 9, 5, 9, 9, 9, 9, 5, 9}),
               lengths = Tensor::of<int64_t>({{Axis::B, 3}}, {4, 2, 2});
  const Options options = {{"mask", int64_t{9}}, {"trained_share", 0.12}};
  const Tensor y = run_operation("token_dropout", options, {x, ids, lengths})[0];
  EXPECT_DOUBLE_EQ(y.at({0, 0, 0}), 0.88 / 0.75);
  EXPECT_EQ(y.at({0, 1, 0}), 0);
  EXPECT_DOUBLE_EQ(y.at({1, 1, 0}), 0.88 / 0.5);  // of two tokens one is masked; the rest is padding
  for (int64_t t = 0; t < 4; ++t) EXPECT_EQ(y.at({2, t, 0}), 0) << "all are masked: not NaN";
  const Tensor wrong = Tensor::of<int64_t>({{Axis::B, 3}}, {4, 5, 2});
  EXPECT_EQ(complaint([&] { run_operation("token_dropout", options, {x, ids, wrong}); }),
            "lengths[1] is 5, expected 0 to 4, the number of tokens");
  for (double share : {1.0, -0.5, std::nan("")})
    EXPECT_NE(complaint([&] { operations().make("token_dropout", {{"trained_share", share}}); }), "");
}

TEST(Neighbours, StandBesideEachRow) {
  const Tensor x = filled({{Axis::B, 1}, {Axis::T, 3}, {Axis::C, 2}}, 1, 1),
               lengths = Tensor::of<int64_t>({{Axis::B, 1}}, {2});
  const Tensor y = run_operation("neighbours", {{"size", int64_t{3}}}, {x, lengths})[0];
  const double expected[3][6] = {{0, 1, 3, 0, 2, 4}, {1, 3, 0, 2, 4, 0}, {3, 0, 0, 4, 0, 0}};
  for (int64_t t = 0; t < 3; ++t)
    for (int64_t c = 0; c < 6; ++c) EXPECT_EQ(y.at({0, t, c}), expected[t][c]) << t << ' ' << c;
  for (int64_t size : {0, 2, -3, 1 << 20})
    EXPECT_NE(complaint([&] { operations().make("neighbours", {{"size", size}}); }), "") << size;
}

}  // namespace
}  // namespace limpid

// What the positions promise beyond the test of every operation: the published numbers, and what they are
// for.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ops/run_operation.h"
#include "ops/scores.h"

namespace limpid {
namespace {

Tensor drawn(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  Tensor t(DType::f64, shape);
  for (int64_t i = 0; i < t.count(); ++i)
    t.data<double>()[i] = std::uniform_real_distribution<>(-1, 1)(random);
  return t;
}

// The bucket of the key `ahead` places after its query: the table holds its own row numbers.
int64_t bucket(int64_t ahead, bool bidirectional, int64_t buckets, int64_t max_distance) {
  Tensor table(DType::f64, {{Axis::N, buckets}, {Axis::H, 1}});
  for (int64_t n = 0; n < buckets; ++n) table.set({n, 0}, static_cast<double>(n));
  const Options options = {
      {"bidirectional", bidirectional}, {"max_distance", max_distance}, {"first_query", -ahead}};
  const Tensor scores(DType::f64, scores_shape(1, 1, 1, 1));
  return static_cast<int64_t>(run_operation("relative_bias", options, {scores, table})[0].at({0, 0, 0, 0}));
}

// 32 buckets both ways: 16 a side, 8 of them exact; the others begin at 8 * 2^(j/2): 8, 11.3, 16, 22.6,
// 32, 45.3, 64, 90.5.
TEST(RelativeBias, BucketsBothWaysAreThoseOfT5) {
  const std::pair<int64_t, int64_t> expected[] = {
      {0, 0},     {-1, 1},     {-7, 7},   {-8, 8},   {-11, 8},  {-12, 9},  {-15, 9},  {-16, 10}, {-22, 10},
      {-23, 11},  {-31, 11},   {-32, 12}, {-45, 12}, {-46, 13}, {-63, 13}, {-64, 14}, {-90, 14}, {-91, 15},
      {-128, 15}, {-5000, 15}, {1, 17},   {7, 23},   {8, 24},   {12, 25},  {64, 30},  {91, 31},  {5000, 31}};
  for (const auto& [ahead, n] : expected) EXPECT_EQ(bucket(ahead, true, 32, 128), n) << "s - t = " << ahead;
}

// One way: 16 exact; the others begin at 16 * 8^(j/16): 16, 18.2, 20.7, 23.6, 26.9, 30.6, ... 112.4.
TEST(RelativeBias, BucketsOfADecoderAreThoseOfT5) {
  const std::pair<int64_t, int64_t> expected[] = {{0, 0},     {-15, 15},  {-16, 16},  {-18, 16}, {-19, 17},
                                                  {-20, 17},  {-21, 18},  {-23, 18},  {-24, 19}, {-26, 19},
                                                  {-27, 20},  {-30, 20},  {-31, 21},  {-34, 21}, {-112, 30},
                                                  {-113, 31}, {-128, 31}, {-900, 31}, {1, 0},    {70, 0}};
  for (const auto& [ahead, n] : expected) EXPECT_EQ(bucket(ahead, false, 32, 128), n) << "s - t = " << ahead;
}

TEST(RelativeBias, RefusesATableThatCannotBe) {
  const Options options = {{"max_distance", int64_t{16}}};
  const auto shape = [&](int64_t buckets, int64_t heads) {
    return complaint([&] {
      operations()
          .make("relative_bias", options)
          ->shape({scores_shape(1, 2, 3, 3), {{Axis::N, buckets}, {Axis::H, heads}}});
    });
  };
  EXPECT_EQ(shape(8, 2), "");
  EXPECT_NE(shape(8, 3).find("[N=8,H=3]"), std::string::npos);
  EXPECT_NE(shape(1, 2).find("at least 2 buckets"), std::string::npos);
  EXPECT_NE(shape(32, 2).find("max_distance is 16, expected more than 16"), std::string::npos);
}

std::vector<double> slopes(int64_t heads) {
  const Tensor z = run_operation("alibi", {{"first_query", int64_t{1}}},
                                 {Tensor(DType::f64, scores_shape(1, heads, 1, 1))})[0];
  std::vector<double> found;
  for (int64_t h = 0; h < heads; ++h) found.push_back(-z.at({0, h, 0, 0}));
  return found;
}

// Press 2021, section 3: 1/2, 1/4, ... 1/256 for 8 heads; 2^-0.5, 2^-1, ... for 16.
TEST(Alibi, SlopesOfAPowerOfTwo) {
  for (int h = 0; h < 8; ++h) EXPECT_EQ(slopes(8)[static_cast<size_t>(h)], std::ldexp(1.0, -(h + 1)));
  for (int h = 0; h < 16; ++h)
    EXPECT_NEAR(slopes(16)[static_cast<size_t>(h)], std::exp2(-0.5 * (h + 1)), 1e-15);
  EXPECT_EQ(slopes(1)[0], 1.0 / 256);
}

// The authors' code for 12 heads: the 8 of eight heads, then the 1st, 3rd, 5th and 7th of sixteen.
TEST(Alibi, SlopesOfOtherNumbersOfHeads) {
  std::vector<double> expected = slopes(8);
  for (double power : {-0.5, -1.5, -2.5, -3.5}) expected.push_back(std::exp2(power));
  const std::vector<double> found = slopes(12);
  ASSERT_EQ(found.size(), 12u);
  for (size_t h = 0; h < 12; ++h) EXPECT_NEAR(found[h], expected[h], 1e-15) << h;
}

TEST(Alibi, FallsWithTheDistance) {
  const Tensor z =
      run_operation("alibi", {}, {Tensor(DType::f64, scores_shape(1, 2, 4, 4))})[0];  // slopes 1/16, 1/256
  EXPECT_EQ(z.at({0, 0, 3, 3}), 0);
  EXPECT_EQ(z.at({0, 0, 3, 0}), -3.0 / 16);
  EXPECT_EQ(z.at({0, 1, 3, 1}), -2.0 / 256);
}

TEST(SinusoidalPositions, AreThoseOfThePaper) {
  const Tensor x(DType::f64, {{Axis::B, 1}, {Axis::T, 3}, {Axis::C, 4}});
  const Tensor y = run_operation("sinusoidal_positions", {}, {x})[0];
  const double expected[3][4] = {
      {0, 1, 0, 1},
      {0.8414709848078965, 0.5403023058681398, 0.009999833334166664, 0.9999500004166653},
      {0.9092974268256817, -0.4161468365471424, 0.01999866669333308, 0.9998000066665778}};
  for (int64_t t = 0; t < 3; ++t)
    for (int64_t c = 0; c < 4; ++c) EXPECT_NEAR(y.at({0, t, c}), expected[t][c], 1e-15);
}

Tensor turned(const Tensor& x, int64_t rows, int64_t width, const std::string& pairing,
              const Tensor* positions = nullptr) {
  const Tensor length(DType::f64, {{Axis::B, 1}, {Axis::T, rows}});
  const std::vector<Tensor> angles = run_operation("rotary_angles", {{"width", width}}, {length});
  Options options = {{"pairing", pairing}, {"width", width}};
  std::vector<Tensor> inputs = {x, angles[0], angles[1]};
  if (positions) {
    options.set("positions", true);
    inputs.push_back(*positions);
  }
  return run_operation("rotary", options, inputs)[0];
}

double dot(const Tensor& a, int64_t t, const Tensor& b, int64_t s) {
  double sum = 0;
  for (int64_t d = 0; d < a.shape().size(Axis::D); ++d) sum += a.at({0, t, 0, d}) * b.at({0, s, 0, d});
  return sum;
}

// The same query and key at every place: how well they match depends on their distance alone.
TEST(Rotary, AMatchDependsOnTheDistanceOnly) {
  const Shape shape = {{Axis::B, 1}, {Axis::T, 9}, {Axis::H, 1}, {Axis::D, 6}};
  Tensor q = drawn(shape, 1), k = drawn(shape, 2);
  for (int64_t t = 1; t < 9; ++t)
    for (int64_t d = 0; d < 6; ++d) {
      q.set({0, t, 0, d}, q.at({0, 0, 0, d}));
      k.set({0, t, 0, d}, k.at({0, 0, 0, d}));
    }
  for (const std::string pairing : {"halves", "interleaved"})
    for (int64_t width : {6, 4}) {
      const Tensor a = turned(q, 9, width, pairing), b = turned(k, 9, width, pairing);
      for (int64_t t = 3; t < 9; ++t) EXPECT_NEAR(dot(a, t, b, t - 2), dot(a, 3, b, 1), 1e-14) << pairing;
      EXPECT_GT(std::abs(dot(a, 3, b, 1) - dot(a, 3, b, 2)), 1e-3) << "and it does depend on it";
    }
}

TEST(Rotary, TheTwoPairingsTurnTheSamePairs) {
  const Shape shape = {{Axis::B, 1}, {Axis::T, 5}, {Axis::H, 1}, {Axis::D, 6}};
  const Tensor x = drawn(shape, 3);
  Tensor woven(DType::f64, shape);  // number i and i + 2 of x side by side; 4 and 5 stay
  const int64_t from[] = {0, 2, 1, 3, 4, 5};
  for (int64_t t = 0; t < 5; ++t)
    for (int64_t d = 0; d < 6; ++d) woven.set({0, t, 0, d}, x.at({0, t, 0, from[d]}));
  const Tensor halves = turned(x, 5, 4, "halves"), interleaved = turned(woven, 5, 4, "interleaved");
  for (int64_t t = 0; t < 5; ++t) {
    for (int64_t d = 0; d < 6; ++d) EXPECT_EQ(interleaved.at({0, t, 0, d}), halves.at({0, t, 0, from[d]}));
    for (int64_t d = 4; d < 6; ++d) EXPECT_EQ(halves.at({0, t, 0, d}), x.at({0, t, 0, d}));
  }
}

TEST(Rotary, PositionsSayWhichAngle) {
  const Shape shape = {{Axis::B, 1}, {Axis::T, 6}, {Axis::H, 1}, {Axis::D, 4}};
  const Tensor x = drawn(shape, 4), all = turned(x, 6, 4, "halves");
  const Shape place = {{Axis::B, 1}, {Axis::T, 1}};
  const Tensor last = Tensor::copy_of(x.view().window(1, 5, 1)), five = Tensor::of<int64_t>(place, {5});
  const Tensor decoded = turned(last, 6, 4, "halves", &five);
  for (int64_t d = 0; d < 4; ++d) EXPECT_EQ(decoded.at({0, 0, 0, d}), all.at({0, 5, 0, d}));
  const Tensor six = Tensor::of<int64_t>(place, {6});
  EXPECT_EQ(complaint([&] { turned(last, 6, 4, "halves", &six); }),
            "positions[0,0] is 6, expected 0 to 5: cos has 6 rows");
  EXPECT_NE(complaint([&] { turned(x, 5, 4, "halves"); }).find("angles for 5 positions only"),
            std::string::npos);
}

TEST(LearnedPositions, ATextLongerThanTheTableIsRefused) {
  const Tensor x(DType::f64, {{Axis::B, 1}, {Axis::T, 5}, {Axis::C, 2}}),
      table(DType::f64, {{Axis::P, 4}, {Axis::C, 2}});
  EXPECT_EQ(complaint([&] { run_operation("learned_positions", {}, {x, table}); }),
            "the text has 5 tokens, but the table [P=4,C=2] has positions for 4 only");
}

TEST(Embedding, ATokenOutOfRangeIsNamedWithItsPlace) {
  const Tensor table(DType::f64, {{Axis::V, 7}, {Axis::C, 2}});
  for (int64_t wrong : {7, -1}) {
    const Tensor ids = Tensor::of<int64_t>({{Axis::B, 2}, {Axis::T, 3}}, {0, 6, 1, 2, wrong, 3});
    EXPECT_EQ(
        complaint([&] { run_operation("embedding", {}, {ids, table}); }),
        join("token ", wrong, " at place 1 of sequence 1, expected 0 to 6: the vocabulary has 7 tokens"));
  }
}

}  // namespace
}  // namespace limpid

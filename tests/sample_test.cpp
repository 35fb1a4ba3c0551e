// The choice of the next token: what each setting leaves, beside the numbers worked out by hand.
#include <gtest/gtest.h>

#include <set>

#include "model/sample.h"

namespace limpid {
namespace {

// Which tokens are ever drawn, of 2,000 draws.
std::set<int64_t> drawn(const std::vector<float>& logits, const SampleOptions& options,
                        const std::vector<int64_t>& before = {}) {
  Random random(1, stream_named("generate"));
  std::set<int64_t> out;
  for (int i = 0; i < 2000; ++i) out.insert(choose(logits, before, options, random));
  return out;
}

// Probabilities 0.5, 0.25, 0.125, 0.0625, 0.0625.
const std::vector<float> k_halves = {3 * 0.6931472f, 2 * 0.6931472f, 0.6931472f, 0, 0};
using Ids = std::set<int64_t>;

TEST(Sample, AtTemperatureZeroTheLikeliest) {
  EXPECT_EQ(drawn(k_halves, {}), (Ids{0}));
  EXPECT_EQ(drawn({1, 5, 5, 2}, {}), (Ids{1}));
}

TEST(Sample, KeepsTheLikeliestOnes) {
  EXPECT_EQ(drawn(k_halves, {.temperature = 1}), (Ids{0, 1, 2, 3, 4}));
  EXPECT_EQ(drawn(k_halves, {.temperature = 1, .top_k = 2}), (Ids{0, 1}));
  EXPECT_EQ(drawn(k_halves, {.temperature = 1, .top_k = 4}), (Ids{0, 1, 2, 3, 4}));  // the last two tie
  EXPECT_EQ(drawn(k_halves, {.temperature = 1, .top_k = 9}), (Ids{0, 1, 2, 3, 4}));
}

TEST(Sample, KeepsTheFewestThatHaveTheShareTogether) {
  EXPECT_EQ(drawn(k_halves, {.temperature = 1, .top_p = 0.4}), (Ids{0}));
  EXPECT_EQ(drawn(k_halves, {.temperature = 1, .top_p = 0.6}), (Ids{0, 1}));
  EXPECT_EQ(drawn(k_halves, {.temperature = 1, .top_p = 0.8}), (Ids{0, 1, 2}));
  EXPECT_EQ(drawn(k_halves, {.temperature = 1, .top_p = 1e-9}), (Ids{0}));
  // Of the two likeliest the first has two thirds.
  EXPECT_EQ(drawn(k_halves, {.temperature = 1, .top_k = 2, .top_p = 0.6}), (Ids{0}));
}

TEST(Sample, KeepsWhatIsNotMuchLessLikelyThanTheLikeliest) {
  EXPECT_EQ(drawn(k_halves, {.temperature = 1, .min_p = 0.2}), (Ids{0, 1, 2}));
  EXPECT_EQ(drawn(k_halves, {.temperature = 1, .min_p = 1}), (Ids{0}));
  // At temperature 2 the third is half as likely as the first, the last ones 0.35 times.
  EXPECT_EQ(drawn(k_halves, {.temperature = 2, .min_p = 0.4}), (Ids{0, 1, 2}));
}

TEST(Sample, PenalizesWhatStandsInTheText) {
  EXPECT_EQ(drawn({2, 1.5f, 0}, {.repetition_penalty = 1.5}, {0, 0}), (Ids{1}));     // 2 / 1.5 = 1.33
  EXPECT_EQ(drawn({-1, -1.2f, -9}, {.repetition_penalty = 1.5}, {0, 7}), (Ids{1}));  // -1 * 1.5
  EXPECT_EQ(drawn({2, 1.5f, 0}, {.repetition_penalty = 1.5}, {0, 1}), (Ids{0}));
}

TEST(Sample, DrawsAsOftenAsTheProbabilitySays) {
  Random random(4, stream_named("generate"));
  int first = 0;
  for (int i = 0; i < 20000; ++i) first += choose(k_halves, {}, {.temperature = 1}, random) == 0;
  EXPECT_NEAR(first, 10000, 350);  // five deviations
  EXPECT_NEAR(probability(k_halves, 2), 0.125, 1e-7);
}

TEST(Sample, SaysWhatIsWrong) {
  const auto error = [](const SampleOptions& options) -> std::string {
    try {
      check(options);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(error({.temperature = -1}), "generate: temperature is -1, expected 0 or more");
  EXPECT_EQ(error({.top_k = -2}), "generate: top_k is -2, expected at least 1, or 0 for all");
  EXPECT_EQ(error({.top_p = 0}), "generate: top_p is 0, expected above 0 and at most 1");
  EXPECT_EQ(error({.min_p = 1.5}), "generate: min_p is 1.5, expected 0 to 1");
  EXPECT_EQ(error({.repetition_penalty = 0}),
            "generate: repetition_penalty is 0, expected above 0; 1 changes nothing");
}

TEST(StopStrings, HoldBackWhatMayBeABeginning) {
  StopStrings stops({"\n\n", "User:"});
  EXPECT_EQ(stops.push("Hello\n"), "Hello");
  EXPECT_EQ(stops.push("Us"), "\n");
  EXPECT_EQ(stops.push("eful"), "Useful");
  EXPECT_EQ(stops.push(" User"), " ");
  EXPECT_FALSE(stops.stopped());
  EXPECT_EQ(stops.push(": more"), "");
  EXPECT_TRUE(stops.stopped());
  EXPECT_EQ(stops.push("x"), "");
  EXPECT_EQ(stops.finish(), "");
  StopStrings other({"abc"});
  EXPECT_EQ(other.push("xab"), "x");
  EXPECT_EQ(other.finish(), "ab");
}

}  // namespace
}  // namespace limpid

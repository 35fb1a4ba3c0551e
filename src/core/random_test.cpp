#include "limpid/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "limpid/error.h"

namespace limpid {
namespace {

// ---- Mersenne Twister ----------------------------------------------------------------------------

TEST(MersenneTwister, first_numbers_are_numpy_s) {
  // np.random.seed(seed); np.random.rand(2000): the first four, and the last
  struct Case {
    uint32_t seed;
    double first[4];
    double last;
  };
  const Case cases[] = {
      {0u,
       {0.5488135039273248, 0.7151893663724195, 0.6027633760716439, 0.5448831829968969},
       0.5017731306999452},
      {7u,
       {0.07630828937395717, 0.7799187922401146, 0.4384092314408935, 0.7234651778309412},
       0.6485816947897555},
      {4294967295u,
       {0.0976320289940138, 0.9123828453026218, 0.78903530185164, 0.7800035981134678},
       0.17947030169391298},
  };
  for (const Case& c : cases) {
    MersenneTwister twister(c.seed);
    for (double expected : c.first) EXPECT_EQ(twister.uniform(), expected) << "seed " << c.seed;
    double drawn = 0;
    for (int i = 4; i < 2000; ++i) drawn = twister.uniform();
    EXPECT_EQ(drawn, c.last) << "seed " << c.seed;
  }
}

TEST(MersenneTwister, output_is_the_authors) {
  // the C++ standard fixes the 10,000th output for the default seed
  MersenneTwister twister(5489);
  uint32_t drawn = 0;
  for (int i = 0; i < 10000; ++i) drawn = twister.bits();
  EXPECT_EQ(drawn, 4123659995u);
}

// ---- Philox --------------------------------------------------------------------------------------

TEST(Philox, known_answers) {  // Random123's kat_vectors, "philox4x32 10"
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t k_ones = 0xffffffff;
  EXPECT_EQ(philox({k_ones, k_ones, k_ones, k_ones}, {k_ones, k_ones}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, uniform_depends_on_every_argument_and_nothing_else) {
  const double value = uniform(1, 2, 3, 4);
  EXPECT_EQ(uniform(1, 2, 3, 4), value);
  EXPECT_NE(uniform(2, 2, 3, 4), value);
  EXPECT_NE(uniform(1, 3, 3, 4), value);
  EXPECT_NE(uniform(1, 2, 4, 4), value);
  EXPECT_NE(uniform(1, 2, 3, 5), value);
  EXPECT_NE(uniform(1 + (uint64_t{1} << 32), 2, 3, 4), value);
  EXPECT_NE(uniform(1, 2, 3, 4 + (uint64_t{1} << 40)), value);
  const auto words = random_words(1, 2, 3, 1);
  for (uint64_t i = 0; i < 4; ++i) EXPECT_EQ(uniform(1, 2, 3, 4 + i), words[i] * 0x1p-32);
}

TEST(Philox, uniform_is_uniform) {
  constexpr int k_draws = 64000, k_bins = 64;
  std::vector<int> bins(k_bins, 0);
  for (uint64_t i = 0; i < k_draws; ++i)
    ++bins[static_cast<size_t>(uniform(7, stream_named("drop"), 9, i) * k_bins)];
  double chi2 = 0;
  for (int n : bins) chi2 += (n - 1000.0) * (n - 1000.0) / 1000.0;
  EXPECT_LT(chi2, 63 + 5 * std::sqrt(2 * 63.0));  // five standard deviations above its mean
}

TEST(Philox, stream_of_a_name_is_fnv1a) {
  EXPECT_EQ(stream_named(""), 0x811c9dc5u);
  EXPECT_EQ(stream_named("a"), 0xe40c292cu);
  EXPECT_EQ(stream_named("foobar"), 0xbf9cf968u);
}

// ---- Random --------------------------------------------------------------------------------------

TEST(Random, goes_on_from_a_stored_state) {
  Random whole(42, 5);
  for (int i = 0; i < 7; ++i) whole.uniform();
  whole.normal();
  Random resumed(whole.state());
  EXPECT_EQ(resumed.state().seed, 42u);
  EXPECT_EQ(resumed.state().stream, 5u);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(whole.normal(), resumed.normal());
    EXPECT_EQ(whole.below(10), resumed.below(10));
  }
  EXPECT_EQ(whole.state(), resumed.state());
}

TEST(Random, streams_and_seeds_differ) {
  EXPECT_NE(Random(1, 0).bits(), Random(1, 1).bits());
  EXPECT_NE(Random(1, 0).bits(), Random(2, 0).bits());
  std::set<uint64_t> drawn;
  Random random(1);
  for (int i = 0; i < 1000; ++i) drawn.insert(random.bits());
  EXPECT_EQ(drawn.size(), 1000u);
}

TEST(Random, normal_has_the_moments_of_a_normal) {
  Random random(3);
  constexpr int k_draws = 100000;
  double sum = 0, squares = 0, fourth = 0;
  int within = 0;
  for (int i = 0; i < k_draws; ++i) {
    const double x = random.normal();
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
    within += std::abs(x) < 1;
  }
  EXPECT_NEAR(sum / k_draws, 0, 0.016);  // five standard errors each
  EXPECT_NEAR(squares / k_draws, 1, 0.023);
  EXPECT_NEAR(fourth / k_draws, 3, 0.16);
  EXPECT_NEAR(within / double{k_draws}, 0.6827, 0.0074);
}

TEST(Random, below_reaches_every_value_evenly) {
  Random random(9);
  std::vector<int> seen(7, 0);
  for (int i = 0; i < 70000; ++i) ++seen[random.below(7)];
  for (int n : seen) EXPECT_NEAR(n, 10000, 470);  // five standard deviations
  EXPECT_EQ(random.below(1), 0u);
  // 3 * 2^62: a plain modulo would draw the lower third of the values twice as often
  const uint64_t count = uint64_t{3} << 62;
  int low_third = 0;
  for (int i = 0; i < 9000; ++i) low_third += random.below(count) < count / 3;
  EXPECT_NEAR(low_third, 3000, 225);
  EXPECT_THROW(random.below(0), Error);
}

TEST(Random, shuffle_keeps_the_elements_and_reaches_every_order) {
  Random random(11);
  std::vector<int> many(1000);
  std::iota(many.begin(), many.end(), 0);
  auto shuffled = many;
  random.shuffle(shuffled);
  EXPECT_NE(shuffled, many);
  std::sort(shuffled.begin(), shuffled.end());
  EXPECT_EQ(shuffled, many);

  std::vector<int> orders(6, 0);
  for (int i = 0; i < 6000; ++i) {
    std::vector<int> three = {0, 1, 2};
    random.shuffle(three);
    ++orders[static_cast<size_t>(2 * three[0] + (three[1] > three[2]))];
  }
  for (int n : orders) EXPECT_NEAR(n, 1000, 145);
  std::vector<int> none;
  random.shuffle(none);
}

}  // namespace
}  // namespace limpid

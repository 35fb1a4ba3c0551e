#include "trace/figures.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/width.h"

namespace limpid {
namespace {

constexpr double k_infinity = std::numeric_limits<double>::infinity();

TEST(Figures, of_one_table_are_written_alike) {
  const Figures figures({1.3476, -0.5, 12}, 3);
  EXPECT_EQ(figures.text(1.3476), "1.348");
  EXPECT_EQ(figures.text(-0.5), "-0.500");
  EXPECT_EQ(figures.width(), 6u);
}

TEST(Figures, small_ones_get_more_decimals_and_extremes_an_exponent) {
  EXPECT_EQ(Figures({0.00123, -0.0004}, 3).text(0.00123), "0.0012");
  EXPECT_EQ(Figures({0.5, 1e-9}, 3).text(1e-9), "<0.001");
  EXPECT_EQ(Figures({3e-12}, 3).text(3e-12), "3.000e-12");
  EXPECT_EQ(Figures({2.5e9, 1}, 2).text(2.5e9), "2.50e+09");
  EXPECT_EQ(Figures::whole({2.5e9}).text(2.5e9), "2500000000");
  EXPECT_EQ(Figures({1e300}, 0).text(1e300).size(), 301u);
}

TEST(Figures, say_what_is_not_finite_and_never_minus_zero) {
  const Figures figures({std::nan(""), k_infinity, -k_infinity}, 3);
  EXPECT_EQ(figures.text(std::nan("")), "NaN");
  EXPECT_EQ(figures.text(k_infinity), "inf");
  EXPECT_EQ(figures.text(-k_infinity), "-inf");
  EXPECT_EQ(figures.width(), 4u);
  EXPECT_EQ(Figures({1}, 3).text(-0.0001), ">-0.001");
  EXPECT_EQ(Figures({1}, 3).text(-0.0), "0");
}

TEST(Figures, bars_are_as_long_as_their_share) {
  EXPECT_EQ(bar(0.5, 4), "██");
  EXPECT_EQ(bar(0.3, 10), "███");
  EXPECT_EQ(bar(1.0 / 16, 2), "▏");
  EXPECT_EQ(bar(0, 10), "");
  EXPECT_EQ(bar(std::nan(""), 10), "");
  EXPECT_EQ(display_width(bar(7, 10)), 10u);
  EXPECT_EQ(level(0), " ");
  EXPECT_EQ(level(1), "█");
  EXPECT_EQ(level(k_infinity), "█");
}

TEST(Figures, keep_the_first_and_the_last) {
  using Places = std::vector<int64_t>;
  EXPECT_EQ(kept(3, 8), (Places{0, 1, 2}));
  EXPECT_EQ(kept(5, 4), (Places{0, 1, k_gap, 4}));
  EXPECT_EQ(kept(100, 2), (Places{0, k_gap}));
  EXPECT_EQ(kept(0, 4), Places{});
  for (int64_t count = 0; count < 40; ++count)
    for (int64_t most = 2; most < 20; ++most) EXPECT_LE(static_cast<int64_t>(kept(count, most).size()), most);
}

TEST(Figures, count_in_words) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-123456), "-123,456");
  EXPECT_EQ(counted(1, "head"), "1 head");
  EXPECT_EQ(counted(2048, "candidate"), "2,048 candidates");
  EXPECT_EQ(counted(2, "class"), "2 classes");
}

}  // namespace
}  // namespace limpid

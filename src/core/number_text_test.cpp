#include "core/number_text.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace limpid {
namespace {

TEST(NumberText, is_the_shortest_that_people_would_write) {
  EXPECT_EQ(number_text(0.1), "0.1");
  EXPECT_EQ(number_text(0.1f), "0.1");
  EXPECT_EQ(number_text(static_cast<double>(0.1f)), "0.10000000149011612");
  EXPECT_EQ(number_text(3.0), "3");
  EXPECT_EQ(number_text(-0.0), "-0");
  EXPECT_EQ(number_text(100000.0), "100000");
  EXPECT_EQ(number_text(123456789012345.0), "123456789012345");
  EXPECT_EQ(number_text(1e16), "1e+16");
  EXPECT_EQ(number_text(0.00001), "0.00001");
  EXPECT_EQ(number_text(0.00000025), "2.5e-07");
  EXPECT_EQ(number_text(std::nan("")), "nan");
  EXPECT_EQ(number_text(-std::nan("")), "nan");
  EXPECT_EQ(number_text(-std::numeric_limits<double>::infinity()), "-inf");
}

TEST(NumberText, every_double_and_float_reads_back) {
  EXPECT_TRUE(rc::check([](uint64_t bits) {
    const double value =
        std::bit_cast<double>(bits * 0x9e3779b97f4a7c15);  // drawn numbers are small at first
    const auto back = parse_number(number_text(value));
    RC_ASSERT(back.has_value());
    const bool same = std::bit_cast<uint64_t>(*back) == std::bit_cast<uint64_t>(value);
    RC_ASSERT(same || (std::isnan(value) && std::isnan(*back)));
  }));
  EXPECT_TRUE(rc::check([](uint32_t bits) {
    const float value = std::bit_cast<float>(bits * 2654435761u);
    const auto back = parse_number(number_text(value));
    RC_ASSERT(back.has_value());
    RC_ASSERT(std::isnan(value) || static_cast<float>(*back) == value);
  }));
  for (double edge : {5e-324, 1.7976931348623157e308, 2.2250738585072014e-308})
    EXPECT_EQ(parse_number(number_text(edge)), edge);
}

TEST(ParseNumber, takes_the_whole_text_or_nothing) {
  EXPECT_EQ(parse_number(" 1.5\t"), 1.5);
  EXPECT_EQ(parse_number("+2"), 2.0);
  EXPECT_EQ(parse_number("-.5"), -0.5);
  EXPECT_EQ(parse_number("1e3"), 1000.0);
  EXPECT_TRUE(std::isnan(*parse_number("NaN")));
  EXPECT_EQ(parse_number("Inf"), std::numeric_limits<double>::infinity());
  for (const char* text :
       {"", " ", "+", "-", "+-1", "++1", "1x", "1 2", "1,5", "0x10", "one", "1e999", "2016-07-01", "e5"})
    EXPECT_FALSE(parse_number(text).has_value()) << "'" << text << "'";
}

}  // namespace
}  // namespace limpid

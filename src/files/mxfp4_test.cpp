#include "files/mxfp4.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "limpid/stored.h"

namespace limpid {
namespace {

// The table of the specification: sign, two bits of exponent (bias 1), one of mantissa; exponent 0 has no
// leading 1.
TEST(Mxfp4, IsSignExponentAndMantissa) {
  for (int bits = 0; bits < 16; ++bits) {
    const int exponent = bits >> 1 & 3, mantissa = bits & 1;
    const double magnitude = exponent == 0 ? mantissa * 0.5 : std::ldexp(1 + mantissa * 0.5, exponent - 1);
    EXPECT_EQ(e2m1_to_float(static_cast<uint8_t>(bits)), bits & 8 ? -magnitude : magnitude) << bits;
  }
  EXPECT_TRUE(std::signbit(e2m1_to_float(8)));
}

TEST(Mxfp4, HasTheFirstOfTwoNumbersInTheLowBits) {
  std::vector<uint8_t> numbers(32);
  numbers[0] = 0x21;   // 0.5, 1
  numbers[15] = 0xf7;  // 6, -6
  numbers[16] = 0x0a;  // of the second block: -1, 0
  const uint8_t scales[] = {127, 130};
  std::vector<float> out(64, 9.f);
  expand_mxfp4(numbers.data(), scales, 2, out.data());
  EXPECT_EQ(out[0], 0.5f);
  EXPECT_EQ(out[1], 1.f);
  EXPECT_EQ(out[2], 0.f);
  EXPECT_EQ(out[30], 6.f);
  EXPECT_EQ(out[31], -6.f);
  EXPECT_EQ(out[32], -8.f);
  EXPECT_EQ(out[33], 0.f);
}

// The least and the largest scale: subnormal numbers are exact, what is beyond float's range is infinite.
TEST(Mxfp4, HasScalesOfAllSizes) {
  std::vector<uint8_t> numbers(32);
  numbers[0] = 0x71;  // 0.5, 6
  numbers[16] = 0x71;
  const uint8_t scales[] = {0, 255};
  std::vector<float> out(64);
  expand_mxfp4(numbers.data(), scales, 2, out.data());
  EXPECT_EQ(out[0], std::ldexp(1.f, -128));
  EXPECT_EQ(out[1], std::ldexp(6.f, -127));
  EXPECT_EQ(out[32], std::ldexp(1.f, 127));
  EXPECT_TRUE(std::isinf(out[33]));
}

// The same numbers in the order of a block that is multiplied as it is.
TEST(Mxfp4, IsPackedForProducts) {
  std::vector<uint8_t> numbers(16);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<uint8_t>(37 * i + 11);
  for (const uint8_t scale : {uint8_t{0}, uint8_t{1}, uint8_t{3}, uint8_t{120}, uint8_t{254}}) {
    float expected[32], block[32];
    uint8_t packed[17];
    expand_mxfp4(numbers.data(), &scale, 1, expected);
    pack_mxfp4(numbers.data(), scale, packed);
    expand_blocks(BlockType::mxfp4, packed, 32, block);
    for (int i = 0; i < 32; ++i) {
      EXPECT_EQ(block[i], expected[i]) << i << " " << int{scale};
      EXPECT_EQ(std::signbit(block[i]), std::signbit(expected[i]));
    }
  }
}

}  // namespace
}  // namespace limpid

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "tensor/dispatch.h"

namespace limpid {
namespace {

constexpr DType k_all[] = {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32,
                           DType::i16, DType::i8,  DType::u8,   DType::u16, DType::u32, DType::boolean};

TEST(DType, names_and_sizes) {
  for (DType dtype : k_all) {
    EXPECT_EQ(dtype_named(name(dtype)), dtype);
    visit_dtype(dtype, [&]<class T>() {
      EXPECT_EQ(dtype_of<T>(), dtype);
      EXPECT_EQ(dtype_of<const T>(), dtype);
      EXPECT_EQ(byte_size(dtype), sizeof(T));
    });
    EXPECT_EQ(is_floating(dtype), name(dtype).find('f') != std::string_view::npos);
  }
  try {
    dtype_named("float");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("'float'"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("f64, f32, bf16"), std::string::npos);
  }
}

// ---- 16-bit floats -------------------------------------------------------------------------------

// What the bits of a 16-bit float stand for, from the definition (IEEE 754, 3.4).
double value_of(uint16_t bits, int mantissa_bits) {
  const int exponent_bits = 15 - mantissa_bits, bias = (1 << (exponent_bits - 1)) - 1;
  const int exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const int mantissa = bits & ((1 << mantissa_bits) - 1);
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return mantissa ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias - mantissa_bits);
  return sign * std::ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
}

TEST(DType, every_16_bit_float_goes_to_float_and_back) {
  for (uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    const float b = to_float(bf16{bits}), h = to_float(f16{bits});
    const double b_expected = value_of(bits, 7), h_expected = value_of(bits, 10);
    ASSERT_TRUE(b == b_expected || (std::isnan(b) && std::isnan(b_expected))) << std::hex << i;
    ASSERT_TRUE(h == h_expected || (std::isnan(h) && std::isnan(h_expected))) << std::hex << i;
    ASSERT_EQ(std::signbit(b), bits >= 0x8000);
    ASSERT_EQ(std::signbit(h), bits >= 0x8000);
    ASSERT_EQ(to_bf16(b).bits, bits);
    ASSERT_EQ(to_f16(h).bits, bits);
  }
}

// The bits nearest to a number, ties to even, found by search among all of them.
uint16_t nearest_bits(double value, int mantissa_bits) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double size = std::abs(value);
  uint16_t low = 0, high = static_cast<uint16_t>(0x7fff & ~((1 << mantissa_bits) - 1));  // 0 and infinity
  const uint16_t infinity = high;
  while (high - low > 1) {
    const auto middle = static_cast<uint16_t>((low + high) / 2);
    (value_of(middle, mantissa_bits) <= size ? low : high) = middle;
  }
  if (size == INFINITY) return sign | infinity;
  // what comes after the largest finite one, as if exponents went on
  const double above = high == infinity ? 2 * value_of(low, mantissa_bits) -
                                              value_of(static_cast<uint16_t>(low - 1), mantissa_bits)
                                        : value_of(high, mantissa_bits);
  const double down = size - value_of(low, mantissa_bits), up = above - size;
  return static_cast<uint16_t>(sign | (down < up || (down == up && low % 2 == 0) ? low : high));
}

TEST(DType, floats_round_to_the_nearest_16_bits_ties_to_even) {
  const auto check = [](float value) {
    if (std::isnan(value)) return;
    ASSERT_EQ(to_bf16(value).bits, nearest_bits(value, 7)) << value;
    ASSERT_EQ(to_f16(value).bits, nearest_bits(value, 10)) << value;
  };
  // every middle of two neighbours, and the floats beside it
  for (uint32_t i = 0; i < 0x7c00; ++i) {
    const auto bits = static_cast<uint16_t>(i);
    const double h = value_of(bits, 10),
                 next = i + 1 < 0x7c00 ? value_of(static_cast<uint16_t>(i + 1), 10) : 65536;
    const auto middle = static_cast<float>((h + next) / 2);
    for (float value : {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, INFINITY)}) {
      check(value);
      check(-value);
    }
  }
  for (uint32_t i = 0; i < 0x7f80; ++i)
    for (uint32_t tail : {0x7fffu, 0x8000u, 0x8001u}) check(std::bit_cast<float>(i << 16 | tail));
  for (uint32_t i = 0; i < 200000; ++i) check(std::bit_cast<float>(i * 2654435761u));
  for (float value : {65504.0f, 65519.99f, 65520.0f, 65536.0f, 3.4028235e38f, 3.3895314e38f, INFINITY})
    check(value);
}

TEST(DType, nan_stays_nan) {
  for (uint32_t bits : {0x7f800001u, 0x7fc00000u, 0x7fffffffu, 0xff800001u, 0xffffffffu}) {
    const float nan = std::bit_cast<float>(bits);
    EXPECT_TRUE(std::isnan(to_float(to_bf16(nan)))) << std::hex << bits;
    EXPECT_TRUE(std::isnan(to_float(to_f16(nan)))) << std::hex << bits;
    EXPECT_EQ(std::signbit(to_float(to_f16(nan))), bits >> 31 == 1);
  }
}

TEST(DType, doubles_round_once) {
  // through float: 1 + 2^-11 + 2^-40 would become the tie 1 + 2^-11, and that 1
  EXPECT_EQ(to_float(store_from_double<f16>(1 + 0x1p-11 + 0x1p-40)), 1 + 0x1p-10f);
  EXPECT_EQ(to_float(store_from_double<f16>(1 + 0x1p-11)), 1.0f);
  EXPECT_EQ(to_float(store_from_double<bf16>(-1 - 0x1p-8 - 0x1p-50)), -1 - 0x1p-7f);
  const auto check = [](double value) {
    if (std::isnan(value)) return true;
    return store_from_double<f16>(value).bits == nearest_bits(value, 10) &&
           store_from_double<bf16>(value).bits == nearest_bits(value, 7);
  };
  for (double value :
       {0.0, -0.0, 5e-324, -5e-324, 1e-40, 1e308, -HUGE_VAL, 65520.0, std::nextafter(65520.0, 0.0)})
    EXPECT_TRUE(check(value)) << value;
  EXPECT_TRUE(rc::check([&](uint64_t bits, uint32_t seed) {
    const auto near = static_cast<uint16_t>((seed * 2654435761u >> 16) % 0x7c00);  // any finite one
    RC_ASSERT(check(std::bit_cast<double>(bits * 0x9e3779b97f4a7c15)));
    const double value = value_of(near, 10), middle = value * (1 + 0x1p-11);
    RC_ASSERT(check(middle));
    RC_ASSERT(check(std::nextafter(middle, 0.0)));
    RC_ASSERT(check(std::nextafter(middle, 1e300)));
  }));
}

// ---- to integers ---------------------------------------------------------------------------------

template <class T>
void check_integer() {
  using Limits = std::numeric_limits<T>;
  SCOPED_TRACE(name(dtype_of<T>()));
  EXPECT_EQ(store_from_double<T>(2.9), 2);
  EXPECT_EQ(store_from_double<T>(-0.9), 0);
  EXPECT_EQ(store_from_double<T>(NAN), 0);
  EXPECT_EQ(store_from_double<T>(INFINITY), Limits::max());
  EXPECT_EQ(store_from_double<T>(-INFINITY), Limits::min());
  EXPECT_EQ(store_from_double<T>(1e300), Limits::max());
  const double above = std::ldexp(1.0, Limits::digits), below = static_cast<double>(Limits::min());
  EXPECT_EQ(store_from_double<T>(above), Limits::max());
  EXPECT_EQ(store_from_double<T>(std::nextafter(above, 0.0)), static_cast<T>(std::nextafter(above, 0.0)));
  EXPECT_EQ(store_from_double<T>(below), Limits::min());
  EXPECT_EQ(store_from_double<T>(below - 1), Limits::min());
}

TEST(Convert, numbers_beyond_an_integer_become_its_nearest) {
  check_integer<int64_t>();
  check_integer<int32_t>();
  check_integer<int16_t>();
  check_integer<int8_t>();
  check_integer<uint8_t>();
  check_integer<uint16_t>();
  check_integer<uint32_t>();
}

TEST(Convert, integers_do_not_pass_through_double) {
  EXPECT_EQ((convert<int64_t>(INT64_MAX)), INT64_MAX);
  EXPECT_EQ((convert<uint8_t>(int64_t{300})), 255);
  EXPECT_EQ((convert<uint32_t>(int8_t{-1})), 0u);
  EXPECT_EQ((convert<int8_t>(uint32_t{4000000000u})), 127);
  EXPECT_EQ((convert<int64_t>(uint32_t{4000000000u})), 4000000000);
  // 2^60 + 2^36 + 1: a double drops the 1, and then the tie goes down
  EXPECT_EQ((convert<float>((int64_t{1} << 60) + (int64_t{1} << 36) + 1)), 0x1p60f + 0x1p37f);
}

TEST(Convert, bool_is_whether_it_is_not_0) {
  EXPECT_TRUE((convert<bool>(0.5f)));
  EXPECT_TRUE((convert<bool>(NAN)));
  EXPECT_TRUE((convert<bool>(bf16{0x0001})));
  EXPECT_FALSE((convert<bool>(-0.0)));
  EXPECT_FALSE((convert<bool>(f16{0x8000})));
  EXPECT_EQ((convert<float>(true)), 1.0f);
  EXPECT_EQ((convert<int8_t>(true)), 1);
  EXPECT_EQ((convert<bf16>(true)).bits, 0x3f80);
}

}  // namespace
}  // namespace limpid

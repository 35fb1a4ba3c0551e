#include "files/float8.h"

#include <gtest/gtest.h>

#include <cmath>

#include "files/test_files.h"

namespace limpid {
namespace {

// Table 1 of OFP8: every number by its definition.
double meaning(int bits, int mantissa_bits, int bias) {
  const int exponent = (bits & 0x7f) >> mantissa_bits, mantissa = bits & ((1 << mantissa_bits) - 1);
  const double fraction = mantissa / std::ldexp(1.0, mantissa_bits);
  const double size = exponent ? std::ldexp(1 + fraction, exponent - bias) : std::ldexp(fraction, 1 - bias);
  return bits & 0x80 ? -size : size;
}

TEST(Float8, EveryNumberIsABf16) {
  for (int bits = 0; bits < 256; ++bits) {
    const float e4m3 = to_float(to_bf16(Float8::e4m3, static_cast<uint8_t>(bits)));
    const float e5m2 = to_float(to_bf16(Float8::e5m2, static_cast<uint8_t>(bits)));
    EXPECT_EQ(std::signbit(e4m3), bits >= 128);
    EXPECT_EQ(std::signbit(e5m2), bits >= 128);
    if ((bits & 0x7f) == 0x7f)
      EXPECT_TRUE(std::isnan(e4m3));
    else
      EXPECT_EQ(e4m3, meaning(bits, 3, 7)) << bits;
    if ((bits & 0x7f) > 0x7c)
      EXPECT_TRUE(std::isnan(e5m2));
    else if ((bits & 0x7f) == 0x7c)
      EXPECT_TRUE(std::isinf(e5m2));
    else
      EXPECT_EQ(e5m2, meaning(bits, 2, 15)) << bits;
  }
  EXPECT_EQ(to_float(to_bf16(Float8::e4m3, 0x7e)), 448);
  EXPECT_EQ(to_float(to_bf16(Float8::e5m2, 0x7b)), 57344);
}

TEST(Float8, OfASafetensorsFile) {
  const std::string header = R"({"a":{"dtype":"F8_E4M3","shape":[2,2],"data_offsets":[0,4]},)"
                             R"("b":{"dtype":"F8_E5M2","shape":[],"data_offsets":[4,5]}})";
  const std::string bytes = std::string(1, static_cast<char>(header.size())) + std::string(7, '\0') + header +
                            std::string("\x38\xb8\x01\x7e\x3c", 5);
  SafetensorsReader reader(bytes_of(bytes), "x");
  EXPECT_EQ(reader.info().find("a")->stored, "F8_E4M3");
  EXPECT_EQ(reader.info().find("a")->dtype, DType::bf16);
  const Tensor a = reader.read("a");
  EXPECT_EQ(a.at({0, 0}), 1);
  EXPECT_EQ(a.at({0, 1}), -1);
  EXPECT_EQ(a.at({1, 0}), std::ldexp(1, -9));
  EXPECT_EQ(a.at({1, 1}), 448);
  EXPECT_EQ(reader.read("b").at({}), 1);
  const std::string wrong = std::string(1, 60) + std::string(7, '\0') +
                            R"({"a":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[0,4]}}  )";
  EXPECT_TRUE(holds(error_of([&] { read_safetensors(bytes_of(wrong + "1234"), "x"); }),
                    {"'a'", "4 bytes, expected 3", "F8_E4M3"}));
}

}  // namespace
}  // namespace limpid

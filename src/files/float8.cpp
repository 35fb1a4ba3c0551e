#include "files/float8.h"

#include <array>
#include <cmath>

namespace limpid {

std::optional<Float8> float8_named(std::string_view name) {
  if (name == "F8_E4M3" || name == "float8_e4m3fn") return Float8::e4m3;
  if (name == "F8_E5M2" || name == "float8_e5m2") return Float8::e5m2;
  return std::nullopt;
}

bf16 to_bf16(Float8 type, uint8_t bits) {
  const int mantissa_bits = type == Float8::e4m3 ? 3 : 2, bias = type == Float8::e4m3 ? 7 : 15;
  const int magnitude = bits & 0x7f, mantissa = magnitude & ((1 << mantissa_bits) - 1);
  const int exponent = magnitude >> mantissa_bits;
  const auto sign = static_cast<uint16_t>((bits & 0x80) << 8);
  const auto signed_bits = [&](uint16_t b) {
    bf16 out;
    out.bits = static_cast<uint16_t>(b | sign);
    return out;
  };
  constexpr uint16_t k_infinity = 0x7f80, k_nan = 0x7fc0;
  if (type == Float8::e4m3 && magnitude == 0x7f) return signed_bits(k_nan);
  if (type == Float8::e5m2 && exponent == 31) return signed_bits(mantissa ? k_nan : k_infinity);
  const int significand = exponent ? mantissa | 1 << mantissa_bits : mantissa;  // subnormal: no leading 1
  const float value =
      std::ldexp(static_cast<float>(significand), (exponent ? exponent : 1) - bias - mantissa_bits);
  return signed_bits(to_bf16(value).bits);
}

void widen(Float8 type, Bytes from, bf16* into) {
  std::array<bf16, 256> table;
  for (size_t i = 0; i < table.size(); ++i) table[i] = to_bf16(type, static_cast<uint8_t>(i));
  for (const std::byte b : from) *into++ = table[static_cast<uint8_t>(b)];
}

}  // namespace limpid

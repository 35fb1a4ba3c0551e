#include <bit>
#include <cmath>

#include "limpid/tensor.h"

namespace limpid {

namespace {
struct Row {
  DType dtype;
  std::string_view name;
  size_t bytes;
};
constexpr Row k_dtypes[] = {
    {DType::f64, "f64", 8}, {DType::f32, "f32", 4}, {DType::bf16, "bf16", 2}, {DType::f16, "f16", 2},
    {DType::i64, "i64", 8}, {DType::i32, "i32", 4}, {DType::i16, "i16", 2},   {DType::i8, "i8", 1},
    {DType::u8, "u8", 1},   {DType::u16, "u16", 2}, {DType::u32, "u32", 4},   {DType::boolean, "bool", 1},
};
}  // namespace

size_t byte_size(DType dtype) { return k_dtypes[static_cast<size_t>(dtype)].bytes; }
std::string_view name(DType dtype) { return k_dtypes[static_cast<size_t>(dtype)].name; }

DType dtype_named(std::string_view wanted) {
  std::string names;
  for (const Row& row : k_dtypes) {
    if (row.name == wanted) return row.dtype;
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  fail_call("dtype '", wanted, "' is not known; expected one of ", names);
}

bool is_floating(DType dtype) { return dtype <= DType::f16; }

bf16 to_bf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) {  // keeps what fits of its payload, and never becomes an infinity
    const uint32_t kept = bits >> 16;
    return {static_cast<uint16_t>(kept & 0x7f ? kept : kept | 0x40)};
  }
  bits += 0x7fff + ((bits >> 16) & 1);  // nearest, ties to even
  return {static_cast<uint16_t>(bits >> 16)};
}

float to_float(bf16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16); }

f16 to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) {  // NaN
    const uint32_t kept = (magnitude >> 13) & 0x3ff;
    return {static_cast<uint16_t>(sign | 0x7c00 | (kept ? kept : 0x200))};
  }
  if (magnitude >= 0x477ff000) return {static_cast<uint16_t>(sign | 0x7c00)};  // rounds to infinity
  if (magnitude < 0x38800000) {  // subnormal: a multiple of 2^-24; lrint rounds ties to even
    return {static_cast<uint16_t>(sign | std::lrint(std::ldexp(std::bit_cast<float>(magnitude), 24)))};
  }
  const uint32_t rebiased = magnitude - (112u << 23);
  return {static_cast<uint16_t>(sign | ((rebiased + 0xfff + ((rebiased >> 13) & 1)) >> 13))};
}

float to_float(f16 value) {
  const uint32_t sign = static_cast<uint32_t>(value.bits & 0x8000) << 16;
  const uint32_t exponent = (value.bits >> 10) & 0x1f;
  const uint32_t mantissa = value.bits & 0x3ff;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000 | (mantissa << 13));
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign ? -magnitude : magnitude;
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

}  // namespace limpid

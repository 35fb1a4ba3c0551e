// Calls a generic function with the C++ type of a DType.
#pragma once

#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "limpid/tensor.h"

namespace limpid {

/// visit_dtype(DType::f32, [&]<class T>() { ... }) calls the lambda with T = float.
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f64:
      return f.template operator()<double>();
    case DType::f32:
      return f.template operator()<float>();
    case DType::bf16:
      return f.template operator()<bf16>();
    case DType::f16:
      return f.template operator()<f16>();
    case DType::i64:
      return f.template operator()<int64_t>();
    case DType::i32:
      return f.template operator()<int32_t>();
    case DType::i16:
      return f.template operator()<int16_t>();
    case DType::i8:
      return f.template operator()<int8_t>();
    case DType::u8:
      return f.template operator()<uint8_t>();
    case DType::u16:
      return f.template operator()<uint16_t>();
    case DType::u32:
      return f.template operator()<uint32_t>();
    case DType::boolean:
      return f.template operator()<bool>();
  }
  fail_call("dtype ", static_cast<int>(dtype), " does not exist");
}

/// One stored number as a double.
template <class T>
double load_as_double(const T& value) {
  if constexpr (std::is_same_v<T, bf16> || std::is_same_v<T, f16>)
    return to_float(value);
  else
    return static_cast<double>(value);
}

/// The float between which and `value` no 16-bit float lies, nor the middle of two: rounding it once more
/// gives what rounding `value` itself would.  (Round to odd: S. Boldo and G. Melquiond, "When double rounding
/// is odd", 2005.)
inline float rounded_to_odd(double value) {
  const float nearest = static_cast<float>(value);
  if (static_cast<double>(nearest) == value || value != value) return nearest;
  auto bits = std::bit_cast<uint32_t>(nearest);
  if (std::abs(static_cast<double>(nearest)) > std::abs(value)) --bits;  // towards zero
  return std::bit_cast<float>(bits | 1);
}

/// A number as the type T.  To a float: the nearest, ties to even, from the double in one step.  To an
/// integer: the fraction is dropped, a number beyond the type becomes the type's nearest, NaN becomes 0.  To
/// bool: is it other than 0 (a NaN is).
template <class T>
T store_from_double(double value) {
  if constexpr (std::is_same_v<T, bf16>)
    return to_bf16(rounded_to_odd(value));
  else if constexpr (std::is_same_v<T, f16>)
    return to_f16(rounded_to_odd(value));
  else if constexpr (std::is_same_v<T, bool>)
    return value != 0;
  else if constexpr (std::is_integral_v<T>) {
    using Limits = std::numeric_limits<T>;
    if (value != value) return 0;
    // 2^digits, one above the largest: the largest itself may be no double
    if (value >= std::ldexp(1.0, Limits::digits)) return Limits::max();
    if (value <= static_cast<double>(Limits::min())) return Limits::min();
    return static_cast<T>(value);
  } else {
    return static_cast<T>(value);
  }
}

/// The same rules from any type; integers do not pass through double, which would round the large ones.
template <class To, class From>
To convert(const From& value) {
  if constexpr (std::is_same_v<To, From>)
    return value;
  else if constexpr (std::is_same_v<To, bool>)
    return load_as_double(value) != 0;
  else if constexpr (std::is_same_v<From, bool>)
    return store_from_double<To>(value);
  else if constexpr (std::is_integral_v<From> && std::is_integral_v<To>) {
    using Limits = std::numeric_limits<To>;
    if (std::cmp_greater(value, Limits::max())) return Limits::max();
    if (std::cmp_less(value, Limits::min())) return Limits::min();
    return static_cast<To>(value);
  } else if constexpr (std::is_integral_v<From> && std::is_floating_point_v<To>) {
    return static_cast<To>(value);
  } else {
    return store_from_double<To>(load_as_double(value));
  }
}

}  // namespace limpid

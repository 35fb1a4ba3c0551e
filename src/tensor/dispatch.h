// Calls a generic function with the C++ type of a DType.
#pragma once

#include "limpid/tensor.h"

namespace limpid {

/// visit_dtype(DType::f32, [&]<class T>() { ... }) calls the lambda with T = float.
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f64: return f.template operator()<double>();
    case DType::f32: return f.template operator()<float>();
    case DType::bf16: return f.template operator()<bf16>();
    case DType::f16: return f.template operator()<f16>();
    case DType::i64: return f.template operator()<int64_t>();
    case DType::i32: return f.template operator()<int32_t>();
    case DType::i16: return f.template operator()<int16_t>();
    case DType::i8: return f.template operator()<int8_t>();
    case DType::u8: return f.template operator()<uint8_t>();
    case DType::u16: return f.template operator()<uint16_t>();
    case DType::u32: return f.template operator()<uint32_t>();
    case DType::boolean: return f.template operator()<bool>();
  }
  fail_call("dtype ", static_cast<int>(dtype), " does not exist");
}

/// One stored number as a double, and back (integers truncate, as a C++ cast does).
template <class T>
double load_as_double(const T& value) {
  if constexpr (std::is_same_v<T, bf16> || std::is_same_v<T, f16>) return to_float(value);
  else return static_cast<double>(value);
}
template <class T>
T store_from_double(double value) {
  if constexpr (std::is_same_v<T, bf16>) return to_bf16(static_cast<float>(value));
  else if constexpr (std::is_same_v<T, f16>) return to_f16(static_cast<float>(value));
  else if constexpr (std::is_same_v<T, bool>) return value != 0;
  else return static_cast<T>(value);
}

}  // namespace limpid

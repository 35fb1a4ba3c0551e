#include "files/torch/element.h"

namespace limpid::torch {

namespace {

constexpr ElementType k_elements[] = {
    {"float64", "DoubleStorage", 8, DType::f64},
    {"float32", "FloatStorage", 4, DType::f32},
    {"bfloat16", "BFloat16Storage", 2, DType::bf16},
    {"float16", "HalfStorage", 2, DType::f16},
    {"int64", "LongStorage", 8, DType::i64},
    {"int32", "IntStorage", 4, DType::i32},
    {"int16", "ShortStorage", 2, DType::i16},
    {"int8", "CharStorage", 1, DType::i8},
    {"uint8", "ByteStorage", 1, DType::u8},
    {"bool", "BoolStorage", 1, DType::boolean},
    {"uint16", "", 2, DType::u16},
    {"uint32", "", 4, DType::u32},
    {"float8_e4m3fn", "", 1, DType::bf16},
    {"float8_e5m2", "", 1, DType::bf16},
    {"uint64", "", 8, DType::f32, false},
    {"float8_e4m3fnuz", "", 1, DType::f32, false},
    {"float8_e5m2fnuz", "", 1, DType::f32, false},
    {"float8_e8m0fnu", "", 1, DType::f32, false},
    {"complex32", "", 4, DType::f32, false},
    {"complex64", "ComplexFloatStorage", 8, DType::f32, false},
    {"complex128", "ComplexDoubleStorage", 16, DType::f32, false},
};

}  // namespace

const ElementType* element_named(std::string_view name) {
  for (const ElementType& each : k_elements)
    if (each.name == name) return &each;
  return nullptr;
}

const ElementType* element_in(std::string_view storage) {
  if (storage == "UntypedStorage") return element_named("uint8");
  for (const ElementType& each : k_elements)
    if (!storage.empty() && each.storage == storage) return &each;
  return nullptr;
}

}  // namespace limpid::torch

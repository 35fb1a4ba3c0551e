// The types of tensors and of metadata: names and sizes.
// Source: ggml/src/ggml.c (type_traits) and ggml/src/ggml-common.h of https://github.com/ggml-org/llama.cpp.
#include "files/gguf/types.h"

#include <algorithm>

namespace limpid {

namespace {

struct Row {
  GgufType type;
  GgufBlock block;
};

using T = GgufType;
using D = DType;
constexpr Row k_types[] = {
    {T::f32, {"F32", 1, 4, true, D::f32}},
    {T::f16, {"F16", 1, 2, true, D::f16}},
    {T::bf16, {"BF16", 1, 2, true, D::bf16}},
    {T::f64, {"F64", 1, 8, true, D::f64}},
    {T::i8, {"I8", 1, 1, true, D::i8}},
    {T::i16, {"I16", 1, 2, true, D::i16}},
    {T::i32, {"I32", 1, 4, true, D::i32}},
    {T::i64, {"I64", 1, 8, true, D::i64}},
    {T::q8_0, {"Q8_0", 32, 34, true, D::f32}},
    {T::q4_0, {"Q4_0", 32, 18, true, D::f32}},
    {T::q4_1, {"Q4_1", 32, 20, true, D::f32}},
    {T::q5_0, {"Q5_0", 32, 22, true, D::f32}},
    {T::q5_1, {"Q5_1", 32, 24, true, D::f32}},
    {T::q2_k, {"Q2_K", 256, 84, true, D::f32}},
    {T::q3_k, {"Q3_K", 256, 110, true, D::f32}},
    {T::q4_k, {"Q4_K", 256, 144, true, D::f32}},
    {T::q5_k, {"Q5_K", 256, 176, true, D::f32}},
    {T::q6_k, {"Q6_K", 256, 210, true, D::f32}},
    {T::q8_1, {"Q8_1", 32, 36, false, D::f32}},
    {T::q8_k, {"Q8_K", 256, 292, false, D::f32}},
    {T::q1_0, {"Q1_0", 128, 18, false, D::f32}},
    {T::iq1_s, {"IQ1_S", 256, 50, false, D::f32}},
    {T::iq1_m, {"IQ1_M", 256, 56, false, D::f32}},
    {T::iq2_xxs, {"IQ2_XXS", 256, 66, false, D::f32}},
    {T::iq2_xs, {"IQ2_XS", 256, 74, false, D::f32}},
    {T::iq2_s, {"IQ2_S", 256, 82, false, D::f32}},
    {T::iq3_xxs, {"IQ3_XXS", 256, 98, false, D::f32}},
    {T::iq3_s, {"IQ3_S", 256, 110, false, D::f32}},
    {T::iq4_nl, {"IQ4_NL", 32, 18, false, D::f32}},
    {T::iq4_xs, {"IQ4_XS", 256, 136, false, D::f32}},
    {T::tq1_0, {"TQ1_0", 256, 54, false, D::f32}},
    {T::tq2_0, {"TQ2_0", 256, 66, false, D::f32}},
    {T::mxfp4, {"MXFP4", 32, 17, true, D::f32}},
    {T::nvfp4, {"NVFP4", 64, 36, false, D::f32}},
};

constexpr std::string_view k_value_names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                              "bool", "string", "array", "u64", "i64", "f64"};
constexpr uint64_t k_value_bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

}  // namespace

const GgufBlock* find_block(GgufType type) {
  const auto* found =
      std::find_if(std::begin(k_types), std::end(k_types), [&](const Row& row) { return row.type == type; });
  return found == std::end(k_types) ? nullptr : &found->block;
}

const GgufBlock& block_of(GgufType type) {
  if (const GgufBlock* block = find_block(type)) return *block;
  fail_call("GGUF: there is no type of tensor ", static_cast<uint32_t>(type));
}

std::string_view name(GgufType type) { return block_of(type).name; }

std::string readable_types() {
  std::string names;
  for (const Row& row : k_types)
    if (row.block.readable) names += (names.empty() ? "" : ", ") + std::string(row.block.name);
  return names;
}

bool is_value_type(uint32_t number) { return number < std::size(k_value_names); }

std::string_view name(GgufValueType type) {
  const auto number = static_cast<uint32_t>(type);
  if (!is_value_type(number)) fail_call("GGUF: there is no type of value ", number);
  return k_value_names[number];
}

uint64_t value_bytes(GgufValueType type) { return k_value_bytes[static_cast<uint32_t>(type)]; }

}  // namespace limpid

// Numbers to blocks of Q8_0, Q4_0 and Q4_1 (dequantize.cpp describes them).
// Source: quantize_row_q8_0_ref, quantize_row_q4_0_ref and quantize_row_q4_1_ref of ggml/src/ggml-quants.c,
// https://github.com/ggml-org/llama.cpp, to the bit.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "files/gguf/types.h"

namespace limpid {

namespace {

constexpr int k_block = 32;

// The reference has 1 / d for a d other than 0.  Of a d so small that this is infinite the f16 is 0, and so
// is every number.
float inverse(float d) {
  const float inverted = d != 0 ? 1.0f / d : 0.0f;
  return std::isfinite(inverted) ? inverted : 0.0f;
}

std::byte* store_half(std::byte* at, float value, const char* what) {
  const f16 half = to_f16(value);
  if (!std::isfinite(to_float(half)))
    fail_call("quantize: ", what, " ", value, " is beyond f16, whose largest is 65504");
  std::memcpy(at, &half.bits, sizeof half.bits);
  return at + sizeof half.bits;
}

// Four bits each, number j in the low nibble of byte j, number 16 + j in its high one.
template <class Code>
void store_nibbles(const float* x, std::byte* at, Code&& code) {
  for (int j = 0; j < k_block / 2; ++j) {
    const int low = std::min(15, code(x[j])), high = std::min(15, code(x[k_block / 2 + j]));
    at[j] = static_cast<std::byte>(low | high << 4);
  }
}

void write_q8_0(const float* x, std::byte* at) {
  float most = 0;
  for (int j = 0; j < k_block; ++j) most = std::max(most, std::fabs(x[j]));
  const float d = most / 127, by = inverse(d);
  at = store_half(at, d, "a scale of");
  for (int j = 0; j < k_block; ++j)
    at[j] = static_cast<std::byte>(static_cast<int8_t>(std::round(x[j] * by)));
}

// The number of the largest magnitude (the first of them) becomes -8.
void write_q4_0(const float* x, std::byte* at) {
  float most = 0;
  for (int j = 0; j < k_block; ++j)
    if (std::fabs(x[j]) > std::fabs(most)) most = x[j];
  const float d = most / -8, by = inverse(d);
  at = store_half(at, d, "a scale of");
  store_nibbles(x, at, [&](float value) { return static_cast<int>(value * by + 8.5f); });
}

void write_q4_1(const float* x, std::byte* at) {
  const auto [low, high] = std::minmax_element(x, x + k_block);
  const float least = *low, d = (*high - least) / 15, by = inverse(d);
  at = store_half(at, d, "a scale of");
  at = store_half(at, least, "a least number of");
  store_nibbles(x, at,
                [&](float value) { return static_cast<int>(std::floor((value - least) * by + 0.5f)); });
}

}  // namespace

std::vector<std::byte> quantize(GgufType type, std::span<const float> numbers) {
  if (type != GgufType::q8_0 && type != GgufType::q4_0 && type != GgufType::q4_1)
    fail_call("quantize: no blocks of ", name(type), " are written, expected one of Q8_0, Q4_0, Q4_1");
  if (numbers.size() % k_block != 0)
    fail_call("quantize: ", numbers.size(), " numbers, expected a multiple of ", k_block);
  for (size_t i = 0; i < numbers.size(); ++i)
    if (!std::isfinite(numbers[i]))
      fail_call("quantize: number ", i, " is ", numbers[i], ", expected a finite one");
  const auto write = type == GgufType::q8_0 ? write_q8_0 : type == GgufType::q4_0 ? write_q4_0 : write_q4_1;
  const size_t bytes = block_of(type).bytes;
  std::vector<std::byte> out(numbers.size() / k_block * bytes);
  for (size_t i = 0; i < numbers.size() / k_block; ++i)
    write(numbers.data() + i * k_block, out.data() + i * bytes);
  return out;
}

}  // namespace limpid

// One block of quantised numbers, and what it stands for: those types that are multiplied as they are.
// Source of the layouts: ggml/src/ggml-common.h (block_q4_0, ...), of the arithmetic and its order:
// dequantize_row_* of ggml/src/ggml-quants.c, https://github.com/ggml-org/llama.cpp.
//
// f16 d stands first in a block, little endian, at any address.  A `low nibble` is bits 0 to 3 of a byte.
#pragma once

#include <cstring>

#include "limpid/tensor.h"

namespace limpid {

inline float half_at(const unsigned char* at) {
  f16 half;
  std::memcpy(&half.bits, at, sizeof half.bits);
  return to_float(half);
}

void expand_q8_0(const unsigned char* block, float* out);
void expand_q4_0(const unsigned char* block, float* out);
void expand_q4_1(const unsigned char* block, float* out);
void expand_q4_k(const unsigned char* block, float* out);
void expand_mxfp4_block(const unsigned char* block, float* out);

/// 2^(byte - 128): what the whole numbers 0, 1, 2, 3, 4, 6, 8, 12 of a block of MXFP4 are multiplied with.
float mxfp4_scale(unsigned char byte);

/// Scale and least number of sub-block j of 8 of Q4_K and Q5_K, six bits each.
struct ScaleAndMin {
  float scale, min;
};
ScaleAndMin scale_of_q4_k(const unsigned char* scales, int j);

}  // namespace limpid

// Blocks of quantised numbers, and what they stand for.  One function a type, its layout above it; those that
// are multiplied as they are stand in tensor/blocks.cpp.
// Source of the layouts: ggml/src/ggml-common.h (block_q4_0, ...), of the arithmetic and its order:
// dequantize_row_* of ggml/src/ggml-quants.c, https://github.com/ggml-org/llama.cpp.
//
// f16 d stands first or last in a block, little endian, at any address.  A `low nibble` is bits 0 to 3 of a
// byte.
#include <bit>
#include <cstring>

#include "files/gguf/types.h"
#include "tensor/blocks.h"

namespace limpid {

static_assert(std::endian::native == std::endian::little, "GGUF: little-endian machines only");

namespace {

using Byte = unsigned char;

uint32_t word_at(const Byte* at) {
  uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// ---- 32 numbers a block --------------------------------------------------------------------------

// { f16 d; u32 high; u8 q[16] }: d (q - 16); low four bits as in Q4_0, the fifth of number j is bit j of
// `high`
void q5_0(const Byte* block, float* out) {
  const float d = half_at(block);
  const uint32_t high = word_at(block + 2);
  const Byte* q = block + 6;
  for (int j = 0; j < 16; ++j) {
    const int first = (q[j] & 15) | static_cast<int>((high >> j & 1) << 4);
    const int second = (q[j] >> 4) | static_cast<int>((high >> (16 + j) & 1) << 4);
    out[j] = static_cast<float>(first - 16) * d;
    out[16 + j] = static_cast<float>(second - 16) * d;
  }
}

// { f16 d; f16 m; u32 high; u8 q[16] }: d q + m; bits as in Q5_0
void q5_1(const Byte* block, float* out) {
  const float d = half_at(block), m = half_at(block + 2);
  const uint32_t high = word_at(block + 4);
  const Byte* q = block + 8;
  for (int j = 0; j < 16; ++j) {
    const int first = (q[j] & 15) | static_cast<int>((high >> j & 1) << 4);
    const int second = (q[j] >> 4) | static_cast<int>((high >> (16 + j) & 1) << 4);
    out[j] = static_cast<float>(first) * d + m;
    out[16 + j] = static_cast<float>(second) * d + m;
  }
}

// ---- 256 numbers a block: sub-blocks with small integer scales of their own ------------------------

// { u8 scales[16]; u8 q[64]; f16 d; f16 dmin }: sub-blocks of 16, d (scale & 15) q - dmin (scale >> 4).
// Each half of the block has 32 bytes of q: its sub-blocks 0 and 1 are bits 0 and 1 of them, 2 and 3 bits 2
// and 3, ...
void q2_k(const Byte* block, float* out) {
  const Byte* scales = block;
  const Byte* q = block + 16;
  const float d = half_at(block + 80), dmin = half_at(block + 82);
  for (int half = 0; half < 2; ++half, q += 32)
    for (int shift = 0; shift < 8; shift += 2)
      for (int part = 0; part < 2; ++part, ++scales) {
        const float scale = d * static_cast<float>(*scales & 15);
        const float least = dmin * static_cast<float>(*scales >> 4);
        for (int i = 0; i < 16; ++i)
          *out++ = scale * static_cast<float>(q[16 * part + i] >> shift & 3) - least;
      }
}

// Scale `j` of 16, six bits: the low four are nibble j of the first 8 bytes (those of 0 to 7 in their low
// nibbles), the high two are bits 2 (j / 4) and above of byte 8 + j % 4.
int scale_of_q3_k(const Byte* scales, int j) {
  const int low = j < 8 ? scales[j] & 15 : scales[j - 8] >> 4;
  return (low | (scales[8 + j % 4] >> (2 * (j / 4)) & 3) << 4) - 32;
}

// { u8 high[32]; u8 q[64]; u8 scales[12]; f16 d }: sub-blocks of 16, d scale (q - 4); q is three bits, its
// low two as in Q2_K; the third of number 32 k + i is bit k of high[i].
void q3_k(const Byte* block, float* out) {
  const Byte* high = block;
  const Byte* q = block + 32;
  const Byte* scales = block + 96;
  const float d = half_at(block + 108);
  for (int sub = 0; sub < 16; ++sub) {
    const float scale = d * static_cast<float>(scale_of_q3_k(scales, sub));
    const int row = sub / 2;               // of 32 numbers
    const Byte* low = q + 32 * (row / 4);  // four rows share 32 bytes
    for (int i = 16 * (sub % 2); i < 16 * (sub % 2) + 16; ++i) {
      const int third = (high[i] >> row & 1) ? 0 : 4;
      *out++ = scale * static_cast<float>((low[i] >> (2 * (row % 4)) & 3) - third);
    }
  }
}

// { f16 d; f16 dmin; u8 scales[12]; u8 high[32]; u8 q[128] }: as Q4_K, and the fifth bit of number 32 k + i
// is bit k of high[i].
void q5_k(const Byte* block, float* out) {
  const float d = half_at(block), dmin = half_at(block + 2);
  const Byte* high = block + 16;
  for (int sub = 0; sub < 8; ++sub) {
    const ScaleAndMin pair = scale_of_q4_k(block + 4, sub);
    const float scale = d * pair.scale, least = dmin * pair.min;
    const Byte* q = block + 48 + 32 * (sub / 2);
    for (int i = 0; i < 32; ++i) {
      const int value = (q[i] >> (4 * (sub % 2)) & 15) | (high[i] >> sub & 1) << 4;
      *out++ = scale * static_cast<float>(value) - least;
    }
  }
}

// { u8 low[128]; u8 high[64]; i8 scales[16]; f16 d }: sub-blocks of 16, d scale (q - 32), q of six bits. Each
// half of the block is four rows of 32 numbers: rows 0 and 1 are the low nibbles of its 64 bytes of low, rows
// 2 and 3 the high ones; the top two bits of row r are bits 2 r and 2 r + 1 of its 32 bytes of high.
void q6_k(const Byte* block, float* out) {
  const float d = half_at(block + 208);
  const Byte* scales = block + 192;
  for (int half = 0; half < 2; ++half)
    for (int row = 0; row < 4; ++row) {
      const Byte* low = block + 64 * half + 32 * (row % 2);
      const Byte* high = block + 128 + 32 * half;
      for (int i = 0; i < 32; ++i) {
        const int sub = 8 * half + 2 * row + i / 16;
        const int value = (low[i] >> (4 * (row / 2)) & 15) | (high[i] >> (2 * row) & 3) << 4;
        const float scale = d * static_cast<float>(static_cast<int8_t>(scales[sub]));
        *out++ = scale * static_cast<float>(value - 32);
      }
    }
}

// ---- plain numbers ---------------------------------------------------------------------------------

template <class T>
void plain(const Byte* at, float* out) {
  T value;
  std::memcpy(&value, at, sizeof value);
  *out = static_cast<float>(value);
}
void plain_f16(const Byte* at, float* out) { *out = half_at(at); }
void plain_bf16(const Byte* at, float* out) {
  bf16 value;
  std::memcpy(&value.bits, at, sizeof value.bits);
  *out = to_float(value);
}

// Without a -0, which ggml's table does not have.
void mxfp4(const Byte* block, float* out) {
  expand_mxfp4_block(block, out);
  for (int i = 0; i < 32; ++i) out[i] += 0.f;
}

using Decode = void (*)(const Byte*, float*);

Decode decode_of(GgufType type) {
  switch (type) {
    case GgufType::q8_0:
      return expand_q8_0;
    case GgufType::q4_0:
      return expand_q4_0;
    case GgufType::q4_1:
      return expand_q4_1;
    case GgufType::q5_0:
      return q5_0;
    case GgufType::q5_1:
      return q5_1;
    case GgufType::q2_k:
      return q2_k;
    case GgufType::q3_k:
      return q3_k;
    case GgufType::q4_k:
      return expand_q4_k;
    case GgufType::q5_k:
      return q5_k;
    case GgufType::q6_k:
      return q6_k;
    case GgufType::mxfp4:
      return mxfp4;
    case GgufType::f32:
      return plain<float>;
    case GgufType::f16:
      return plain_f16;
    case GgufType::bf16:
      return plain_bf16;
    case GgufType::f64:
      return plain<double>;
    case GgufType::i8:
      return plain<int8_t>;
    case GgufType::i16:
      return plain<int16_t>;
    case GgufType::i32:
      return plain<int32_t>;
    case GgufType::i64:
      return plain<int64_t>;
    default:
      fail_call("dequantize: blocks of ", name(type), " are not supported, expected one of ",
                readable_types());
  }
}

}  // namespace

void dequantize(GgufType type, Bytes blocks, std::span<float> out) {
  const GgufBlock& block = block_of(type);
  const Decode decode = decode_of(type);
  const size_t numbers = static_cast<size_t>(block.numbers);
  if (out.size() % numbers != 0 || blocks.size() % block.bytes != 0 ||
      out.size() / numbers != blocks.size() / block.bytes)
    fail_call("dequantize: ", blocks.size(), " bytes of ", block.name, " for ", out.size(),
              " numbers, expected ", block.bytes, " bytes for each ", numbers);
  const auto* at = reinterpret_cast<const Byte*>(blocks.data());
  for (size_t i = 0; i < out.size() / numbers; ++i) decode(at + i * block.bytes, out.data() + i * numbers);
}

}  // namespace limpid

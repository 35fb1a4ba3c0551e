#include "tensor/blocks.h"

#include <bit>

namespace limpid {

static_assert(std::endian::native == std::endian::little, "blocks: little-endian machines only");

// { f16 d; i8 q[32] }: d q
void expand_q8_0(const unsigned char* block, float* out) {
  const float d = half_at(block);
  for (int j = 0; j < 32; ++j) out[j] = static_cast<float>(static_cast<int8_t>(block[2 + j])) * d;
}

// { f16 d; u8 q[16] }: d (q - 8); number j in the low nibble of q[j], number 16 + j in its high one
void expand_q4_0(const unsigned char* block, float* out) {
  const float d = half_at(block);
  const unsigned char* q = block + 2;
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>((q[j] & 15) - 8) * d;
    out[16 + j] = static_cast<float>((q[j] >> 4) - 8) * d;
  }
}

// { f16 d; f16 m; u8 q[16] }: d q + m; nibbles as in Q4_0
void expand_q4_1(const unsigned char* block, float* out) {
  const float d = half_at(block), m = half_at(block + 2);
  const unsigned char* q = block + 4;
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>(q[j] & 15) * d + m;
    out[16 + j] = static_cast<float>(q[j] >> 4) * d + m;
  }
}

// Eight pairs of six bits in 12 bytes: pairs 0 to 3 are the low six bits of bytes j and 4 + j; of pairs 4 to
// 7 the low four bits are the nibbles of byte 4 + j, the high two are the top bits of bytes j - 4 and j.
ScaleAndMin scale_of_q4_k(const unsigned char* scales, int j) {
  if (j < 4) return {static_cast<float>(scales[j] & 63), static_cast<float>(scales[j + 4] & 63)};
  return {static_cast<float>((scales[j + 4] & 15) | (scales[j - 4] >> 6) << 4),
          static_cast<float>((scales[j + 4] >> 4) | (scales[j] >> 6) << 4)};
}

// { f16 d; f16 dmin; u8 scales[12]; u8 q[128] }: sub-blocks of 32, d scale q - dmin min; sub-blocks 2 k and 2
// k + 1 are the low and the high nibbles of the k-th 32 bytes of q.
void expand_q4_k(const unsigned char* block, float* out) {
  const float d = half_at(block), dmin = half_at(block + 2);
  for (int sub = 0; sub < 8; ++sub) {
    const ScaleAndMin pair = scale_of_q4_k(block + 4, sub);
    const float scale = d * pair.scale, least = dmin * pair.min;
    const unsigned char* q = block + 16 + 32 * (sub / 2);
    for (int i = 0; i < 32; ++i) *out++ = scale * static_cast<float>(q[i] >> (4 * (sub % 2)) & 15) - least;
  }
}

float mxfp4_scale(unsigned char byte) {
  const uint32_t bits = byte < 2 ? 0x00200000u << byte : static_cast<uint32_t>(byte - 1) << 23;
  return std::bit_cast<float>(bits);
}

// { u8 e; u8 q[16] }: nibbles as in Q4_0, each a sign and three bits that stand for a whole number
void expand_mxfp4_block(const unsigned char* block, float* out) {
  static constexpr float k_numbers[] = {0, 1, 2, 3, 4, 6, 8, 12, -0.f, -1, -2, -3, -4, -6, -8, -12};
  const float d = mxfp4_scale(block[0]);
  for (int j = 0; j < 16; ++j) {
    out[j] = k_numbers[block[1 + j] & 15] * d;
    out[16 + j] = k_numbers[block[1 + j] >> 4] * d;
  }
}

}  // namespace limpid

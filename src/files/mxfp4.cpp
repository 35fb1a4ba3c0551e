#include "files/mxfp4.h"

#include <cmath>

namespace limpid {

float e2m1_to_float(uint8_t bits) {
  static constexpr float k_magnitudes[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
  const float magnitude = k_magnitudes[bits & 7];
  return bits & 8 ? -magnitude : magnitude;
}

void expand_mxfp4(const uint8_t* numbers, const uint8_t* scales, int64_t blocks, float* to) {
  constexpr int64_t k_bytes = k_mxfp4_block / 2;
  constexpr int k_bias = 127;
  for (int64_t block = 0; block < blocks; ++block) {
    float table[16];
    for (uint8_t bits = 0; bits < 16; ++bits)
      table[bits] = std::ldexp(e2m1_to_float(bits), scales[block] - k_bias);
    for (int64_t i = 0; i < k_bytes; ++i) {
      const uint8_t two = numbers[block * k_bytes + i];
      to[block * k_mxfp4_block + 2 * i] = table[two & 15];
      to[block * k_mxfp4_block + 2 * i + 1] = table[two >> 4];
    }
  }
}

// Number j in the low nibble of byte j, number 16 + j in its high one.
void pack_mxfp4(const uint8_t* numbers, uint8_t scale, uint8_t* to) {
  const auto nibble = [&](int64_t i) { return numbers[i / 2] >> (i % 2 * 4) & 15; };
  to[0] = scale;
  for (int64_t j = 0; j < k_mxfp4_block / 2; ++j)
    to[1 + j] = static_cast<uint8_t>(nibble(j) | nibble(k_mxfp4_block / 2 + j) << 4);
}

}  // namespace limpid

// Numbers of 4 bits that share a scale: MXFP4 of the OCP Microscaling Formats (MX) Specification, version
// 1.0, 2023, 5.2 and 5.3, as gpt-oss's checkpoints hold them: 32 numbers of a row in 16 bytes, the first of
// two in a byte's low bits, and one byte of scale for these.  (ggml's MXFP4 has another order.)
#pragma once

#include <cstdint>

namespace limpid {

inline constexpr int64_t k_mxfp4_block = 32;  // numbers that share a scale

/// E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives.
float e2m1_to_float(uint8_t bits);
/// So many blocks: 16 bytes of each in `numbers`, and one in `scales`, 2^(byte - 127), to 32 floats of each.
void expand_mxfp4(const uint8_t* numbers, const uint8_t* scales, int64_t blocks, float* to);

/// One block of 16 bytes and its scale in ggml's order: BlockType::mxfp4, 17 bytes.
void pack_mxfp4(const uint8_t* numbers, uint8_t scale, uint8_t* to);

}  // namespace limpid

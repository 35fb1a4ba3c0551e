// Products of 16-bit floats (bf16) in pairs, where the machine has an instruction for them: AVX-512 BF16.  A
// cell of 32 bits holds two numbers, the first in the low half; sum + a0 b0 + a1 b1 in f32.
//
// Highway 1.0.3 has no such product.  The two instructions are written out, so that no other compiler flag is
// needed and nothing else of that set slips in; k_pairs and has_pairs() say where they may run.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_PAIRS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_PAIRS_INL_H_
#undef LIMPID_KERNELS_PAIRS_INL_H_
#else
#define LIMPID_KERNELS_PAIRS_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/math-inl.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

#if HWY_TARGET == HWY_AVX3

constexpr bool k_pairs = true;

/// Has this machine the instructions?
inline bool has_pairs() {
  static const bool has = __builtin_cpu_supports("avx512bf16") != 0;
  return has;
}

HWY_INLINE Vec dot_pairs(Vec a, Vec b, Vec sum) {
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
  return sum;
}

/// Two vectors of floats, rounded to nearest even, as pairs.
HWY_INLINE Vec to_pairs(Vec first, Vec second) {
  __m512i halves;  // first's numbers, then second's
  __asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(halves) : "v"(first.raw), "v"(second.raw));
  alignas(64) static constexpr uint16_t k_order[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                       21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                       11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return Vec{_mm512_castsi512_ps(_mm512_permutexvar_epi16(_mm512_load_si512(k_order), halves))};
}

#else

constexpr bool k_pairs = false;
inline bool has_pairs() { return false; }
HWY_INLINE Vec dot_pairs(Vec, Vec, Vec sum) { return sum; }
HWY_INLINE Vec to_pairs(Vec first, Vec) { return first; }

#endif

/// Rows [rows][width] of bf16, `stride` apart, as pairs of neighbouring rows to[rows / 2][width]; a last row
/// without neighbour is paired with zeros.
inline void pair_rows(const uint16_t* from, int64_t stride, int64_t rows, int64_t width,
                      uint32_t* HWY_RESTRICT to) {
  for (int64_t r = 0; r < rows; r += 2, to += width) {
    const uint16_t* first = from + r * stride;
    const uint16_t* second = first + stride;
    if (r + 1 < rows) {
      for (int64_t c = 0; c < width; ++c) to[c] = first[c] | static_cast<uint32_t>(second[c]) << 16;
    } else {
      for (int64_t c = 0; c < width; ++c) to[c] = first[c];
    }
  }
}

/// Weights [rows][pitch] as pairs of neighbouring rows.
inline void pair_weights(const float* from, int64_t rows, int64_t pitch, float* HWY_RESTRICT to) {
  for (int64_t r = 0; r < rows; r += 2) {
    for (int64_t c = 0; c < pitch; c += k_lanes) {
      const Vec first = hn::LoadU(k_f32, from + r * pitch + c);
      const Vec second = r + 1 < rows ? hn::LoadU(k_f32, from + (r + 1) * pitch + c) : hn::Zero(k_f32);
      hn::StoreU(to_pairs(first, second), k_f32, to + r / 2 * pitch + c);
    }
  }
}

inline bool finite_bf16(const uint16_t* rows, int64_t stride, int64_t count, int64_t width) {
  bool bad = false;
  for (int64_t r = 0; r < count; ++r, rows += stride) {
    for (int64_t c = 0; c < width; ++c) bad |= (rows[c] & 0x7f80) == 0x7f80;
  }
  return !bad;
}

// C[kRows, vecs] (+)= A B over t.k pairs: A's pair (r, p) as in tile-inl.h.
template <int kRows, int kVecs, bool kColumns>
void pairs_tile(const TileArgs& t) {
  Vec sum[kRows][kVecs];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) {
      sum[r][v] = t.add && !t.apart ? hn::LoadU(k_f32, t.c + r * t.ldc + v * k_lanes) : hn::Zero(k_f32);
    }
  }
  const float* HWY_RESTRICT a = t.a;
  const float* HWY_RESTRICT b = t.b;
  for (int64_t p = t.k; p > 0; --p, a += kColumns ? t.lda : 1, b += t.ldb) {
    Vec column[kVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) column[v] = hn::LoadU(k_f32, b + v * k_lanes);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const Vec row = hn::Set(k_f32, kColumns ? a[r] : a[r * t.lda]);
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) sum[r][v] = dot_pairs(row, column[v], sum[r][v]);
    }
  }
  if (t.add && t.apart) {
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) {
        sum[r][v] = hn::Add(hn::LoadU(k_f32, t.c + r * t.ldc + v * k_lanes), sum[r][v]);
      }
    }
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) hn::StoreU(sum[r][v], k_f32, t.c + r * t.ldc + v * k_lanes);
  }
}

template <int kVecs, bool kColumns>
TileFn pairs_tile_of(int64_t rows) {
  constexpr TileFn table[k_rows] = {pairs_tile<1, kVecs, kColumns>, pairs_tile<2, kVecs, kColumns>,
                                    pairs_tile<3, kVecs, kColumns>, pairs_tile<4, kVecs, kColumns>,
                                    pairs_tile<5, kVecs, kColumns>, pairs_tile<6, kVecs, kColumns>};
  return table[rows - 1];
}

/// As tile_rows(m, vecs, kColumns, t), for pairs.
template <bool kColumns>
void pairs_tile_rows(int64_t m, int vecs, TileArgs t) {
  for (int64_t row = 0; row < m; row += k_rows) {
    const int64_t rows = std::min<int64_t>(k_rows, m - row);
    const TileFn tile = vecs == 1   ? pairs_tile_of<1, kColumns>(rows)
                        : vecs == 2 ? pairs_tile_of<2, kColumns>(rows)
                        : vecs == 3 ? pairs_tile_of<3, kColumns>(rows)
                                    : pairs_tile_of<4, kColumns>(rows);
    tile(t);
    t.a += rows * (kColumns ? 1 : t.lda);
    t.c += rows * t.ldc;
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_PAIRS_INL_H_

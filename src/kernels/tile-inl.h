// The register tile under every product here: C[rows, n] (+)= A[rows, k] B[k, n] for up to 6 rows and up to
// k_max_vecs vectors of columns, all sums in registers.  A is read by scalar broadcast (in either storage
// order, so it is never transposed), B and C by whole vectors.
//
// A cell's sum is one chain of fused multiply-adds over k in order, whatever the tile's shape: its bits do
// not depend on which tile, block or vector width it falls into.
//
// Included once per instruction set; the tiles themselves are compiled in tile.cpp alone.
#if defined(LIMPID_KERNELS_TILE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_TILE_INL_H_
#undef LIMPID_KERNELS_TILE_INL_H_
#else
#define LIMPID_KERNELS_TILE_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using Vec = hn::Vec<F32>;

constexpr F32 k_f32{};
constexpr int64_t k_lanes = hn::MaxLanes(F32{});
constexpr int k_rows = 6;
// 6 x 4 sums need 24 of 32 registers; with 16 registers (AVX2) 6 x 2 take 12.
#if HWY_TARGET == HWY_AVX2
constexpr int k_max_vecs = 2;
#else
constexpr int k_max_vecs = 4;
#endif
constexpr int64_t k_width = k_max_vecs * k_lanes;  // columns of a whole tile

struct TileArgs {
  int64_t k;
  const float* a;
  int64_t lda;  // between rows of A, or between its columns where they are contiguous
  const float* b;
  int64_t ldb;
  float* c;
  int64_t ldc;
  bool add;    // to what C holds; else C is only written
  bool apart;  // with `add`: these k are summed from 0, and the sum is added to C once
};

using TileFn = void (*)(const TileArgs&);

/// The tile for `rows` (1..6) by `vecs` (1..k_max_vecs) vectors.  columns: A's element (r, p) is at
/// a[p * lda + r], else at a[r * lda + p].
TileFn tile_for(int rows, int vecs, bool columns);

/// C[m, vecs * lanes] (+)= A[m, k] B[k, ...], any m.
inline void tile_rows(int64_t m, int vecs, bool columns, TileArgs t) {
  const int64_t step = columns ? 1 : t.lda;
  for (int64_t row = 0; row < m; row += k_rows) {
    const int rows = static_cast<int>(std::min<int64_t>(k_rows, m - row));
    tile_for(rows, vecs, columns)(t);
    t.a += rows * step;
    t.c += rows * t.ldc;
  }
}

/// Vectors that hold n floats.
inline int vecs_for(int64_t n) { return static_cast<int>((n + k_lanes - 1) / k_lanes); }

/// to[c * to_pitch + r] = from[r * pitch + c] for r < rows, c < columns.
inline void transpose(int64_t rows, int64_t columns, const float* HWY_RESTRICT from, int64_t pitch,
                      float* HWY_RESTRICT to, int64_t to_pitch) {
  int64_t r = 0;
#if HWY_TARGET != HWY_SCALAR
  // 4 x 4 at a time: two rounds of interleaving.
  const hn::FixedTag<float, 4> d4;
  const hn::FixedTag<double, 2> d2;
  for (; r + 4 <= rows; r += 4) {
    const float* row = from + r * pitch;
    int64_t c = 0;
    for (; c + 4 <= columns; c += 4) {
      const auto r0 = hn::LoadU(d4, row + c), r1 = hn::LoadU(d4, row + pitch + c);
      const auto r2 = hn::LoadU(d4, row + 2 * pitch + c), r3 = hn::LoadU(d4, row + 3 * pitch + c);
      const auto low01 = hn::BitCast(d2, hn::InterleaveLower(d4, r0, r1));
      const auto low23 = hn::BitCast(d2, hn::InterleaveLower(d4, r2, r3));
      const auto high01 = hn::BitCast(d2, hn::InterleaveUpper(d4, r0, r1));
      const auto high23 = hn::BitCast(d2, hn::InterleaveUpper(d4, r2, r3));
      float* out = to + c * to_pitch + r;
      hn::StoreU(hn::BitCast(d4, hn::InterleaveLower(d2, low01, low23)), d4, out);
      hn::StoreU(hn::BitCast(d4, hn::InterleaveUpper(d2, low01, low23)), d4, out + to_pitch);
      hn::StoreU(hn::BitCast(d4, hn::InterleaveLower(d2, high01, high23)), d4, out + 2 * to_pitch);
      hn::StoreU(hn::BitCast(d4, hn::InterleaveUpper(d2, high01, high23)), d4, out + 3 * to_pitch);
    }
    for (; c < columns; ++c) {
      for (int64_t i = 0; i < 4; ++i) to[c * to_pitch + r + i] = row[i * pitch + c];
    }
  }
#endif
  for (; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) to[c * to_pitch + r] = from[r * pitch + c];
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_TILE_INL_H_

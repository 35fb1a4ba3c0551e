#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/tile.cpp"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

template <int kRows, int kVecs, bool kColumns>
void tile(const TileArgs& t) {
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
  const int64_t lda = t.lda, ldb = t.ldb;
  for (int64_t p = t.k; p > 0; --p) {
    Vec column[kVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) column[v] = hn::LoadU(k_f32, b + v * k_lanes);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const Vec row = hn::Set(k_f32, kColumns ? a[r] : a[r * lda]);
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) sum[r][v] = hn::MulAdd(row, column[v], sum[r][v]);
    }
    a += kColumns ? lda : 1;
    b += ldb;
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
TileFn tile_of_rows(int rows) {
  constexpr TileFn table[k_rows] = {tile<1, kVecs, kColumns>, tile<2, kVecs, kColumns>,
                                    tile<3, kVecs, kColumns>, tile<4, kVecs, kColumns>,
                                    tile<5, kVecs, kColumns>, tile<6, kVecs, kColumns>};
  return table[rows - 1];
}

}  // namespace

TileFn tile_for(int rows, int vecs, bool columns) {
  switch (vecs) {
    case 1:
      return columns ? tile_of_rows<1, true>(rows) : tile_of_rows<1, false>(rows);
    case 2:
      return columns ? tile_of_rows<2, true>(rows) : tile_of_rows<2, false>(rows);
#if HWY_TARGET != HWY_AVX2
    case 3:
      return columns ? tile_of_rows<3, true>(rows) : tile_of_rows<3, false>(rows);
    default:
      return columns ? tile_of_rows<4, true>(rows) : tile_of_rows<4, false>(rows);
#else
    default:
      return columns ? tile_of_rows<2, true>(rows) : tile_of_rows<2, false>(rows);
#endif
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul_tile.cpp"
#include "hwy/foreach_target.h"
//
#include <algorithm>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/matmul_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

// So many steps before the end C's lines are asked for: late enough that B's stream does not drive them out
// again, early enough that the stores find them (91% of peak instead of 87% at 1024 x 768 x 768).  Where all
// of K is that short, asking costs more than it saves (1024 x 16 x 1024: 80% asked, 83% not).
constexpr int64_t k_late = 32;
// Stored [K,M], a tile's steps lie a row of A apart: the hardware does not foresee them.
constexpr int64_t k_ahead = 16;
constexpr int k_line = std::max(1, static_cast<int>(k_line_floats / k_lanes));  // vectors of a line

// Of a short K in one piece, with nothing to ask for: nothing but the sums, so that one strip begins before
// the last has ended.  On AVX-512 (1024 x 16 x 1024: 88% of peak where it was 83, and 83 with a call of
// tile.cpp's tile for each strip); AVX2's narrow tiles lose by it.
template <int kRows, int kVecs, bool kColumns>
void short_tile(const ProductTile& t) {
  const int64_t lda = t.lda, ldb = t.ldb, ldc = t.ldc;
  for (int64_t i = 0; i < t.strips; ++i) {
    const float* HWY_RESTRICT a = t.a;
    const float* HWY_RESTRICT b = t.b + i * t.strip;
    float* HWY_RESTRICT c = t.c + i * t.c_strip;
    Vec sum[kRows][kVecs];
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) sum[r][v] = hn::Zero(k_f32);
    }
    for (int64_t p = t.k; p > 0; --p, a += kColumns ? lda : 1, b += ldb) {
      Vec column[kVecs];
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) column[v] = hn::LoadU(k_f32, b + v * k_lanes);
#pragma GCC unroll 6
      for (int r = 0; r < kRows; ++r) {
        const Vec row = hn::Set(k_f32, kColumns ? a[r] : a[r * lda]);
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; ++v) sum[r][v] = hn::MulAdd(row, column[v], sum[r][v]);
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) {
        float* const to = c + r * ldc + v * k_lanes;
        hn::StoreU(t.add ? hn::Add(hn::LoadU(k_f32, to), sum[r][v]) : sum[r][v], k_f32, to);
      }
    }
  }
}

template <int kRows, int kVecs, bool kColumns>
void product_tile(const ProductTile& t) {
  const int64_t lda = t.lda, ldb = t.ldb, ldc = t.ldc, cut = t.cut;
  if (HWY_TARGET == HWY_AVX3 && t.k <= k_late && t.k <= t.first_run && t.asks == 0 && t.asks_a == 0 &&
      cut == 0)
    return short_tile<kRows, kVecs, kColumns>(t);
  int64_t asks = t.asks, asks_a = t.asks_a;
  const float* ask_a = t.ask_a;
  const char* ask = t.ask;
  const float* HWY_RESTRICT strip = t.b;
  float* HWY_RESTRICT c = t.c;
  for (int64_t strips = t.strips; strips > 0; --strips, strip += t.strip, c += t.c_strip) {
    const auto at = [=](int r, int v)
                        HWY_ATTR { return c + r * ldc + v * k_lanes + (v >= (kVecs + 1) / 2 ? cut : 0); };
    Vec sum[kRows][kVecs];
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) sum[r][v] = hn::Zero(k_f32);
    }
    const float* HWY_RESTRICT a = t.a;
    const float* HWY_RESTRICT b = strip;
    int64_t left = t.k, uncut = t.first_run;
    bool asked = t.k <= k_late;
    while (left > 0) {
      if (left <= k_late && !asked) {
        for (int r = 0; r < kRows; ++r) {
          for (int v = 0; v < kVecs; v += k_line) hwy::Prefetch(at(r, v));
        }
        asked = true;
      }
      int64_t steps = std::min(uncut, asked ? left : left - k_late);
      if (asks > 0) {
        for (int64_t i = 0; i < k_piece; i += 64) __builtin_prefetch(ask + i, 0, 2);
        ask += t.ask_step;
        --asks;
        steps = std::min(steps, t.ask_every);
      } else if (!kColumns && asks_a > 0) {
        for (int r = 0; r < kRows; ++r) __builtin_prefetch(ask_a + r * lda, 0, 2);
        ask_a += k_line_floats;
        --asks_a;
        steps = std::min(steps, t.ask_every);
      }
      for (int64_t p = steps; p > 0; --p) {
        Vec column[kVecs];
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; ++v) column[v] = hn::LoadU(k_f32, b + v * k_lanes);
#pragma GCC unroll 6
        for (int r = 0; r < kRows; ++r) {
          const Vec row = hn::Set(k_f32, kColumns ? a[r] : a[r * lda]);
#pragma GCC unroll 4
          for (int v = 0; v < kVecs; ++v) sum[r][v] = hn::MulAdd(row, column[v], sum[r][v]);
        }
        if (kColumns) hwy::Prefetch(a + k_ahead * lda);
        a += kColumns ? lda : 1;
        b += ldb;
      }
      left -= steps;
      uncut -= steps;
      if (uncut == 0) {
        a += t.jump;
        uncut = t.run;
      }
    }
    if (t.add) {
#pragma GCC unroll 6
      for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kVecs; ++v) sum[r][v] = hn::Add(hn::LoadU(k_f32, at(r, v)), sum[r][v]);
      }
    }
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) hn::StoreU(sum[r][v], k_f32, at(r, v));
    }
  }
}

template <int kVecs, bool kColumns>
ProductTileFn tile_of_rows(int rows) {
  constexpr ProductTileFn table[k_rows] = {
      product_tile<1, kVecs, kColumns>, product_tile<2, kVecs, kColumns>, product_tile<3, kVecs, kColumns>,
      product_tile<4, kVecs, kColumns>, product_tile<5, kVecs, kColumns>, product_tile<6, kVecs, kColumns>};
  return table[rows - 1];
}

template <int kVecs>
ProductTileFn tile_of(int rows, bool columns) {
  return columns ? tile_of_rows<kVecs, true>(rows) : tile_of_rows<kVecs, false>(rows);
}

}  // namespace

ProductTileFn product_tile_for(int rows, int vecs, bool columns) {
  switch (vecs) {
    case 1:
      return tile_of<1>(rows, columns);
#if HWY_TARGET != HWY_AVX2
    case 3:
      return tile_of<3>(rows, columns);
    case 4:
      return tile_of<4>(rows, columns);
#endif
    default:
      return tile_of<2>(rows, columns);
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

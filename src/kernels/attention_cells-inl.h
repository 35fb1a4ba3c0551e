// The register tiles of attention's gradient: keys by queries, K Q^T made into weights, V dZ^T made into the
// gradients of scores, before they leave the registers.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_ATTENTION_CELLS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_ATTENTION_CELLS_INL_H_
#undef LIMPID_KERNELS_ATTENTION_CELLS_INL_H_
#else
#define LIMPID_KERNELS_ATTENTION_CELLS_INL_H_
#endif

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/attention-inl.h"
#include "kernels/attention_tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

// Rows that will be read soon, six at a time: a machine does not foresee them (T = 4096, D = 64: 4% faster).
struct Fetch {
  const float* rows;
  int64_t pitch;
};

// Some keys by some vectors of one block of queries.
struct Cells {
  const float* rows;  // of K or V, `width` apart; of pairs, which it then counts
  int64_t width;
  const float* columns;  // [width][pitch]: Q^T or dZ^T
  int64_t pitch;
  float *weights, *dscores;  // [keys][k_tile]
  const float *lse, *rest;   // of the lanes, for weights
  float factor;              // of the products (for weights of pairs alone: in queries it is already), and
  const float* delta;        // what is then taken off: scale * delta; for gradients
  bool raw;                  // leaves the products as they are: more is to be done to them
  bool masked;               // by
  const float *low, *high;
  float first_key;
  Fetch fetch[2];
};

template <bool kPairs, int kRows, int kVecs>
HWY_INLINE void cell_products(const Cells& t, Vec (&sum)[kRows][kVecs]) {
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) sum[r][v] = hn::Zero(k_f32);
  }
  const float* HWY_RESTRICT a = t.rows;
  const float* HWY_RESTRICT b = t.columns;
  const int64_t lda = t.width, ldb = t.pitch;
  const auto step = [&]() HWY_ATTR {
    Vec column[kVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) column[v] = hn::LoadU(k_f32, b + v * k_lanes);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const Vec row = hn::Set(k_f32, a[r * lda]);
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) {
        sum[r][v] = kPairs ? dot_pairs(row, column[v], sum[r][v]) : hn::MulAdd(row, column[v], sum[r][v]);
      }
    }
    ++a;
    b += ldb;
  };
  constexpr int64_t k_steps = 16;  // a cache line
  int64_t p = t.width;
  for (int64_t c = 0; p >= k_steps; p -= k_steps, c += k_steps) {
    for (const Fetch& fetch : t.fetch) {
#pragma GCC unroll 6
      for (int r = 0; r < kRows; ++r) hwy::Prefetch(fetch.rows + r * fetch.pitch + c);
    }
#pragma GCC unroll 2
    for (int i = 0; i < k_steps; ++i) step();
  }
  for (; p > 0; --p) step();
}

HWY_INLINE hn::Mask<F32> seen_by(const Cells& t, int r, int v) {
  const Vec key = set(t.first_key + static_cast<float>(r));
  return hn::And(hn::Ge(key, hn::LoadU(k_f32, t.low + v * k_lanes)),
                 hn::Lt(key, hn::LoadU(k_f32, t.high + v * k_lanes)));
}

template <bool kPairs, int kRows, int kVecs>
void weight_cells(const Cells& t) {
  Vec sum[kRows][kVecs];
  cell_products<kPairs, kRows, kVecs>(t, sum);
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; ++v) {
    const Vec lse = hn::LoadU(k_f32, t.lse + v * k_lanes), rest = hn::LoadU(k_f32, t.rest + v * k_lanes);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      Vec weight = kPairs ? hn::Mul(sum[r][v], set(t.factor)) : sum[r][v];
      if (!t.raw) {
        weight = exp_score(hn::Sub(hn::Sub(weight, lse), rest));
        if (t.masked) weight = hn::IfThenElseZero(seen_by(t, r, v), weight);
      }
      hn::StoreU(weight, k_f32, t.weights + r * k_tile + v * k_lanes);
    }
  }
}

template <int kRows, int kVecs>
void gradient_cells(const Cells& t) {
  Vec sum[kRows][kVecs];
  cell_products<false, kRows, kVecs>(t, sum);
  const Vec factor = set(t.factor);
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; ++v) {
    const Vec delta = hn::LoadU(k_f32, t.delta + v * k_lanes);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const int64_t cell = r * k_tile + v * k_lanes;
      Vec gradient = sum[r][v];
      if (!t.raw) {
        gradient = hn::Mul(hn::LoadU(k_f32, t.weights + cell), hn::MulSub(gradient, factor, delta));
        if (t.masked) gradient = hn::IfThenElseZero(seen_by(t, r, v), gradient);
      }
      hn::StoreU(gradient, k_f32, t.dscores + cell);
    }
  }
}

using CellsFn = void (*)(const Cells&);

enum class CellsKind { weights, weights_of_pairs, gradients };

template <int kVecs>
CellsFn cells_fn_of(CellsKind kind, int rows) {
  constexpr CellsFn weights[k_rows] = {weight_cells<false, 1, kVecs>, weight_cells<false, 2, kVecs>,
                                       weight_cells<false, 3, kVecs>, weight_cells<false, 4, kVecs>,
                                       weight_cells<false, 5, kVecs>, weight_cells<false, 6, kVecs>};
  constexpr CellsFn of_gradients[k_rows] = {gradient_cells<1, kVecs>, gradient_cells<2, kVecs>,
                                            gradient_cells<3, kVecs>, gradient_cells<4, kVecs>,
                                            gradient_cells<5, kVecs>, gradient_cells<6, kVecs>};
  if constexpr (k_pairs) {
    constexpr CellsFn of_pairs[k_rows] = {weight_cells<true, 1, kVecs>, weight_cells<true, 2, kVecs>,
                                          weight_cells<true, 3, kVecs>, weight_cells<true, 4, kVecs>,
                                          weight_cells<true, 5, kVecs>, weight_cells<true, 6, kVecs>};
    if (kind == CellsKind::weights_of_pairs) return of_pairs[rows - 1];
  }
  return (kind == CellsKind::gradients ? of_gradients : weights)[rows - 1];
}

inline CellsFn cells_fn(CellsKind kind, int rows, int vecs) {
  if (vecs == 1) return cells_fn_of<1>(kind, rows);
#if HWY_TARGET != HWY_AVX2
  if (vecs == 3) return cells_fn_of<3>(kind, rows);
  if (vecs == 4) return cells_fn_of<4>(kind, rows);
#endif
  return cells_fn_of<2>(kind, rows);
}

}  // namespace
}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_ATTENTION_CELLS_INL_H_

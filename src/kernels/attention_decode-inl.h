// The loops of decode that take the time: products of a few queries with rows of keys, and sums of weighted
// rows of values.
//
// Lanes are the width: a row of the cache is read once by whole vectors, converted, and used for up to four
// queries.  The sums across lanes that scores then need are made for as many scores as there are lanes at
// once, by a transpose that adds.  (Lanes that are queries, as in attention-inl.h, would be mostly empty.)
//
// A score is one chain of multiply-adds for each lane, then one tree of additions; a sum of values one chain
// of multiply-adds over the keys in order, whatever the number of queries at once: the same bits.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_ATTENTION_DECODE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_ATTENTION_DECODE_INL_H_
#undef LIMPID_KERNELS_ATTENTION_DECODE_INL_H_
#else
#define LIMPID_KERNELS_ATTENTION_DECODE_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/cache-inl.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

constexpr int64_t k_decode_keys = 64;  // of a block
constexpr int k_most_rows = 4;         // queries at once

/// Rows of the cache that are wanted soon, one for each that is in use now.
struct Ahead {
  const void* const* rows;  // [k_decode_keys]; null: none
  int64_t bytes;            // of each
  HWY_INLINE void fetch(int64_t i) const {
    const auto* row = static_cast<const std::byte*>(rows[i]);
    for (int64_t byte = 0; byte < bytes; byte += 64) __builtin_prefetch(row + byte, 0, 2);
  }
};

// ---- the sums of k_lanes vectors as one vector ----------------------------------------------------

#if HWY_TARGET != HWY_SCALAR
/// [a, b, c, d], each the sum of a block of 4 lanes, for every block.
HWY_INLINE Vec sum_blocks(Vec a, Vec b, Vec c, Vec d) {
  const hn::Repartition<double, F32> f64;
  const auto pairs = [](Vec x, Vec y) {
    return hn::Add(hn::InterleaveLower(k_f32, x, y), hn::InterleaveUpper(k_f32, x, y));
  };
  const auto ab = hn::BitCast(f64, pairs(a, b)), cd = hn::BitCast(f64, pairs(c, d));
  return hn::Add(hn::BitCast(k_f32, hn::InterleaveLower(f64, ab, cd)),
                 hn::BitCast(k_f32, hn::InterleaveUpper(f64, ab, cd)));
}
#endif
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2
HWY_INLINE Vec sum_halves(Vec low, Vec high) {
  return hn::Add(hn::ConcatLowerLower(k_f32, high, low), hn::ConcatUpperUpper(k_f32, high, low));
}
#endif

/// Lane i is the sum of all lanes of x[i].
HWY_INLINE Vec sum_each(const Vec* x) {
#if HWY_TARGET == HWY_SCALAR
  return x[0];
#elif HWY_TARGET == HWY_AVX3
  const Vec a = sum_blocks(x[0], x[1], x[2], x[3]), b = sum_blocks(x[4], x[5], x[6], x[7]);
  const Vec c = sum_blocks(x[8], x[9], x[10], x[11]), d = sum_blocks(x[12], x[13], x[14], x[15]);
  const Vec ac = sum_halves(a, c), bd = sum_halves(b, d);  // two blocks each
  return hn::Add(hn::OddEvenBlocks(hn::SwapAdjacentBlocks(bd), ac),
                 hn::OddEvenBlocks(bd, hn::SwapAdjacentBlocks(ac)));
#elif HWY_TARGET == HWY_AVX2
  return sum_halves(sum_blocks(x[0], x[1], x[2], x[3]), sum_blocks(x[4], x[5], x[6], x[7]));
#else
  return sum_blocks(x[0], x[1], x[2], x[3]);
#endif
}

// ---- scores ---------------------------------------------------------------------------------------

// Scores made at once: sums in registers, a multiple of k_lanes, 8 at least so that multiply-adds overlap.
constexpr int k_scores = k_lanes == 4 ? 16 : k_lanes < 8 ? 8 : static_cast<int>(k_lanes);

struct Scores {
  const void* const* keys;  // [count] rows
  int64_t count, vecs;      // count: a multiple of k_scores
  const float* queries;     // [rows][pitch]
  int64_t pitch;
  float* to;  // [rows][k_decode_keys]
  Ahead ahead;
};

template <class Type, int kRows>
void score_rows(const Scores& t) {
  using Element = typename Type::Element;
  constexpr int kKeys = k_scores / kRows,
                kAtOnce = kKeys < 4 ? kKeys : 4;  // more have no registers for addresses
  for (int64_t first = 0; first < t.count; first += kKeys) {
    Vec sum[k_scores];  // [kRows][kKeys]
#pragma GCC unroll 16
    for (int i = 0; i < k_scores; ++i) sum[i] = hn::Zero(k_f32);
#pragma GCC unroll 4
    for (int part = 0; part < kKeys; part += kAtOnce) {
      const Element* HWY_RESTRICT key[kAtOnce];
#pragma GCC unroll 4
      for (int i = 0; i < kAtOnce; ++i) {
        key[i] = static_cast<const Element*>(t.keys[first + part + i]);
        if (t.ahead.rows) t.ahead.fetch(first + part + i);
      }
      const float* HWY_RESTRICT query = t.queries;
      for (int64_t c = 0; c < t.vecs * k_lanes; c += k_lanes) {
        Vec x[kAtOnce];
#pragma GCC unroll 4
        for (int i = 0; i < kAtOnce; ++i) x[i] = Type::load(key[i] + c);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) {
          const Vec q = hn::LoadU(k_f32, query + r * t.pitch + c);
#pragma GCC unroll 4
          for (int i = 0; i < kAtOnce; ++i) {
            Vec& s = sum[r * kKeys + part + i];
            s = hn::MulAdd(x[i], q, s);
          }
        }
      }
    }
    HWY_ALIGN float scores[k_scores];
#pragma GCC unroll 8
    for (int64_t i = 0; i < k_scores; i += k_lanes) hn::Store(sum_each(sum + i), k_f32, scores + i);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      std::memcpy(t.to + r * k_decode_keys + first, scores + r * kKeys, kKeys * sizeof(float));
    }
  }
}

// ---- values ---------------------------------------------------------------------------------------

struct Sums {
  const void* const* values;
  int64_t begin, end, vecs;  // keys of the block
  const float* weights;      // [rows][k_decode_keys]
  float* to;                 // [rows][pitch], added to
  int64_t pitch;
  Ahead ahead;
};

template <class Type, int kRows, int kVecs>
void add_columns(const Sums& t, int64_t column) {
  using Element = typename Type::Element;
  Vec sum[kRows][kVecs];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) sum[r][v] = hn::LoadU(k_f32, t.to + r * t.pitch + column + v * k_lanes);
  }
  for (int64_t i = t.begin; i < t.end; ++i) {
    const Element* HWY_RESTRICT value = static_cast<const Element*>(t.values[i]) + column;
    if (t.ahead.rows && column == 0) t.ahead.fetch(i);
    Vec weight[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) weight[r] = hn::Set(k_f32, t.weights[r * k_decode_keys + i]);
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) {
      const Vec x = Type::load(value + v * k_lanes);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) sum[r][v] = hn::MulAdd(x, weight[r], sum[r][v]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) hn::StoreU(sum[r][v], k_f32, t.to + r * t.pitch + column + v * k_lanes);
  }
}

template <class Type, int kRows>
void add_rows(const Sums& t) {
  constexpr int kVecs = k_lanes == 8 ? 8 / kRows : kRows == 4 ? 4 : 8;  // with 16 registers: 8 sums
  int64_t c = 0;
  for (; c + kVecs <= t.vecs; c += kVecs) add_columns<Type, kRows, kVecs>(t, c * k_lanes);
  if constexpr (kVecs > 4) {
    for (; c + 4 <= t.vecs; c += 4) add_columns<Type, kRows, 4>(t, c * k_lanes);
  }
  for (; c < t.vecs; ++c) add_columns<Type, kRows, 1>(t, c * k_lanes);
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_ATTENTION_DECODE_INL_H_

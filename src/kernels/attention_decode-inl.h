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
  /// To the second-level cache: as many bytes in flight to the first fall to two thirds of the speed (f32
  /// from memory: 10 GB/s instead of 16).  Few at a time, evenly among the products: a core has some 24 lines
  /// in flight, and what comes in a burst waits for them, and products behind it (8192 keys of 8 heads of
  /// f32: a fifth less time than by bursts of 32 lines and none in every other pass).
  HWY_INLINE void fetch(int64_t begin, int64_t end) const {
    if (!rows) return;
    for (int64_t i = begin; i < end; ++i) {
      const auto* row = static_cast<const std::byte*>(rows[i]);
      // By two lines: a line too much costs less than a loop of one or two rounds.
      for (int64_t byte = 0; byte < bytes; byte += 128) {
        __builtin_prefetch(row + byte, 0, 2);
        __builtin_prefetch(row + byte + 64, 0, 2);
        __asm__ volatile("");  // or GCC 12 takes a loop that only fetches for one that does nothing
      }
    }
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
  int64_t count, width;     // count: a multiple of k_scores; width: of Type's k_pack vectors
  const float* queries;     // [rows][pitch], in the order of parts
  int64_t pitch;
  float* to;  // [rows][k_decode_keys]
  Ahead ahead;
};

// sums[row][key] += queries . keys, over the columns [c0, c1).
template <class Type, int kRows, int kKeys>
HWY_INLINE void multiply(const typename Type::Element* const* keys, const float* HWY_RESTRICT query,
                         int64_t pitch, int64_t c0, int64_t c1, Vec* sums, int sums_pitch) {
#pragma GCC unroll 2  // a loop of few short rounds is often left by a wrong guess
  for (int64_t c = c0; c < c1; c += Type::k_pack * k_lanes) {
    typename Type::Raw raw[kKeys];
#pragma GCC unroll 4
    for (int i = 0; i < kKeys; ++i) raw[i] = Type::raw(keys[i] + c);
#pragma GCC unroll 4
    for (int j = 0; j < Type::k_pack; ++j) {
      Vec x[kKeys];
#pragma GCC unroll 4
      for (int i = 0; i < kKeys; ++i) x[i] = Type::part(raw[i], j);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        const Vec q = hn::LoadU(k_f32, query + r * pitch + c + j * k_lanes);
#pragma GCC unroll 4
        for (int i = 0; i < kKeys; ++i)
          sums[r * sums_pitch + i] = hn::MulAdd(x[i], q, sums[r * sums_pitch + i]);
      }
    }
  }
}

// GCC 12 keeps an array of sums in memory where it is handed on as one, unless each is pinned.  Through
// memory the sums across lanes cost a third of all time with four rows of f32 (Zen 4).
HWY_INLINE void keep_in_register([[maybe_unused]] Vec& x) {
#if HWY_TARGET == HWY_AVX3
  __asm__("" : "+v"(x.raw));
#elif HWY_TARGET == HWY_AVX2
  __asm__("" : "+x"(x.raw));
#elif HWY_TARGET == HWY_NEON
  __asm__("" : "+w"(x.raw));
#endif
}

template <class Type, int kRows>
void score_rows(const Scores& t) {
  using Element = typename Type::Element;
  // Keys at once: more have no registers for their addresses.
  constexpr int kKeys = k_scores / kRows, kAtOnce = kKeys < 4 ? kKeys : 4;
  constexpr int64_t kStep = Type::k_pack * k_lanes;
  const int64_t middle = t.width / (2 * kStep) * kStep;
  for (int64_t first = 0; first < t.count; first += kKeys) {
    Vec sums[k_scores];  // [kRows][kKeys]
#pragma GCC unroll 16
    for (int i = 0; i < k_scores; ++i) sums[i] = hn::Zero(k_f32);
#pragma GCC unroll 4
    for (int part = 0; part < kKeys; part += kAtOnce) {
      const Element* key[kAtOnce];
#pragma GCC unroll 4
      for (int i = 0; i < kAtOnce; ++i) key[i] = static_cast<const Element*>(t.keys[first + part + i]);
      const int64_t begin = first + part, half = begin + kAtOnce / 2;
      t.ahead.fetch(begin, half);
      multiply<Type, kRows, kAtOnce>(key, t.queries, t.pitch, 0, middle, sums + part, kKeys);
      t.ahead.fetch(half, begin + kAtOnce);
      multiply<Type, kRows, kAtOnce>(key, t.queries, t.pitch, middle, t.width, sums + part, kKeys);
    }
    HWY_ALIGN float scores[k_scores];
#pragma GCC unroll 16
    for (int i = 0; i < k_scores; ++i) keep_in_register(sums[i]);
#pragma GCC unroll 8
    for (int i = 0; i < k_scores; i += k_lanes) hn::Store(sum_each(sums + i), k_f32, scores + i);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      std::memcpy(t.to + first + r * k_decode_keys, scores + r * kKeys, kKeys * sizeof(float));
    }
  }
}

// ---- values ---------------------------------------------------------------------------------------

struct Sums {
  const void* const* values;
  int64_t begin, end, width;  // keys of the block; width: of Type's k_pack vectors
  const float* weights;       // [rows][k_decode_keys]
  float* to;                  // [rows][pitch], added to; in the order of parts
  int64_t pitch;
  Ahead ahead;
};

// kVecs vectors of columns: of all parts, or where they are fewer those from kPart on.
template <class Type, int kRows, int kVecs, int kPart = 0>
void add_columns(const Sums& t, int64_t column) {
  using Element = typename Type::Element;
  constexpr int kParts = kVecs < Type::k_pack ? kVecs : Type::k_pack;
  constexpr int64_t kFetched = kRows == 1 ? 2 : 4;  // rows at once
  const int64_t to = column + kPart * k_lanes;
  // Each pass over the rows fetches its part of what is ahead.
  const int64_t passes = std::max<int64_t>(1, t.width / (kVecs * k_lanes)), pass = to / (kVecs * k_lanes);
  const int64_t fetched = k_decode_keys * pass / passes;
  Vec sum[kRows][kVecs];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) sum[r][v] = hn::LoadU(k_f32, t.to + r * t.pitch + to + v * k_lanes);
  }
  for (int64_t begin = t.begin; begin < t.end; begin += kFetched) {
    const int64_t end = std::min(t.end, begin + kFetched);
    if (pass < passes) t.ahead.fetch(fetched + begin / passes, fetched + end / passes);
    const void* const* HWY_RESTRICT values = t.values;
    const float* HWY_RESTRICT weights = t.weights;
    for (int64_t i = begin; i < end; ++i) {
      const Element* HWY_RESTRICT value = static_cast<const Element*>(values[i]) + column;
      Vec weight[kRows];
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) weight[r] = hn::Set(k_f32, weights[r * k_decode_keys + i]);
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; v += kParts) {
        const auto raw = Type::raw(value + v * k_lanes);
#pragma GCC unroll 4
        for (int j = 0; j < kParts; ++j) {
          const Vec x = Type::part(raw, kPart + j);
#pragma GCC unroll 4
          for (int r = 0; r < kRows; ++r) sum[r][v + j] = hn::MulAdd(x, weight[r], sum[r][v + j]);
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) hn::StoreU(sum[r][v], k_f32, t.to + r * t.pitch + to + v * k_lanes);
  }
}

template <class Type, int kRows>
void add_rows(const Sums& t) {
  constexpr int kVecs = k_lanes == 8 ? 8 / kRows : kRows == 4 ? 4 : 8;  // with 16 registers: 8 sums
  constexpr int kPack = Type::k_pack;
  int64_t c = 0;
  if constexpr (kVecs < kPack) {
    for (; c < t.width; c += kPack * k_lanes) {
      add_columns<Type, kRows, kVecs, 0>(t, c);
      add_columns<Type, kRows, kVecs, kVecs>(t, c);
      static_assert(2 * kVecs == kPack);
    }
  } else {
    for (; c + kVecs * k_lanes <= t.width; c += kVecs * k_lanes) add_columns<Type, kRows, kVecs>(t, c);
    if constexpr (kVecs > 4) {
      for (; c + 4 * k_lanes <= t.width; c += 4 * k_lanes) add_columns<Type, kRows, 4>(t, c);
    }
    for (; c < t.width; c += kPack * k_lanes) add_columns<Type, kRows, kPack>(t, c);
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_ATTENTION_DECODE_INL_H_

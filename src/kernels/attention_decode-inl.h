// The loops of decode that take the time: products of a few queries with rows of keys, and sums of weighted
// rows of values.
//
// Lanes are the width: a row of the cache is read once by whole vectors, converted, and used for up to four
// queries.  The sums across lanes that scores then need are made for as many scores as there are lanes at
// once, by a transpose that adds.  (Lanes that are queries, as in attention-inl.h, would be mostly empty.)
//
// A chunk of keys is gone through in four streams, a quarter of it each, by turns a row of one: so the
// prefetchers of hardware, each of which follows one stream and stops at the end of a page, have four to
// follow.  What is wanted soon is asked for by hand besides, to the second-level cache: work on a row keeps
// the next loads from beginning.  GB/s from memory in one stream, in four, in four and asked for (Zen 4; all
// that it can is 33): f32 11, 30, 31; bf16 20, 27, 30; int8 23, 18, 26.  Asking to the first-level cache,
// which has fewer lines in flight, is slower than not asking.
//
// A score is one chain of multiply-adds for each lane, then one tree of additions; a sum of values one chain
// of multiply-adds over each k_batch slots, in their order, and the sum of those: whatever the number of
// queries at once, the same bits.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_ATTENTION_DECODE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_ATTENTION_DECODE_INL_H_
#undef LIMPID_KERNELS_ATTENTION_DECODE_INL_H_
#else
#define LIMPID_KERNELS_ATTENTION_DECODE_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"
#include "kernels/attention_decode.h"
#include "kernels/cache-inl.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

// Keys with a softmax of their own, and their order, which is part of what a result's bits are: slot
// 4 i + stream holds key 128 stream + i of the chunk.
constexpr int64_t k_chunk = k_decode_chunk, k_streams = 4, k_stream_keys = k_chunk / k_streams;
constexpr int k_most_rows = 4;   // queries at once
constexpr int64_t k_ahead = 64;  // slots; 128 is as good, 32 and 256 are a little slower

constexpr int64_t slot_of(int64_t key) { return key % k_stream_keys * k_streams + key / k_stream_keys; }
constexpr int64_t key_of(int64_t slot) { return slot % k_streams * k_stream_keys + slot / k_streams; }

/// The rows of a cache that lie in the slots of a chunk.
struct SlotRows {
  const std::byte* base;
  const int64_t* offsets;  // [k_chunk + k_ahead], bytes; the last of the chunk that follows
  bool fetches;            // is what is wanted k_ahead slots later asked for?
  template <class Element>
  HWY_INLINE const Element* at(int64_t slot) const {
    return reinterpret_cast<const Element*>(base + offsets[slot]);
  }
  /// A row to fetch while that of `slot` is used.
  template <class Element>
  HWY_INLINE const Element* ahead(int64_t slot) const {
    return at<Element>(fetches ? slot + k_ahead : slot);
  }
};

HWY_INLINE void fetch(const void* line) {
  __builtin_prefetch(line, 0, 2);
  __asm__ volatile("");  // or GCC 12 takes a loop that only fetches for one that does nothing
}

template <class Element>
constexpr bool begins_line(int64_t element) {
  return element * static_cast<int64_t>(sizeof(Element)) % 64 == 0;
}

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
  SlotRows keys;
  const int16_t* slots;  // [count], and the last again and again up to a multiple of k_scores
  int64_t count, width;  // width: of Type's k_pack vectors
  const float* queries;  // [width / k_lanes][rows][k_lanes], in the order of parts
  float* to;             // [rows][k_chunk]
};

// GCC 12 keeps an array of sums in memory where it is handed on as one, unless each is pinned, and reads a
// vector that several products share for each of them anew: a load for each multiply-add, and no more than
// one of either begins in a cycle (Zen 4).  With four rows of f32 a score takes 1.5 times as long.
HWY_INLINE void keep_in_register([[maybe_unused]] Vec& x) {
#if HWY_TARGET == HWY_AVX3
  __asm__("" : "+v"(x.raw));
#elif HWY_TARGET == HWY_AVX2
  __asm__("" : "+x"(x.raw));
#elif HWY_TARGET == HWY_NEON
  __asm__("" : "+w"(x.raw));
#endif
}

// sums[row][key] += queries . keys, in the columns of one vector of packed numbers from c on; of what is
// ahead one line is fetched, so that they come evenly among the products.
template <class Type, int kRows, int kKeys>
HWY_INLINE void multiply(const typename Type::Element* const* keys,
                         const typename Type::Element* const* ahead, const float* HWY_RESTRICT queries,
                         int64_t c, Vec* sums, int sums_pitch) {
  using Element = typename Type::Element;
  typename Type::Raw raw[kKeys];
#pragma GCC unroll 4
  for (int i = 0; i < kKeys; ++i) {
    raw[i] = Type::raw(keys[i] + c);
    if (begins_line<Element>(c)) fetch(ahead[i] + c);
  }
#pragma GCC unroll 4
  for (int j = 0; j < Type::k_pack; ++j) {
    Vec q[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      q[r] = hn::LoadU(k_f32, queries + (c + j * k_lanes) * kRows + r * k_lanes);
      keep_in_register(q[r]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kKeys; ++i) {
      Vec x = Type::part(raw[i], j);
      if constexpr (kRows > 1) keep_in_register(x);
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r)
        sums[r * sums_pitch + i] = hn::MulAdd(x, q[r], sums[r * sums_pitch + i]);
    }
  }
}

// kWidth: the width where it is known, so that no register counts it and none of the loop's ends is guessed
// wrong; or 0.
template <class Type, int kRows, int64_t kWidth>
void score_rows_of(const Scores& scores) {
  using Element = typename Type::Element;
  const Scores t = scores;  // what is stored may not change it
  // With sums at once; and more have no registers for their addresses.
  constexpr int kKeys = k_scores / kRows, kAtOnce = std::min(kKeys, 4);
  for (int64_t first = 0; first < t.count; first += kKeys) {
    const int16_t* HWY_RESTRICT slots = t.slots + first;
    Vec sums[k_scores];  // [kRows][kKeys]
#pragma GCC unroll 16
    for (int i = 0; i < k_scores; ++i) sums[i] = hn::Zero(k_f32);
#pragma GCC unroll 4
    for (int part = 0; part < kKeys; part += kAtOnce) {
      const Element *key[kAtOnce], *ahead[kAtOnce];
#pragma GCC unroll 4
      for (int i = 0; i < kAtOnce; ++i) {
        key[i] = t.keys.template at<Element>(slots[part + i]);
        ahead[i] = t.keys.template ahead<Element>(slots[part + i]);
      }
      constexpr int64_t kStep = Type::k_pack * k_lanes;
      if constexpr (kWidth > 0) {
#pragma GCC unroll 8
        for (int64_t c = 0; c < kWidth; c += kStep)
          multiply<Type, kRows, kAtOnce>(key, ahead, t.queries, c, sums + part, kKeys);
      } else {
#pragma GCC unroll 2  // a loop of few short rounds is often left by a wrong guess
        for (int64_t c = 0; c < t.width; c += kStep)
          multiply<Type, kRows, kAtOnce>(key, ahead, t.queries, c, sums + part, kKeys);
      }
    }
    HWY_ALIGN float each[k_scores];
#pragma GCC unroll 16
    for (int i = 0; i < k_scores; ++i) keep_in_register(sums[i]);
#pragma GCC unroll 8
    for (int i = 0; i < k_scores; i += k_lanes) hn::Store(sum_each(sums + i), k_f32, each + i);
    // In order: without a gap where the first and the last are so far apart, unless the last is there again.
    if (first + kKeys <= t.count && slots[kKeys - 1] - slots[0] == kKeys - 1) {
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r)
        std::memcpy(t.to + r * k_chunk + slots[0], each + r * kKeys, kKeys * sizeof(float));
    } else {
      for (int r = 0; r < kRows; ++r)
        for (int i = 0; i < kKeys; ++i) t.to[r * k_chunk + slots[i]] = each[r * kKeys + i];
    }
  }
}

template <class Type, int kRows>
void score_rows(const Scores& t) {
  if (t.width == 128) return score_rows_of<Type, kRows, 128>(t);
  score_rows_of<Type, kRows, 0>(t);
}

// ---- sums of weighted values ----------------------------------------------------------------------

struct Sums {
  SlotRows values;
  const int16_t* slots;  // [count], in order
  int64_t count, width;  // width: of Type's k_pack vectors
  const float* weights;  // [rows][k_chunk]
  float* to;             // [rows][pitch], added to; in the order of parts
  int64_t pitch;
};

// kVecs vectors of columns: of all parts, or where they are fewer those from kPart on.
template <class Type, int kRows, int kVecs, int kPart = 0>
void add_columns(const Sums& sums, int64_t column) {
  using Element = typename Type::Element;
  const Sums t = sums;  // what is stored may not change it
  constexpr int kParts = kVecs < Type::k_pack ? kVecs : Type::k_pack;
  const int64_t to = column + kPart * k_lanes;
  Vec sum[kRows][kVecs];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) sum[r][v] = hn::Zero(k_f32);
  }
  const int16_t* HWY_RESTRICT slots = t.slots;
  const float* HWY_RESTRICT weights = t.weights;
  for (int64_t i = 0; i < t.count; ++i) {
    const int64_t slot = slots[i];
    const Element* HWY_RESTRICT value = t.values.template at<Element>(slot) + column;
    const Element* ahead = t.values.template ahead<Element>(slot) + column;
    Vec weight[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) weight[r] = hn::Set(k_f32, weights[r * k_chunk + slot]);
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; v += kParts) {
      const auto raw = Type::raw(value + v * k_lanes);
      if (begins_line<Element>(v * k_lanes)) fetch(ahead + v * k_lanes);
#pragma GCC unroll 4
      for (int j = 0; j < kParts; ++j) {
        const Vec x = Type::part(raw, kPart + j);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) sum[r][v + j] = hn::MulAdd(x, weight[r], sum[r][v + j]);
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) {
      float* const place = t.to + r * t.pitch + to + v * k_lanes;
      hn::StoreU(hn::Add(hn::LoadU(k_f32, place), sum[r][v]), k_f32, place);
    }
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

// Attention's forward kernel, the innermost part: what a task keeps, and scores that become weights while
// they are in registers.
//
// Included by attention.cpp alone, once per instruction set: nothing here is seen elsewhere.
#if defined(LIMPID_KERNELS_ATTENTION_WEIGH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_ATTENTION_WEIGH_INL_H_
#undef LIMPID_KERNELS_ATTENTION_WEIGH_INL_H_
#else
#define LIMPID_KERNELS_ATTENTION_WEIGH_INL_H_
#endif

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/attention-inl.h"
#include "kernels/attention_watch-inl.h"
#include "kernels/pairs-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

// A block's weights (96 keys x 64 floats) stay in the first-level cache.  Blocks begin at multiples of
// k_block_keys, so that a row's sums are grouped the same whatever rows share its block of queries.

// A row's weights are e^(score - top), where `top` is the largest of the first six scores of the block that
// it begins in (or of that whole block, where it sees none of the six), until the weights of a block add up
// to more than this; then the largest score of that block takes its place.  Asking so rarely is what lets
// weights be made while their scores are in registers.  It is a rule of the row alone.  The difference is
// made before anything else: scores themselves may be as large as floats are.
constexpr float k_most = 65536.f;

constexpr int64_t k_task_queries = 256;  // at most: one reading of keys and values serves them all
constexpr int64_t k_groups = (k_task_queries + k_width - 1) / k_width;
constexpr int64_t k_few_tasks = 16;  // as many are wanted, so that every thread has work

// What is kept for one block of queries; lanes are queries.
struct Group {
  QueryBlock block;
  float *queries, *sums;  // [D][lanes], [Dv][lanes]
  float* far_sums;        // [Dv][lanes]: of the blocks before, or null where there are few keys
  float *top, *shift;     // [lanes]: -inf where nothing was seen yet; what is taken off scores: top, or 0
  float *total, *rest;    // [lanes]: the sum of weights so far, and what its roundings lost
  Watch watch;
};

struct Room {                       // a task's scratch, but for its groups'
  float *weights, *pairs, *scores;  // [keys][lanes]
  float *added, *kept;              // the same: only where something is added, or dropped
  float* rows;                      // [lanes][keys], or [lanes][D] or [Dv]
  float *keys, *values;             // [keys][D], [keys][Dv]: only where they are not used in place
  float *fresh, *moment;            // [lanes]: sums of this block's weights, and of w log w, if wanted
  float* fresh_sums;                // [Dv][lanes]
};

bool in_place(const AttentionArgs& args, const HeadStrides& strides, int64_t width) {
  return (args.type == DType::f32 || in_pairs(args)) && strides.row == width;
}

// How many floats it takes; places them in scratch unless that is null.
int64_t lay_out(const AttentionArgs& args, const AttentionObservation& observation, float* scratch,
                Room* room, Group* groups) {
  const AttentionShape& shape = args.shape;
  const int64_t block = k_block_keys * k_width, widest = std::max(shape.width, shape.value_width);
  int64_t used = 0;
  const auto take = [&](int64_t count) {
    float* place = scratch && count > 0 ? scratch + used : nullptr;
    used += (count + 15) / 16 * 16;
    return place;
  };
  for (int64_t g = 0; g < k_groups; ++g) {
    groups[g].queries = take(shape.width * k_width);
    groups[g].sums = take(shape.value_width * k_width);
    groups[g].far_sums = take(shape.keys > k_far_keys ? shape.value_width * k_width : 0);
    for (float** lanes : {&groups[g].top, &groups[g].shift, &groups[g].total, &groups[g].rest})
      *lanes = take(k_width);
    groups[g].watch = watch_room(observation, shape.keys, take);
  }
  room->weights = take(block);
  room->pairs = take(in_pairs(args) ? block / 2 : 0);
  room->scores = take(block);
  room->added = take(has_added(args) ? block : 0);
  room->kept = take(args.dropout > 0 ? block : 0);
  room->rows =
      take(std::max(has_added(args) || args.dropout > 0 ? block : 0, std::max(k_width, k_row_room) * widest));
  room->keys = take(in_place(args, args.k_at, shape.width) ? 0 : k_block_keys * shape.width);
  const bool values_in_place = in_place(args, args.v_at, shape.value_width) && !in_pairs(args);
  room->values = take(values_in_place ? 0 : k_block_keys * shape.value_width);
  room->fresh = take(k_width);
  room->fresh_sums = take(shape.value_width * k_width);
  room->moment = take(observation.entropy ? k_width : 0);
  return used;
}

// ---- weights while the scores are in registers ---------------------------------------------------

// Rows that will be read soon, six at a time: a machine does not foresee them.
struct Fetch {
  const std::byte* at;
  int64_t stride, width;  // bytes
};

struct Weigh {
  const float* keys;  // rows, key_pitch apart; of pairs, width and pitches count them
  int64_t key_pitch, width;
  const float* queries;  // [width][pitch]
  int64_t pitch;
  float* weights;      // [keys][pitch], or null
  float* pairs;        // [keys / 2][pitch], or null
  float* scores;       // [keys][pitch], or null: only these are wanted, and they only of pairs
  float factor;        // of scores of pairs
  const float* shift;  // [lanes]
  float* fresh;        // [lanes]: added to
  float* moment;       // the same, or null
  bool masked;         // by
  const float *low, *high;
  float first_key;
  Fetch fetch_keys, fetch_values;
};

template <bool kPairs, int kRows, int kVecs>
void weigh_tile(const Weigh& t) {
  Vec sum[kRows][kVecs];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) sum[r][v] = hn::Zero(k_f32);
  }
  const float* HWY_RESTRICT a = t.keys;
  const float* HWY_RESTRICT b = t.queries;
  const int64_t lda = t.key_pitch, ldb = t.pitch;
  const auto step = [&] {
    Vec column[kVecs];
#pragma GCC unroll 4
    for (int v = 0; v < kVecs; ++v) column[v] = hn::LoadU(k_f32, b + v * k_lanes);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      const Vec key = hn::Set(k_f32, a[r * lda]);
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) {
        sum[r][v] = kPairs ? dot_pairs(key, column[v], sum[r][v]) : hn::MulAdd(key, column[v], sum[r][v]);
      }
    }
    ++a;
    b += ldb;
  };
  constexpr int64_t k_line = 64, k_steps = 16;  // bytes, and steps between fetching them
  int64_t p = t.width;
  for (int64_t byte = 0; p >= k_steps; p -= k_steps, byte += k_line) {
    for (const Fetch* fetch : {&t.fetch_keys, &t.fetch_values}) {
      if (byte >= fetch->width) continue;
#pragma GCC unroll 6
      for (int r = 0; r < kRows; ++r) hwy::Prefetch(fetch->at + r * fetch->stride + byte);
    }
#pragma GCC unroll 2
    for (int i = 0; i < k_steps; ++i) step();
  }
  for (; p > 0; --p) step();
  const Vec factor = set(t.factor);
  if (kPairs && t.scores) {
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVecs; ++v) {
        hn::StoreU(hn::Mul(sum[r][v], factor), k_f32, t.scores + r * ldb + v * k_lanes);
      }
    }
    return;
  }
#pragma GCC unroll 4
  for (int v = 0; v < kVecs; ++v) {
    const Vec shift = hn::LoadU(k_f32, t.shift + v * k_lanes);
    Vec fresh = hn::LoadU(k_f32, t.fresh + v * k_lanes);
    Vec moment = t.moment ? hn::LoadU(k_f32, t.moment + v * k_lanes) : hn::Zero(k_f32);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      // Of pairs as weigh_column has it: the product is rounded, as it is in memory.
      Vec x = hn::Sub(kPairs ? hn::Mul(sum[r][v], factor) : sum[r][v], shift);
      Vec weight = exp_score(x);
      if (t.masked) {
        const Vec key = set(t.first_key + static_cast<float>(r));
        const auto seen = hn::And(hn::Ge(key, hn::LoadU(k_f32, t.low + v * k_lanes)),
                                  hn::Lt(key, hn::LoadU(k_f32, t.high + v * k_lanes)));
        weight = hn::IfThenElseZero(seen, weight);
        x = hn::IfThenElseZero(seen, x);
      }
      if (!kPairs || t.weights) hn::StoreU(weight, k_f32, t.weights + r * ldb + v * k_lanes);
      if constexpr (kPairs) {
        if (r % 2 == 1) {
          hn::StoreU(to_pairs(sum[r - 1][v], weight), k_f32, t.pairs + r / 2 * ldb + v * k_lanes);
        } else if (r + 1 == kRows) {
          hn::StoreU(to_pairs(weight, hn::Zero(k_f32)), k_f32, t.pairs + r / 2 * ldb + v * k_lanes);
        }
        sum[r][v] = weight;
      }
      fresh = hn::Add(fresh, weight);
      if (t.moment) moment = hn::MulAdd(weight, hn::Max(x, set(k_least_log)), moment);
    }
    hn::StoreU(fresh, k_f32, t.fresh + v * k_lanes);
    if (t.moment) hn::StoreU(moment, k_f32, t.moment + v * k_lanes);
  }
}

using WeighTile = void (*)(const Weigh&);

template <bool kPairs, int kVecs>
WeighTile weigh_tile_of(int rows) {
  constexpr WeighTile table[k_rows] = {weigh_tile<kPairs, 1, kVecs>, weigh_tile<kPairs, 2, kVecs>,
                                       weigh_tile<kPairs, 3, kVecs>, weigh_tile<kPairs, 4, kVecs>,
                                       weigh_tile<kPairs, 5, kVecs>, weigh_tile<kPairs, 6, kVecs>};
  return table[rows - 1];
}

template <bool kPairs>
WeighTile weigh_tile_for(int rows, int vecs) {
  if (vecs == 1) return weigh_tile_of<kPairs, 1>(rows);
#if HWY_TARGET != HWY_AVX2
  if (vecs == 3) return weigh_tile_of<kPairs, 3>(rows);
  if (vecs == 4) return weigh_tile_of<kPairs, 4>(rows);
#endif
  return weigh_tile_of<kPairs, 2>(rows);
}

WeighTile weigh_tile_for(bool pairs, int rows, int vecs) {
  if constexpr (k_pairs) {
    if (pairs) return weigh_tile_for<true>(rows, vecs);
  }
  return weigh_tile_for<false>(rows, vecs);
}

}  // namespace
}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_ATTENTION_WEIGH_INL_H_

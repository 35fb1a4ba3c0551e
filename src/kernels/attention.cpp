#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cpp"
#include "hwy/foreach_target.h"
//
#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/attention-inl.h"
#include "kernels/attention.h"
#include "kernels/attention_watch-inl.h"
#include "kernels/isa.h"
#include "kernels/pairs-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

// Keys of a block: their weights (96 x 64 floats) stay in the first-level cache.  Blocks begin at multiples
// of it, so that a row's sums are grouped the same whatever rows share its block of queries.
constexpr int64_t k_block_keys = 96;

// A row's weights are powers of two relative to its `top`: the largest of the first six scores of the block
// it begins in (or of that whole block, where it sees none of the six), until the weights of a block add up
// to more than this; then the largest score of that block takes its place.  Asking so rarely is what lets
// weights be made while their scores are in registers.  It is a rule of the row alone.
constexpr float k_most = 65536.f;

constexpr int64_t k_task_queries = 256;  // at most: one reading of keys and values serves them all
constexpr int64_t k_groups = (k_task_queries + k_width - 1) / k_width;
constexpr int64_t k_few_tasks = 16;  // as many are wanted, so that every thread has work

// What is kept for one block of queries; lanes are queries.
struct Group {
  QueryBlock block;
  float *queries, *sums;  // [D][lanes], [Dv][lanes]
  float *top, *shift;     // [lanes]: -inf where nothing was seen yet; what is taken off scores: top, or 0
  float* total;           // [lanes]: the sum of weights so far
  Watch watch;
};

// bf16 goes through products of pairs where the machine has them: queries, keys and weights are then cells of
// two numbers each, queries not multiplied with anything (it would round them), scores with query_factor.
bool in_pairs(const AttentionArgs& args) {
  return k_pairs && args.type == DType::bf16 && args.shape.width % 2 == 0 && has_pairs();
}

struct Room {                       // a task's scratch, but for its groups'
  float *weights, *pairs, *scores;  // [keys][lanes]
  float *added, *kept;              // the same: only where something is added, or dropped
  float* rows;                      // [lanes][keys], or [lanes][D] or [Dv]
  float *keys, *values;             // [keys][D], [keys][Dv]: only where they are not used in place
  float *fresh, *moment;            // [lanes]: sums of this block's weights, and of w log2 w, if wanted
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
    for (float** lanes : {&groups[g].top, &groups[g].shift, &groups[g].total}) *lanes = take(k_width);
    groups[g].watch = watch_room(observation, shape.keys, take);
  }
  room->weights = take(block);
  room->pairs = take(in_pairs(args) ? block / 2 : 0);
  room->scores = take(block);
  room->added = take(has_added(args) ? block : 0);
  room->kept = take(args.dropout > 0 ? block : 0);
  room->rows = take(std::max(has_added(args) || args.dropout > 0 ? block : 0, k_width * widest));
  room->keys = take(in_place(args, args.k_at, shape.width) ? 0 : k_block_keys * shape.width);
  const bool values_in_place = in_place(args, args.v_at, shape.value_width) && !in_pairs(args);
  room->values = take(values_in_place ? 0 : k_block_keys * shape.value_width);
  room->fresh = take(k_width);
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
      Vec weight = exp2(x);
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

// ---- one block of keys ---------------------------------------------------------------------------

struct KeyBlock {
  int64_t aligned, s0, s1;  // keys [s0, s1) of the block that begins at `aligned`
  bool pairs;               // key_pitch counts them; s0 - aligned is even
  const float* keys;
  const float* values;  // of pairs: rows of pairs of neighbouring keys
  int64_t key_pitch, value_pitch;
  const float* added;              // or null
  Fetch fetch_keys, fetch_values;  // at = null: nothing
};

// What the tiles of a strip of keys and vectors share.
Weigh strip(const Group& group, const KeyBlock& at_keys, int v0) {
  const AttentionArgs& args = *group.block.args;
  Weigh t{};
  t.key_pitch = at_keys.key_pitch;
  t.width = at_keys.pairs ? args.shape.width / 2 : args.shape.width;
  t.factor = query_factor(args);
  t.queries = group.queries + v0 * k_lanes;
  t.pitch = group.block.pitch;
  return t;
}

// Scores of the keys [at_keys.s0, end) in memory.
void score(const Group& group, const KeyBlock& at_keys, int64_t end, const float* added, const Room& room) {
  if (!at_keys.pairs) {
    score_block(group.block, group.queries, at_keys.s0, end, at_keys.keys, at_keys.key_pitch, added,
                room.scores, nullptr);
    return;
  }
  each_stripe(group.block, at_keys.s0, end, [&](int64_t c0, int64_t c1, int v0, int v1) {
    Weigh t = strip(group, at_keys, v0);
    for (int64_t key = c0; key < c1; key += k_rows) {
      t.keys = at_keys.keys + (key - at_keys.s0) * at_keys.key_pitch;
      t.scores = room.scores + (key - at_keys.s0) * t.pitch + v0 * k_lanes;
      weigh_tile_for(true, static_cast<int>(std::min<int64_t>(k_rows, c1 - key)), v1 - v0)(t);
    }
  });
  finish_scores(group.block, at_keys.s0, end, added, room.scores, nullptr);
}

// Scores to weights, for the lanes of one vector; their sum, and with moment not null that of w log2 w.
Vec weigh_column(const float* scores, float* weights, int64_t keys, int64_t pitch, Vec shift, float* moment) {
  Vec fresh = hn::Zero(k_f32), logs = hn::Zero(k_f32);
  for (int64_t s = 0; s < keys; ++s) {
    const Vec x = hn::Sub(hn::LoadU(k_f32, scores + s * pitch), shift);
    const Vec weight = exp2(x);
    hn::StoreU(weight, k_f32, weights + s * pitch);
    fresh = hn::Add(fresh, weight);
    if (moment) logs = hn::MulAdd(weight, hn::Max(x, set(k_least_log)), logs);
  }
  if (moment) hn::StoreU(logs, k_f32, moment);
  return fresh;
}

Vec shift_of(Vec top) { return hn::IfThenZeroElse(hn::Eq(top, set(-k_infinity)), top); }

Vec largest(const float* scores, int64_t keys, int64_t pitch) {
  Vec top = set(-k_infinity);
  for (int64_t s = 0; s < keys; ++s) top = hn::Max(top, hn::LoadU(k_f32, scores + s * pitch));
  return top;
}

// The rule of k_most, on scores in memory: for what is not masked by bounds alone, and where a top must move.
void weigh_carefully(const Group& group, const KeyBlock& at_keys, const Room& room) {
  const QueryBlock& block = group.block;
  const int64_t pitch = block.pitch, keys = at_keys.s1 - at_keys.s0;
  score(group, at_keys, at_keys.s1, at_keys.added, room);
  const int64_t early = std::clamp<int64_t>(at_keys.aligned + k_rows - at_keys.s0, 0, keys);
  for (int v = 0; v < block.vecs; ++v) {
    const int64_t lane = v * k_lanes;
    const float* scores = room.scores + lane;
    float* weights = room.weights + lane;
    const Vec old = hn::LoadU(k_f32, group.top + lane);
    const auto unset = hn::Eq(old, set(-k_infinity));
    Vec first = largest(scores, early, pitch);
    const Vec most = largest(scores, keys, pitch);
    first = hn::IfThenElse(hn::Eq(first, set(-k_infinity)), most, first);
    Vec top = hn::IfThenElse(unset, first, old);
    float* moment = room.moment ? room.moment + lane : nullptr;
    Vec fresh = weigh_column(scores, weights, keys, pitch, shift_of(top), moment);
    const auto right = hn::Le(fresh, set(k_most));  // not so for NaN
    if (!hn::AllTrue(k_f32, right)) {
      top = hn::IfThenElse(right, top, most);
      fresh = weigh_column(scores, weights, keys, pitch, shift_of(top), moment);
    }
    const Vec factor = hn::IfThenElse(unset, set(1.f), exp2(hn::Sub(old, shift_of(top))));
    const Vec before = hn::LoadU(k_f32, group.total + lane), total = hn::Mul(before, factor);
    hn::StoreU(top, k_f32, group.top + lane);
    hn::StoreU(shift_of(top), k_f32, group.shift + lane);
    hn::StoreU(hn::Add(total, fresh), k_f32, group.total + lane);
    if (hn::AllTrue(k_f32, hn::Eq(factor, set(1.f)))) continue;
    const Vec rise = hn::IfThenZeroElse(unset, hn::Sub(shift_of(top), old));
    watch_rescale(group.watch, lane, pitch, factor, rise, before);
    for (int64_t d = 0; d < block.args->shape.value_width; ++d) {
      float* sum = group.sums + d * pitch + lane;
      hn::StoreU(hn::Mul(hn::LoadU(k_f32, sum), factor), k_f32, sum);
    }
  }
  if (at_keys.pairs) pair_weights(room.weights, keys, pitch, room.pairs);
}

// Rows that begin in this block get their top from its first six keys.  False where some row sees keys here,
// and none of the six.
bool set_tops(const Group& group, const KeyBlock& at_keys, const Room& room) {
  const QueryBlock& block = group.block;
  bool unset = false;
  for (int64_t i = 0; i < block.count; ++i) unset |= group.top[i] == -k_infinity;
  if (!unset) return true;
  const int64_t end = std::min(at_keys.aligned + k_rows, at_keys.s1);
  if (end <= at_keys.s0) return false;
  score(group, at_keys, end, nullptr, room);
  for (int v = 0; v < block.vecs; ++v) {
    const int64_t lane = v * k_lanes;
    const Vec old = hn::LoadU(k_f32, group.top + lane);
    const Vec first = largest(room.scores + lane, end - at_keys.s0, block.pitch);
    const Vec top = hn::IfThenElse(hn::Eq(old, set(-k_infinity)), first, old);
    hn::StoreU(top, k_f32, group.top + lane);
    hn::StoreU(shift_of(top), k_f32, group.shift + lane);
  }
  for (int64_t i = 0; i < block.count; ++i) {
    const auto s0 = static_cast<float>(at_keys.s0), s1 = static_cast<float>(at_keys.s1);
    if (group.top[i] == -k_infinity && block.high[i] > s0 && block.low[i] < s1) return false;
  }
  return true;
}

void weigh(const Group& group, const KeyBlock& at_keys, const Room& room) {
  const QueryBlock& block = group.block;
  const AttentionArgs& args = *block.args;
  if (at_keys.added || args.softcap > 0 || !set_tops(group, at_keys, room))
    return weigh_carefully(group, at_keys, room);
  std::fill(room.fresh, room.fresh + block.pitch, 0.f);
  if (room.moment) std::fill(room.moment, room.moment + block.pitch, 0.f);
  const bool masked = partly_seen(block, at_keys.s0, at_keys.s1);
  // Of pairs the weights themselves are wanted where somebody looks at them, or drops some.
  const bool keep = !at_keys.pairs || args.dropout > 0 || watched(*group.watch.wanted);
  each_stripe(block, at_keys.s0, at_keys.s1, [&](int64_t c0, int64_t c1, int v0, int v1) {
    Weigh t = strip(group, at_keys, v0);
    t.shift = group.shift + v0 * k_lanes;
    t.fresh = room.fresh + v0 * k_lanes;
    t.moment = room.moment ? room.moment + v0 * k_lanes : nullptr;
    t.masked = masked;
    t.low = block.low + v0 * k_lanes;
    t.high = block.high + v0 * k_lanes;
    t.fetch_keys = at_keys.fetch_keys;
    t.fetch_values = at_keys.fetch_values;
    for (int64_t key = c0; key < c1; key += k_rows) {
      t.keys = at_keys.keys + (key - at_keys.s0) * at_keys.key_pitch;
      const int64_t row = (key - at_keys.s0) * block.pitch + v0 * k_lanes;
      t.weights = keep ? room.weights + row : nullptr;
      t.pairs = room.pairs + (key - at_keys.s0) / 2 * block.pitch + v0 * k_lanes;
      t.first_key = static_cast<float>(key);
      if (at_keys.fetch_keys.at) {
        t.fetch_keys.at = at_keys.fetch_keys.at + (key - at_keys.s0) * t.fetch_keys.stride;
        t.fetch_values.at = at_keys.fetch_values.at + (key - at_keys.s0) * t.fetch_values.stride;
      }
      weigh_tile_for(at_keys.pairs, static_cast<int>(std::min<int64_t>(k_rows, c1 - key)), v1 - v0)(t);
    }
  });
  bool right = true;
  for (int64_t i = 0; i < block.pitch; i += k_lanes) {
    right &= hn::AllTrue(k_f32, hn::Le(hn::LoadU(k_f32, room.fresh + i), set(k_most)));
  }
  if (!right) return weigh_carefully(group, at_keys, room);
  for (int64_t i = 0; i < block.pitch; i += k_lanes) {
    const Vec total = hn::Add(hn::LoadU(k_f32, group.total + i), hn::LoadU(k_f32, room.fresh + i));
    hn::StoreU(total, k_f32, group.total + i);
  }
}

void watch(const Group& group, const KeyBlock& at_keys, const Room& room) {
  if (!watched(*group.watch.wanted)) return;
  watch_block(group.watch, group.block, at_keys.s0, at_keys.s1, room.weights);
  for (int64_t i = 0; i < group.block.pitch && room.moment; i += k_lanes) {
    float* sum = group.watch.moment + i;
    hn::StoreU(hn::Add(hn::LoadU(k_f32, sum), hn::LoadU(k_f32, room.moment + i)), k_f32, sum);
  }
}

void drop(const QueryBlock& block, const KeyBlock& at_keys, const Room& room) {
  dropout_block(block, at_keys.s0, at_keys.s1, room.rows, room.kept);
  for (int64_t i = 0; i < (at_keys.s1 - at_keys.s0) * block.pitch; i += k_lanes) {
    const Vec weight = hn::Mul(hn::LoadU(k_f32, room.weights + i), hn::LoadU(k_f32, room.kept + i));
    hn::StoreU(weight, k_f32, room.weights + i);
  }
  if (at_keys.pairs) pair_weights(room.weights, at_keys.s1 - at_keys.s0, block.pitch, room.pairs);
}

// sums += V^T weights, of pairs.
void add_pairs(const Group& group, const KeyBlock& at_keys, const Room& room) {
  const QueryBlock& block = group.block;
  each_stripe(block, at_keys.s0, at_keys.s1, [&](int64_t c0, int64_t c1, int v0, int v1) {
    TileArgs t{};
    t.k = (c1 - c0 + 1) / 2;
    t.a = at_keys.values + (c0 - at_keys.s0) / 2 * at_keys.value_pitch;
    t.lda = at_keys.value_pitch;
    t.b = room.pairs + (c0 - at_keys.s0) / 2 * block.pitch + v0 * k_lanes;
    t.ldb = t.ldc = block.pitch;
    t.c = group.sums + v0 * k_lanes;
    pairs_tile_rows(block.args->shape.value_width, v1 - v0, t);
  });
}

// The same where a hidden 0 would meet NaN or infinity: a lane takes 0 for the values that it does not see.
void add_pairs_seen(const Group& group, const KeyBlock& at_keys, const Room& room) {
  const QueryBlock& block = group.block;
  const hn::RebindToUnsigned<F32> u32;
  const auto half = [&](int v, int64_t s, uint32_t bits) {
    const float* added = at_keys.added ? at_keys.added + (s - at_keys.s0) * block.pitch : nullptr;
    const auto seen = hn::RebindMask(u32, sees(block, v, s, added));
    return hn::IfThenElseZero(seen, hn::Set(u32, bits));
  };
  for (int64_t s = at_keys.s0; s < at_keys.s1; s += 2) {
    const int64_t pair = (s - at_keys.s0) / 2;
    const float* values = at_keys.values + pair * at_keys.value_pitch;
    for (int v = 0; v < block.vecs; ++v) {
      const bool second = s + 1 < at_keys.s1;
      if (!any_sees(block, v, s) && !(second && any_sees(block, v, s + 1))) continue;
      auto mask = half(v, s, 0xffff);
      if (second) mask = hn::Or(mask, half(v, s + 1, 0xffff0000));
      const Vec weights = hn::LoadU(k_f32, room.pairs + pair * block.pitch + v * k_lanes);
      for (int64_t d = 0; d < block.args->shape.value_width; ++d) {
        float* sum = group.sums + d * block.pitch + v * k_lanes;
        const Vec value = hn::BitCast(k_f32, hn::And(hn::BitCast(u32, set(values[d])), mask));
        hn::StoreU(dot_pairs(value, weights, hn::LoadU(k_f32, sum)), k_f32, sum);
      }
    }
  }
}

// sums += V^T weights.
void add_values(const Group& group, const KeyBlock& at_keys, const Room& room) {
  const QueryBlock& block = group.block;
  const AttentionArgs& args = *block.args;
  const int64_t s0 = at_keys.s0, s1 = at_keys.s1, width = args.shape.value_width;
  const bool masked = at_keys.added || partly_seen(block, s0, s1);
  if (at_keys.pairs) {
    const auto* own = static_cast<const uint16_t*>(at(args.type, block.v, s0 * args.v_at.row));
    if (masked && !finite_bf16(own, args.v_at.row, s1 - s0, width))
      return add_pairs_seen(group, at_keys, room);
    return add_pairs(group, at_keys, room);
  }
  if (masked && !all_finite(at_keys.values, at_keys.value_pitch, s1 - s0, width)) {
    add_seen(block, s0, s1, at_keys.values, at_keys.value_pitch, width, room.weights, at_keys.added,
             group.sums);
    return;
  }
  add_keys(block, s0, s1, at_keys.values, at_keys.value_pitch, width, room.weights, group.sums);
}

// One block of queries against keys whose rows are `here`.
void attend(const Group& group, KeyBlock here, const Room& room) {
  const AttentionArgs& args = *group.block.args;
  if (other_documents(group.block, here.s0, here.s1)) return;
  if (has_added(args)) {
    const Added kind = added_block(group.block, here.s0, here.s1, room.rows, room.added);
    if (kind == Added::hidden) return;
    if (kind == Added::some) here.added = room.added;
  }
  weigh(group, here, room);
  watch(group, here, room);
  if (args.dropout > 0) drop(group.block, here, room);
  add_values(group, here, room);
}

// The rows [s0, s1) of keys or values without gaps, as floats, or of pairs as they are; and what to fetch
// while they are used.
const float* rows_of(const AttentionArgs& args, const void* from, const HeadStrides& strides, int64_t width,
                     int64_t s0, int64_t s1, bool keys, float* copy, Fetch* fetch) {
  const int64_t element = args.type == DType::f32 ? 4 : 2;
  const void* first = at(args.type, from, s0 * strides.row);
  *fetch = {static_cast<const std::byte*>(first), strides.row * element, width * element};
  const bool pairs = in_pairs(args);
  if (in_place(args, strides, width) && (keys || !pairs)) {
    if (keys) fetch->at += k_rows * fetch->stride;  // the next tile
    return static_cast<const float*>(first);
  }
  if (!pairs) {
    load_rows(args.type, first, strides.row, s1 - s0, width, copy, width);
  } else if (keys) {
    auto* to = reinterpret_cast<uint16_t*>(copy);
    const auto* row = static_cast<const uint16_t*>(first);
    for (int64_t r = 0; r < s1 - s0; ++r) std::copy_n(row + r * strides.row, width, to + r * width);
  } else {
    pair_rows(static_cast<const uint16_t*>(first), strides.row, s1 - s0, width,
              reinterpret_cast<uint32_t*>(copy));
  }
  fetch->at += k_block_keys * fetch->stride;
  return copy;
}

// All groups of queries against the block of keys that begins at `aligned`.
void attend_all(const AttentionArgs& args, Group* groups, int64_t count, int64_t aligned, const Room& room) {
  const AttentionShape& shape = args.shape;
  int64_t low = aligned + k_block_keys, high = aligned;
  for (int64_t g = 0; g < count; ++g) {
    low = std::min(low, std::max(aligned, groups[g].block.any_low));
    high = std::max(high, std::min(aligned + k_block_keys, groups[g].block.any_high));
  }
  if (low >= high) return;
  KeyBlock all{};
  all.pairs = in_pairs(args);
  if (all.pairs) low -= (low - aligned) % 2;
  const int64_t key_pitch = all.pairs ? shape.width / 2 : shape.width;
  const QueryBlock& block = groups[0].block;
  all.keys = rows_of(args, block.k, args.k_at, shape.width, low, high, true, room.keys, &all.fetch_keys);
  all.values =
      rows_of(args, block.v, args.v_at, shape.value_width, low, high, false, room.values, &all.fetch_values);
  for (int64_t g = 0; g < count; ++g) {
    KeyBlock here = all;
    here.aligned = aligned;
    here.s0 = std::max(aligned, groups[g].block.any_low);
    here.s1 = std::min(aligned + k_block_keys, groups[g].block.any_high);
    if (here.s0 >= here.s1) continue;
    if (all.pairs) here.s0 -= (here.s0 - aligned) % 2;  // a pair is the same whatever rows share the block
    here.key_pitch = key_pitch;
    here.value_pitch = shape.value_width;
    here.keys += (here.s0 - low) * here.key_pitch;
    here.values += (here.s0 - low) / (all.pairs ? 2 : 1) * here.value_pitch;
    if (g > 0) {  // the first has brought them from afar
      const auto row = static_cast<int64_t>(sizeof(float));
      here.fetch_keys = {reinterpret_cast<const std::byte*>(here.keys + k_rows * here.key_pitch),
                         here.key_pitch * row, here.key_pitch * row};
      here.fetch_values = {reinterpret_cast<const std::byte*>(here.values), here.value_pitch * row,
                           shape.value_width * row};
    }
    attend(groups[g], here, room);
  }
}

// z = sums / total, lse = top + log total; 0 and -inf where nothing was seen.
void finish(const Group& group, const Room& room) {
  const QueryBlock& block = group.block;
  const AttentionArgs& args = *block.args;
  const AttentionShape& shape = args.shape;
  const int64_t pitch = block.pitch, width = shape.value_width;
  float* lse = args.lse + (block.batch * shape.heads + block.head) * shape.queries + block.first;
  HWY_ALIGN float all[k_width];
  std::copy_n(group.total, pitch, all);
  for (int64_t i = 0; i < block.count; ++i) {
    float top = group.shift[i], total = group.total[i], share = 1;
    if (args.sinks) {  // one key more, whose value is 0
      const float sink = args.sinks[block.head] * k_log2_e, most = total == 0 ? sink : std::max(top, sink);
      share = std::exp2(top - most);
      total = (total == 0 ? 0 : total * share) + std::exp2(sink - most);
      top = most;
    }
    lse[i] = total == 0 ? -k_infinity : static_cast<float>(top * k_log_2 + std::log(total));
    group.total[i] = group.total[i] == 0 ? 0 : share / total;
  }
  if (watched(*group.watch.wanted)) {
    watch_finish(group.watch, block, group.total, lse, all, room.rows);
  }
  for (int64_t d = 0; d < width; ++d) {
    for (int64_t i = 0; i < pitch; i += k_lanes) {
      float* sum = group.sums + d * pitch + i;
      const Vec share = hn::LoadU(k_f32, group.total + i);
      const Vec mean = hn::Mul(hn::LoadU(k_f32, sum), share);
      hn::StoreU(hn::IfThenZeroElse(hn::Eq(share, hn::Zero(k_f32)), mean), k_f32, sum);
    }
  }
  void* z = at(args.z_type, args.z,
               block.batch * args.z_at.batch + block.first * args.z_at.row + block.head * args.z_at.head);
  if (args.z_type == DType::f32) {
    transpose(width, block.count, group.sums, pitch, static_cast<float*>(z), args.z_at.row);
    return;
  }
  transpose(width, block.count, group.sums, pitch, room.rows, width);
  store_rows(args.z_type, room.rows, width, block.count, width, z, args.z_at.row);
}

void pack_queries(const QueryBlock& block, float* HWY_RESTRICT rows, float* HWY_RESTRICT to) {
  const AttentionArgs& args = *block.args;
  const int64_t width = args.shape.width, stride = args.q_at.row;
  if (in_pairs(args)) {
    const auto* from = static_cast<const uint16_t*>(block.q);
    auto* copy = reinterpret_cast<uint16_t*>(rows);
    for (int64_t i = 0; i < block.count; ++i) std::copy_n(from + i * stride, width, copy + i * width);
    transpose(block.count, width / 2, rows, width / 2, to, block.pitch);
    for (int64_t p = 0; p < width / 2; ++p) {
      std::fill(to + p * block.pitch + block.count, to + (p + 1) * block.pitch, 0.f);
    }
  } else if (args.type == DType::f32) {
    pack_columns(static_cast<const float*>(block.q), stride, block.count, width, query_factor(args),
                 block.pitch, to);
  } else {
    load_rows(args.type, block.q, stride, block.count, width, rows, width);
    pack_columns(rows, width, block.count, width, query_factor(args), block.pitch, to);
  }
}

void start(Group* group, const AttentionArgs& args, int64_t batch, int64_t head, int64_t first, int64_t end,
           const Room& room) {
  const AttentionShape& shape = args.shape;
  group->block = query_block(args, batch, head, first, end);
  const QueryBlock& block = group->block;
  pack_queries(block, room.rows, group->queries);
  watch_start(group->watch);
  std::fill(group->sums, group->sums + shape.value_width * block.pitch, 0.f);
  std::fill(group->shift, group->shift + block.pitch, 0.f);
  std::fill(group->total, group->total + block.pitch, 0.f);
  std::fill(group->top, group->top + block.count, -k_infinity);
  std::fill(group->top + block.count, group->top + block.pitch, 0.f);
}

// The rows of the map that belong to these queries.
void clear_map(const AttentionArgs& args, const AttentionObservation& o, int64_t batch, int64_t head,
               int64_t first, int64_t count) {
  if (!o.map) return;
  const int64_t rows = (args.shape.queries + o.map_queries - 1) / o.map_queries;
  const int64_t columns = (args.shape.keys + o.map_keys - 1) / o.map_keys;
  float* map = o.map + (batch * args.shape.heads + head) * rows * columns;
  std::fill(map + first / o.map_queries * columns,
            map + (first + count + o.map_queries - 1) / o.map_queries * columns, 0.f);
}

// The queries [first, first + count) of one head.
void forward(const AttentionArgs& args, const AttentionObservation& observation, int64_t batch, int64_t head,
             int64_t first, int64_t count, float* scratch) {
  Room room;
  Group groups[k_groups];
  lay_out(args, observation, scratch, &room, groups);
  clear_map(args, observation, batch, head, first, count);
  const int64_t used = (count + k_width - 1) / k_width;
  int64_t low = args.shape.keys, high = 0;
  for (int64_t g = 0; g < used; ++g) {
    start(&groups[g], args, batch, head, first + g * k_width, first + count, room);
    low = std::min(low, groups[g].block.any_low);
    high = std::max(high, groups[g].block.any_high);
  }
  for (int64_t s = low / k_block_keys * k_block_keys; s < high; s += k_block_keys) {
    attend_all(args, groups, used, s, room);
  }
  for (int64_t g = 0; g < used; ++g) finish(groups[g], room);
}

}  // namespace

AttentionForward::Target attention_forward_target(const AttentionArgs& args, const AttentionObservation& o) {
  Room room;
  Group groups[k_groups];
  const int64_t heads = args.shape.batch * args.shape.heads;
  int64_t queries = std::max(k_task_queries, k_width);
  while (queries > k_width && heads * ((args.shape.queries + queries - 1) / queries) < k_few_tasks)
    queries /= 2;
  if (o.map) {  // a row of the map belongs to one task
    queries = std::max(queries / o.map_queries, int64_t{1}) * o.map_queries;
  }
  return {forward, queries, lay_out(args, o, nullptr, &room, groups)};
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(attention_forward_target);

}  // namespace

AttentionForward::AttentionForward(const AttentionArgs& args, const AttentionObservation& observation)
    : args_(args), observation_(observation) {
  choose_isa();
  target_ = HWY_DYNAMIC_DISPATCH(attention_forward_target)(args_, observation_);
  blocks_ = (args_.shape.queries + target_.queries - 1) / target_.queries;
}

int64_t AttentionForward::tasks() const noexcept { return args_.shape.batch * args_.shape.heads * blocks_; }

void AttentionForward::run(int64_t task, std::byte* scratch) const noexcept {
  // The last queries first: with a causal mask they see most, and long tasks at the end leave threads idle.
  const int64_t heads = args_.shape.batch * args_.shape.heads;
  const int64_t first = (blocks_ - 1 - task / heads) * target_.queries, item = task % heads;
  target_.run(args_, observation_, item / args_.shape.heads, item % args_.shape.heads, first,
              std::min(target_.queries, args_.shape.queries - first), reinterpret_cast<float*>(scratch));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE

// Attention's forward kernel, one block of queries against one block of keys: tops, weights, and the sums of
// the values.
//
// Included by attention.cpp alone, once per instruction set: nothing here is seen elsewhere.
#if defined(LIMPID_KERNELS_ATTENTION_KEYS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_ATTENTION_KEYS_INL_H_
#undef LIMPID_KERNELS_ATTENTION_KEYS_INL_H_
#else
#define LIMPID_KERNELS_ATTENTION_KEYS_INL_H_
#endif

#include "kernels/attention_weigh-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

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
  t.factor = args.scale;
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

// Scores to weights, for the lanes of one vector; their sum, and with moment not null that of w log w.
Vec weigh_column(const float* scores, float* weights, int64_t keys, int64_t pitch, Vec shift, float* moment) {
  Vec fresh = hn::Zero(k_f32), logs = hn::Zero(k_f32);
  for (int64_t s = 0; s < keys; ++s) {
    const Vec x = hn::Sub(hn::LoadU(k_f32, scores + s * pitch), shift);
    const Vec weight = exp_score(x);
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

void times(float* at, Vec factor) { hn::StoreU(hn::Mul(hn::LoadU(k_f32, at), factor), k_f32, at); }

// The top of one vector's lanes has moved: what was summed so far counts `factor` of what it did.
void rescale(const Group& group, int64_t lane, Vec factor) {
  rescale_exactly(factor, group.total + lane, group.rest + lane);
  for (int64_t d = 0; d < group.block.args->shape.value_width; ++d) {
    times(group.sums + d * group.block.pitch + lane, factor);
    if (group.far_sums) times(group.far_sums + d * group.block.pitch + lane, factor);
  }
}

void add_to_total(const Group& group, int64_t lane, Vec fresh) {
  add_exactly(fresh, group.total + lane, group.rest + lane);
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
    const Vec factor = hn::IfThenElse(unset, set(1.f), exp_score(hn::Sub(old, shift_of(top))));
    hn::StoreU(top, k_f32, group.top + lane);
    hn::StoreU(shift_of(top), k_f32, group.shift + lane);
    if (!hn::AllTrue(k_f32, hn::Eq(factor, set(1.f)))) {
      const Vec rise = hn::IfThenZeroElse(unset, hn::Sub(shift_of(top), old));
      watch_rescale(group.watch, lane, pitch, factor, rise, hn::LoadU(k_f32, group.total + lane));
      rescale(group, lane, factor);
    }
    add_to_total(group, lane, fresh);
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
    add_to_total(group, i, hn::LoadU(k_f32, room.fresh + i));
  }
}

void watch(const Group& group, const KeyBlock& at_keys, const Room& room) {
  if (!watched(*group.watch.wanted)) return;
  watch_block(group.watch, group.block, at_keys.s0, at_keys.s1, room.weights);
  for (int64_t i = 0; i < group.block.pitch && room.moment; i += k_lanes) {
    add_exactly(hn::LoadU(k_f32, room.moment + i), group.watch.moment + i, group.watch.moment_rest + i);
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
  const int64_t width = block.args->shape.value_width;
  const bool whole = one_stripe(block, at_keys.s0, at_keys.s1);
  const auto add = [&](float* sums) {
    each_stripe(block, at_keys.s0, at_keys.s1, [&](int64_t c0, int64_t c1, int v0, int v1) {
      TileArgs t{};
      t.k = (c1 - c0 + 1) / 2;
      t.a = at_keys.values + (c0 - at_keys.s0) / 2 * at_keys.value_pitch;
      t.lda = at_keys.value_pitch;
      t.b = room.pairs + (c0 - at_keys.s0) / 2 * block.pitch + v0 * k_lanes;
      t.ldb = t.ldc = block.pitch;
      t.c = sums + v0 * k_lanes;
      t.add = true;
      t.apart = whole;
      pairs_tile_rows<true>(width, v1 - v0, t);
    });
  };
  if (whole) return add(group.sums);
  add_apart(width * block.pitch, room.fresh_sums, group.sums, add);
}

// The same where a hidden 0 would meet NaN or infinity: a lane takes 0 for the values that it does not see.
void add_pairs_seen(const Group& group, const KeyBlock& at_keys, const Room& room, float* sums) {
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
        float* sum = sums + d * block.pitch + v * k_lanes;
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
    if (!masked || finite_bf16(own, args.v_at.row, s1 - s0, width)) return add_pairs(group, at_keys, room);
    return add_apart(width * block.pitch, room.fresh_sums, group.sums,
                     [&](float* sums) { add_pairs_seen(group, at_keys, room, sums); });
  }
  if (!masked || all_finite(at_keys.values, at_keys.value_pitch, s1 - s0, width))
    return add_keys(block, s0, s1, at_keys.values, at_keys.value_pitch, width, room.weights, room.fresh_sums,
                    group.sums);
  add_apart(width * block.pitch, room.fresh_sums, group.sums, [&](float* sums) {
    add_seen(block, s0, s1, at_keys.values, at_keys.value_pitch, width, room.weights, at_keys.added, sums);
  });
}

}  // namespace
}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_ATTENTION_KEYS_INL_H_

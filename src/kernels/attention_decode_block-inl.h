// What decode keeps for the queries of one key head, the rows of one block of its keys and values wherever
// they lie, and how scores become weights.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_ATTENTION_DECODE_BLOCK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_ATTENTION_DECODE_BLOCK_INL_H_
#undef LIMPID_KERNELS_ATTENTION_DECODE_BLOCK_INL_H_
#else
#define LIMPID_KERNELS_ATTENTION_DECODE_BLOCK_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/attention-inl.h"
#include "kernels/attention_decode-inl.h"
#include "kernels/attention_decode.h"
#include "kernels/cache-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

// Rows are the queries of all heads of a key head: row = t (H / G) + head of the group.
struct Room {
  int64_t rows, tiled;              // tiled: with one of zeros more where they are 3 beyond a multiple of 4
  int64_t key_pitch, value_pitch;   // floats of a row: whole vectors
  bool parts_keys, parts_values;    // are the lanes in the order of a type's parts (cache-inl.h)?
  bool copies_keys, copies_values;  // are rows converted before they are used?
  float *queries, *sums, *weights;  // [tiled][key_pitch], [tiled][value_pitch], [tiled][k_decode_keys]
  float *top, *total;               // [tiled], [tiled][lanes]: of this chunk
  float *all_sums, *all_top, *all_total;  // [rows][value_pitch], [rows], [rows]: of the chunks before
  float *keys, *values;                   // [k_decode_keys][pitch]
  float* plain;                           // [widest of the pitches]: one row
};

inline bool has_parts(DType type, int64_t width) {
  return with_type(type, [&](auto t) { return width % (decltype(t)::k_pack * k_lanes) == 0; });
}

// A row of numbers in the order of its parts, and back.
inline void to_parts(DType type, bool parts, const float* from, int64_t width, float* to) {
  if (!parts) {
    std::copy_n(from, width, to);
    return;
  }
  with_type(type, [&](auto t) {
    constexpr int64_t kPack = decltype(t)::k_pack;
    for (int64_t c = 0; c < width; c += kPack * k_lanes) {
      for (int64_t part = 0; part < kPack; ++part)
        for (int64_t i = 0; i < k_lanes; ++i) to[c + part * k_lanes + i] = from[c + i * kPack + part];
    }
  });
}
inline void from_parts(DType type, bool parts, const float* from, int64_t width, float* to) {
  if (!parts) {
    std::copy_n(from, width, to);
    return;
  }
  with_type(type, [&](auto t) {
    constexpr int64_t kPack = decltype(t)::k_pack;
    for (int64_t c = 0; c < width; c += kPack * k_lanes) {
      for (int64_t part = 0; part < kPack; ++part)
        for (int64_t i = 0; i < k_lanes; ++i) to[c + i * kPack + part] = from[c + part * k_lanes + i];
    }
  });
}

inline int64_t tile_of(int64_t rows) { return rows >= 3 ? 4 : rows; }

// How many floats it takes; places them in scratch unless that is null.
inline int64_t lay_out(const DecodeArgs& args, float* scratch, Room* room) {
  const AttentionShape& s = args.shape;
  const Room none{};
  *room = none;
  room->rows = s.key_heads > 0 ? s.queries * (s.heads / s.key_heads) : 0;
  room->tiled = room->rows + (room->rows % k_most_rows == 3);
  room->key_pitch = padded(s.width);
  room->value_pitch = padded(s.value_width);
  // Widths of whole parts alone can be read in place.  Of many rows one conversion serves all.
  room->parts_keys = has_parts(args.keys.type, s.width);
  room->parts_values = has_parts(args.values.type, s.value_width);
  const bool many = room->tiled > k_most_rows;
  room->copies_keys = !room->parts_keys || (many && args.keys.type != DType::f32);
  room->copies_values = !room->parts_values || (many && args.values.type != DType::f32);
  int64_t used = 0;
  const auto take = [&](int64_t count) {
    float* place = scratch ? scratch + used : nullptr;
    used += (count + 15) / 16 * 16;
    return place;
  };
  room->queries = take(room->tiled * room->key_pitch);
  room->sums = take(room->tiled * room->value_pitch);
  room->weights = take(room->tiled * k_decode_keys);
  room->top = take(room->tiled);
  room->total = take(room->tiled * k_lanes);
  room->all_sums = take(room->rows * room->value_pitch);
  room->all_top = take(room->rows);
  room->all_total = take(room->rows);
  room->keys = take(room->copies_keys ? k_decode_keys * room->key_pitch : 0);
  room->values = take(room->copies_values ? k_decode_keys * room->value_pitch : 0);
  room->plain = take(std::max(room->key_pitch, room->value_pitch));
  return used;
}

// What takes back, in the scales of i8, that its parts are multiplied.
inline float unit_of(DType type, bool parts) {
  return parts ? with_type(type, [](auto t) { return 1 / decltype(t)::k_unit; }) : 1;
}

struct Task {
  const DecodeArgs& args;
  Room room;
  int64_t batch, key_head;
  int64_t low, high;          // keys that some row sees lie in here,
  int64_t all_low, all_high;  // and in here every row sees all
  int64_t group() const { return args.shape.heads / args.shape.key_heads; }
  int64_t query(int64_t row) const { return row / group(); }
  int64_t head(int64_t row) const { return key_head * group() + row % group(); }
};

// ---- a block of keys ------------------------------------------------------------------------------

// Rows of one cache for the keys of a block; those that nobody sees stand for a neighbour that is seen.
struct BlockRows {
  const void* at[k_decode_keys];
  HWY_ALIGN float scales[k_decode_keys];  // i8
};

struct Block {
  int64_t start, s0, s1;  // keys [s0, s1) of the block that begins at `start`
  BlockRows keys, values;
};

inline int64_t bytes_of(DType type) { return type == DType::f32 ? 4 : type == DType::i8 ? 1 : 2; }

inline void find_rows(const Task& task, const Cache& cache, float unit, Block* block, BlockRows* rows) {
  const int64_t step = cache.at.row * bytes_of(cache.type), first = block->s0 - block->start,
                last = block->s1 - 1 - block->start;
  for (int64_t s = block->s0; s < block->s1;) {
    const CachePlace place = place_in(cache, task.batch, s);
    const int64_t run = cache.pages ? std::min(block->s1 - s, cache.page_keys - place.row) : block->s1 - s;
    const auto* row = static_cast<const std::byte*>(cache.data) +
                      offset_of(cache.at, place, task.key_head) * bytes_of(cache.type);
    const void** to = rows->at + (s - block->start);
    for (int64_t i = 0; i < run; ++i) to[i] = row + i * step;
    if (cache.type == DType::i8) {
      const float* scale = cache.scales + offset_of(cache.scales_at, place, task.key_head);
      for (int64_t i = 0; i < run; ++i)
        rows->scales[s - block->start + i] = scale[i * cache.scales_at.row] * unit;
    }
    s += run;
  }
  if (first > 0) {
    std::fill(rows->at, rows->at + first, rows->at[first]);
    std::fill(rows->scales, rows->scales + first, 0.f);
  }
  std::fill(rows->at + last + 1, rows->at + k_decode_keys, rows->at[last]);
  std::fill(rows->scales + last + 1, rows->scales + k_decode_keys, 0.f);
}

inline void find_block(const Task& task, int64_t start, int64_t low, int64_t high, Block* block) {
  block->start = start;
  block->s0 = std::max(start, low);
  block->s1 = std::min(start + k_decode_keys, high);
  const Cache &keys = task.args.keys, &values = task.args.values;
  find_rows(task, keys, unit_of(keys.type, task.room.parts_keys), block, &block->keys);
  find_rows(task, values, unit_of(values.type, task.room.parts_values), block, &block->values);
}

// The block's rows as floats, in the order of parts or the last vector filled up with 0; `at` then points to
// them.
template <class Type>
void copy_rows(Type, const Block& block, const BlockRows& from, bool parts, int64_t width, int64_t pitch,
               Ahead ahead, float* to, const void** at) {
  using Element = typename Type::Element;
  constexpr int64_t kStep = Type::k_pack * k_lanes;
  const int64_t first = block.s0 - block.start, last = block.s1 - 1 - block.start;
  for (int64_t i = first; i <= last; ++i) {
    const auto* row = static_cast<const Element*>(from.at[i]);
    float* out = to + i * pitch;
    ahead.fetch(i, i + 1);
    int64_t c = 0;
    for (; parts && c < width; c += kStep) {
      const auto raw = Type::raw(row + c);
      for (int j = 0; j < Type::k_pack; ++j) hn::StoreU(Type::part(raw, j), k_f32, out + c + j * k_lanes);
    }
    for (; c + k_lanes <= width; c += k_lanes) hn::StoreU(Type::load(row + c), k_f32, out + c);
    if (c < width) {
      Element rest[k_lanes]{};
      std::copy_n(row + c, width - c, rest);
      hn::StoreU(Type::load(rest), k_f32, out + c);
    }
  }
  for (int64_t i = 0; i < k_decode_keys; ++i) at[i] = to + std::clamp(i, first, last) * pitch;
}

// ---- scores to weights ----------------------------------------------------------------------------

// What a row does to its scores besides the softmax.
struct Change {
  const float *key_scales, *value_scales;  // of i8, or null
  float softcap, slope;
  float distance;  // position less the block's first key
};

// x becomes the final score in units of log 2.
HWY_INLINE Vec changed(const Change& change, Vec x, int64_t i) {
  if (change.key_scales) x = hn::Mul(x, hn::Load(k_f32, change.key_scales + i));
  if (change.softcap > 0) x = hn::Mul(set(change.softcap * k_log2_e), tanh(x));
  if (change.slope != 0) {
    const Vec distance = hn::Sub(set(change.distance - static_cast<float>(i)), hn::Iota(k_f32, 0.f));
    x = hn::NegMulAdd(set(change.slope * k_log2_e), distance, x);
  }
  return x;
}

// One row's scores of a block become final: changed, and -inf but for the keys [low, high) of the block,
// which it sees.  The largest, or that of the blocks before.
inline float final_scores(const Change& change, int64_t low, int64_t high, float* HWY_RESTRICT scores,
                          float top) {
  if (change.key_scales || change.softcap > 0 || change.slope != 0) {
    for (int64_t i = 0; i < k_decode_keys; i += k_lanes)
      hn::Store(changed(change, hn::Load(k_f32, scores + i), i), k_f32, scores + i);
  }
  std::fill(scores, scores + low, -k_infinity);
  std::fill(scores + high, scores + k_decode_keys, -k_infinity);
  Vec most = hn::Load(k_f32, scores);
  for (int64_t i = k_lanes; i < k_decode_keys; i += k_lanes)
    most = hn::Max(most, hn::Load(k_f32, scores + i));
  return std::max(top, max_lanes(most));  // NaN of the scores will be in the weights
}

// Scores become weights, powers of two relative to `now`, the largest score so far; where that has grown,
// total and sums shrink.
inline void weigh_row(const float* HWY_RESTRICT value_scales, float now, float* HWY_RESTRICT scores,
                      float* top, float* total, float* sums, int64_t value_pitch) {
  const float old = *top;
  const Vec shift = set(now == -k_infinity ? 0 : now);
  Vec fresh = hn::Zero(k_f32);
  for (int64_t i = 0; i < k_decode_keys; i += k_lanes) {
    Vec weight = exp2(hn::Sub(hn::Load(k_f32, scores + i), shift));
    fresh = hn::Add(fresh, weight);
    if (value_scales) weight = hn::Mul(weight, hn::Load(k_f32, value_scales + i));
    hn::Store(weight, k_f32, scores + i);
  }
  Vec before = hn::Load(k_f32, total);
  if (now != old && old != -k_infinity) {
    const Vec factor = exp2(hn::Sub(set(old), shift));
    before = hn::Mul(before, factor);
    for (int64_t d = 0; d < value_pitch; d += k_lanes)
      hn::StoreU(hn::Mul(hn::LoadU(k_f32, sums + d), factor), k_f32, sums + d);
  }
  hn::Store(hn::Add(before, fresh), k_f32, total);
  *top = now;
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_ATTENTION_DECODE_BLOCK_INL_H_

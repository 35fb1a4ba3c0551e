// What decode keeps for the queries of one key head, the rows of one chunk of its keys and values wherever
// they lie, and how scores become weights.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_ATTENTION_DECODE_CHUNK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_ATTENTION_DECODE_CHUNK_INL_H_
#undef LIMPID_KERNELS_ATTENTION_DECODE_CHUNK_INL_H_
#else
#define LIMPID_KERNELS_ATTENTION_DECODE_CHUNK_INL_H_
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

constexpr int64_t k_batch = 64;  // slots that are gone through together by many rows, or converted

// Rows are the queries of all heads of a key head: row = t (H / G) + head of the group.
struct Room {
  int64_t rows, tiled;              // tiled: with one of zeros more where they are 3 beyond a multiple of 4
  int64_t key_pitch, value_pitch;   // floats of a row: whole vectors
  bool parts_keys, parts_values;    // are the lanes in the order of a type's parts (cache-inl.h)?
  bool copies_keys, copies_values;  // are rows converted before they are used?
  float *queries, *sums, *weights;  // [tiled][key_pitch], [tiled][value_pitch], [tiled][k_chunk]
  float *top, *total;               // [rows]: of this chunk
  float *all_sums, *all_top, *all_total;  // [rows][value_pitch], [rows], [rows]: of the chunks before
  float *keys, *values;                   // [k_batch][pitch]
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
  room->weights = take(room->tiled * k_chunk);
  room->top = take(room->rows);
  room->total = take(room->rows);
  room->all_sums = take(room->rows * room->value_pitch);
  room->all_top = take(room->rows);
  room->all_total = take(room->rows);
  room->keys = take(room->copies_keys ? k_batch * room->key_pitch : 0);
  room->values = take(room->copies_values ? k_batch * room->value_pitch : 0);
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

// ---- a chunk of keys ------------------------------------------------------------------------------

// Rows of one cache by their slots.
struct CacheRows {
  const std::byte* base;
  int64_t offsets[k_chunk];           // bytes
  HWY_ALIGN float scales[k_chunk]{};  // i8; any number where no key is seen
  bool whole = false;                 // do the offsets hold for any whole chunk of this cache?
  bool apart = false;                 // does a row lie elsewhere than behind the one before?

  SlotRows rows(int64_t bytes) const { return {base, offsets, apart ? bytes : 0}; }
};

struct Chunk {
  int64_t start, s0, s1;  // of its keys [start, start + k_chunk) some row sees [s0, s1)
  int64_t count;          // quads with one of those in it
  HWY_ALIGN int16_t quads[k_quads + k_quads_at_once];  // in order, then the last again and again
  CacheRows keys, values;

  int64_t slots() const {
    return (quads[count - 1] / k_streams + 1) * k_streams * k_quad;
  }  // behind the last
};

inline int64_t bytes_of(DType type) { return type == DType::f32 ? 4 : type == DType::i8 ? 1 : 2; }

// Keys of a chunk that lie one behind another, from `key` on, by quads where they are whole ones.
struct Run {
  int64_t key, count;
  int64_t offset, step;  // bytes: of the first, between two
  const float* scales;   // i8, or null
  int64_t scales_step;
};
inline void place_run(const Run& run, float unit, CacheRows* to) {
  const auto place = [&](int64_t i, int64_t slot, int64_t count) {
    for (int64_t j = 0; j < count; ++j) to->offsets[slot + j] = run.offset + (i + j) * run.step;
    for (int64_t j = 0; run.scales && j < count; ++j)
      to->scales[slot + j] = run.scales[(i + j) * run.scales_step] * unit;
  };
  int64_t i = 0;
  for (; i < run.count && (run.key + i) % k_quad != 0; ++i) place(i, k_slots.of_key[run.key + i], 1);
  for (; i + k_quad <= run.count; i += k_quad) place(i, k_slots.of_key[run.key + i], k_quad);
  for (; i < run.count; ++i) place(i, k_slots.of_key[run.key + i], 1);
}

inline void find_rows(const Task& task, const Cache& cache, int64_t width, float unit, const Chunk& chunk,
                      CacheRows* to) {
  const int64_t bytes = bytes_of(cache.type), step = cache.at.row * bytes;
  const auto* data = static_cast<const std::byte*>(cache.data);
  const bool whole = chunk.s1 - chunk.s0 == k_chunk;
  to->base = data;
  to->apart = step != width * bytes;
  if (!cache.pages)
    to->base += offset_of(cache.at, place_in(cache, task.batch, chunk.start), task.key_head) * bytes;
  const bool known = whole && to->whole;
  if (known && cache.type != DType::i8) return;
  if (!whole) std::fill_n(to->offsets, k_chunk, 0);  // fetching ahead asks for any slot
  for (int64_t s = chunk.s0; s < chunk.s1;) {
    const CachePlace place = place_in(cache, task.batch, s);
    Run run{};
    run.key = s - chunk.start;
    run.count = cache.pages ? std::min(chunk.s1 - s, cache.page_keys - place.row) : chunk.s1 - s;
    run.offset = cache.pages ? offset_of(cache.at, place, task.key_head) * bytes : run.key * step;
    run.step = step;
    if (cache.type == DType::i8) run.scales = cache.scales + offset_of(cache.scales_at, place, task.key_head);
    run.scales_step = cache.scales_at.row;
    place_run(run, unit, to);
    s += run.count;
  }
  to->whole = whole && !cache.pages;
  // A quad is read as a whole: for a key that nobody sees its neighbour.
  const int64_t low = chunk.s0 - chunk.start, high = chunk.s1 - chunk.start;
  for (int64_t key = low / k_quad * k_quad; key < low; ++key)
    to->offsets[k_slots.of_key[key]] = to->offsets[k_slots.of_key[low]];
  for (int64_t key = high; key % k_quad != 0; ++key)
    to->offsets[k_slots.of_key[key]] = to->offsets[k_slots.of_key[high - 1]];
}

// Of the chunk that begins at `start`, what lies in [low, high): not nothing.
inline void find_chunk(const Task& task, int64_t start, int64_t low, int64_t high, Chunk* chunk) {
  chunk->start = start;
  chunk->s0 = std::max(start, low);
  chunk->s1 = std::min(start + k_chunk, high);
  chunk->count = 0;
  for (int64_t quad = 0; quad < k_quads; ++quad) {
    const auto key = start + static_cast<int64_t>(k_slots.key[quad * k_quad]);
    chunk->quads[chunk->count] = static_cast<int16_t>(quad);
    chunk->count += key < chunk->s1 && key + k_quad > chunk->s0;
  }
  std::fill_n(chunk->quads + chunk->count, k_quads_at_once, chunk->quads[chunk->count - 1]);
  const Cache &keys = task.args.keys, &values = task.args.values;
  find_rows(task, keys, task.args.shape.width, unit_of(keys.type, task.room.parts_keys), *chunk,
            &chunk->keys);
  find_rows(task, values, task.args.shape.value_width, unit_of(values.type, task.room.parts_values), *chunk,
            &chunk->values);
}

// Rows as floats, in the order of parts or the last vector filled up with 0: those of slots that begin quads,
// one after another.
template <class Type>
void copy_rows(Type, const SlotRows& from, const int16_t* quads, int64_t count, bool parts, int64_t width,
               int64_t pitch, float* to, int64_t* offsets) {
  using Element = typename Type::Element;
  constexpr int64_t kStep = Type::k_pack * k_lanes;
  for (int64_t i = 0; i < count * k_quad; ++i) {
    const int64_t slot = quads[i / k_quad] * k_quad + i % k_quad;
    const auto* row = from.at<Element>(slot);
    float* out = to + i * pitch;
    offsets[slot] = i * pitch * static_cast<int64_t>(sizeof(float));
    if (from.fetched > 0) from.fetch((slot + k_ahead) % k_chunk);
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
}

// ---- scores to weights ----------------------------------------------------------------------------

// What a row does to its scores besides the softmax.
struct Change {
  const float *key_scales, *value_scales;  // of i8, or null
  float softcap, slope;
  float distance;  // position less the chunk's first key
};

// x becomes the final score in units of log 2; of the slots from i on.
HWY_INLINE Vec changed(const Change& change, Vec x, int64_t i) {
  if (change.key_scales) x = hn::Mul(x, hn::Load(k_f32, change.key_scales + i));
  if (change.softcap > 0) x = hn::Mul(set(change.softcap * k_log2_e), tanh(x));
  if (change.slope != 0) {
    const Vec distance = hn::Sub(set(change.distance), hn::Load(k_f32, k_slots.key + i));
    x = hn::NegMulAdd(set(change.slope * k_log2_e), distance, x);
  }
  return x;
}

// One row's scores of a chunk become final: changed, and -inf but for the keys [low, high) of the chunk,
// which it sees.  The largest.
inline float final_scores(const Change& change, int64_t low, int64_t high, int64_t slots,
                          float* HWY_RESTRICT scores) {
  const bool changes = change.key_scales || change.softcap > 0 || change.slope != 0;
  const bool all = low == 0 && high == k_chunk;
  const Vec first = set(static_cast<float>(low)), end = set(static_cast<float>(high));
  Vec most = set(-k_infinity);
  for (int64_t i = 0; i < slots; i += k_lanes) {
    Vec x = hn::Load(k_f32, scores + i);
    if (changes) x = changed(change, x, i);
    if (!all) {
      const Vec key = hn::Load(k_f32, k_slots.key + i);
      x = hn::IfThenElse(hn::And(hn::Ge(key, first), hn::Lt(key, end)), x, set(-k_infinity));
    }
    if (changes || !all) hn::Store(x, k_f32, scores + i);
    most = hn::Max(most, x);
  }
  return max_lanes(most);  // NaN of the scores will be in the weights
}

// Scores become weights, powers of two relative to the largest of them.  Their sum, by lanes.
inline Vec weigh_row(const float* HWY_RESTRICT value_scales, float most, int64_t slots,
                     float* HWY_RESTRICT scores) {
  const Vec shift = set(most == -k_infinity ? 0 : most);
  Vec total = hn::Zero(k_f32);
  for (int64_t i = 0; i < slots; i += k_lanes) {
    Vec weight = exp2(hn::Sub(hn::Load(k_f32, scores + i), shift));
    total = hn::Add(total, weight);
    if (value_scales) weight = hn::Mul(weight, hn::Load(k_f32, value_scales + i));
    hn::Store(weight, k_f32, scores + i);
  }
  return total;
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_ATTENTION_DECODE_CHUNK_INL_H_

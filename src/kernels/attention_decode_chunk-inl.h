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

constexpr int64_t k_batch = 128;  // slots that are gone through together by many rows, or converted

// Rows are the queries of all heads of a key head: row = t (H / G) + head of the group.
struct Room {
  int64_t rows, tiled;              // tiled: with one of zeros more where they are 3 beyond a multiple of 4
  int64_t key_pitch, value_pitch;   // floats of a row: whole vectors
  bool parts_keys, parts_values;    // are the lanes in the order of a type's parts (cache-inl.h)?
  bool copies_keys, copies_values;  // are rows converted before they are used?
  float *queries, *sums, *weights;  // tiles (attention_decode-inl.h), [tiled][value_pitch], [tiled][k_chunk]
  float *top, *total, *unit;        // [rows]: of this chunk; sums are in units of `unit`
  double *all_sums, *all_total;     // [rows][value_pitch], [rows]: of the chunks before,
  float* all_top;                   // [rows]
  float *keys, *values;             // [k_batch][pitch]
  float *plain, *ordered;           // [widest of the pitches]: one row
};

inline bool has_parts(DType type, int64_t width) {
  return with_type(type, [&](auto t) { return width % (decltype(t)::k_pack * k_lanes) == 0; });
}

// A row of numbers into the order of its parts, or back from there.
enum class Order { parts, plain };
inline void reorder(DType type, bool parts, Order order, const float* from, int64_t width, float* to) {
  if (!parts) {
    std::copy_n(from, width, to);
    return;
  }
  with_type(type, [&](auto t) {
    constexpr int64_t kPack = decltype(t)::k_pack;
    for (int64_t c = 0; c < width; c += kPack * k_lanes) {
      for (int64_t part = 0; part < kPack; ++part) {
        for (int64_t i = 0; i < k_lanes; ++i) {
          const int64_t in_parts = c + part * k_lanes + i, plain = c + i * kPack + part;
          to[order == Order::parts ? in_parts : plain] = from[order == Order::parts ? plain : in_parts];
        }
      }
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
  room->unit = take(room->rows);
  room->all_sums = reinterpret_cast<double*>(take(2 * room->rows * room->value_pitch));
  room->all_total = reinterpret_cast<double*>(take(2 * room->rows));
  room->all_top = take(room->rows);
  room->keys = take(room->copies_keys ? k_batch * room->key_pitch : 0);
  room->values = take(room->copies_values ? k_batch * room->value_pitch : 0);
  room->plain = take(std::max(room->key_pitch, room->value_pitch));
  room->ordered = take(std::max(room->key_pitch, room->value_pitch));
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
  int64_t offsets[k_chunk + k_ahead];  // bytes; for the keys that nobody sees of one that is seen
  HWY_ALIGN float scales[k_chunk];     // i8; any number where no key is seen
  bool whole;                          // do the offsets hold for any whole chunk of this cache?
};

// All slots, and the keys that they hold.
struct AllSlots {
  int16_t slots[k_chunk]{};
  float keys[k_chunk]{};
  constexpr AllSlots() {
    for (int64_t slot = 0; slot < k_chunk; ++slot) {
      slots[slot] = static_cast<int16_t>(slot);
      keys[slot] = static_cast<float>(key_of(slot));
    }
  }
};
alignas(64) constexpr AllSlots k_all;

struct Chunk {
  int64_t start, s0, s1;  // of its keys [start, start + k_chunk) some row sees [s0, s1)
  const int16_t* slots;   // [count] of those, in order; then the last one up to a multiple of k_scores
  int64_t count;
  int16_t some[k_chunk];
  CacheRows keys, values;

  bool whole() const { return s1 - s0 == k_chunk; }
  int64_t end() const { return (slots[count - 1] / k_scores + 1) * k_scores; }  // of whole vectors of slots
};

inline int64_t bytes_of(DType type) { return type == DType::f32 ? 4 : type == DType::i8 ? 1 : 2; }

// Which of the slots hold keys [low, high) of the chunk, in order.
inline int64_t slots_in(const int16_t* of, int64_t count, int64_t low, int64_t high, int16_t* slots) {
  int64_t found = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t key = key_of(of[i]);
    slots[found] = of[i];
    found += key >= low && key < high;
  }
  return found;
}

// Calls use(slot, count, place) for each run of the chunk's keys that lie one behind another in the cache and
// in every k_streams-th slot.
template <class Use>
void for_each_run(const Task& task, const Cache& cache, const Chunk& chunk, const Use& use) {
  for (int64_t s = chunk.s0, run; s < chunk.s1; s += run) {
    const CachePlace place = place_in(cache, task.batch, s);
    const int64_t key = s - chunk.start;
    run = std::min(chunk.s1 - s, k_stream_keys - key % k_stream_keys);
    if (cache.pages) run = std::min(run, cache.page_keys - place.row);
    use(slot_of(key), run, place);
  }
}

inline void find_rows(const Task& task, const Cache& cache, const Chunk& chunk, CacheRows* to) {
  const int64_t bytes = bytes_of(cache.type), step = cache.at.row * bytes;
  to->base = static_cast<const std::byte*>(cache.data);
  if (chunk.whole() && !cache.pages) {
    to->base += offset_of(cache.at, place_in(cache, task.batch, chunk.start), task.key_head) * bytes;
    for (int64_t i = 0; i < k_stream_keys && !to->whole; ++i)
      for (int64_t stream = 0; stream < k_streams; ++stream)
        to->offsets[i * k_streams + stream] = (stream * k_stream_keys + i) * step;
    for (int64_t i = 0; i < k_ahead && !to->whole; ++i)
      to->offsets[k_chunk + i] = to->offsets[i] + k_chunk * step;
    to->whole = true;
    return;
  }
  const auto offset = [&](CachePlace place) { return offset_of(cache.at, place, task.key_head) * bytes; };
  std::fill_n(to->offsets, k_chunk + k_ahead, offset(place_in(cache, task.batch, chunk.s0)));
  for_each_run(task, cache, chunk, [&](int64_t slot, int64_t count, CachePlace place) {
    const int64_t first = offset(place);
    for (int64_t i = 0; i < count; ++i) to->offsets[slot + i * k_streams] = first + i * step;
  });
  to->whole = false;
}

// Scales times `unit`, by slots.
inline void find_scales(const Task& task, const Cache& cache, float unit, const Chunk& chunk, float* to) {
  const HeadStrides& at = cache.scales_at;
  if (chunk.whole() && !cache.pages && at.row == 1) {
    const float* from = cache.scales + offset_of(at, place_in(cache, task.batch, chunk.start), task.key_head);
    const auto part = [&](int64_t i) { return hn::Mul(hn::LoadU(k_f32, from + i), set(unit)); };
    constexpr int64_t k = k_stream_keys;
    static_assert(k_streams == 4);
    for (int64_t i = 0; i < k; i += k_lanes)
      hn::StoreInterleaved4(part(i), part(k + i), part(2 * k + i), part(3 * k + i), k_f32,
                            to + k_streams * i);
    return;
  }
  for_each_run(task, cache, chunk, [&](int64_t slot, int64_t count, CachePlace place) {
    const float* from = cache.scales + offset_of(at, place, task.key_head);
    for (int64_t i = 0; i < count; ++i) to[slot + i * k_streams] = from[i * at.row] * unit;
  });
}

// Of the chunk that begins at `start`, what lies in [low, high): not nothing.
inline void find_chunk(const Task& task, int64_t start, int64_t low, int64_t high, Chunk* chunk) {
  chunk->start = start;
  chunk->s0 = std::max(start, low);
  chunk->s1 = std::min(start + k_chunk, high);
  chunk->slots = k_all.slots;
  chunk->count = k_chunk;
  if (!chunk->whole()) {
    chunk->count = slots_in(k_all.slots, k_chunk, chunk->s0 - start, chunk->s1 - start, chunk->some);
    std::fill(chunk->some + chunk->count, chunk->some + (chunk->count + k_scores - 1) / k_scores * k_scores,
              chunk->some[chunk->count - 1]);
    chunk->slots = chunk->some;
  }
  const Cache &keys = task.args.keys, &values = task.args.values;
  find_rows(task, keys, *chunk, &chunk->keys);
  find_rows(task, values, *chunk, &chunk->values);
  if (keys.type == DType::i8)
    find_scales(task, keys, unit_of(keys.type, task.room.parts_keys), *chunk, chunk->keys.scales);
  if (values.type == DType::i8)
    find_scales(task, values, unit_of(values.type, task.room.parts_values), *chunk, chunk->values.scales);
}

// Rows as floats, in the order of parts or the last vector filled up with 0, one after another.
template <class Type>
void copy_rows(Type, const SlotRows& from, const int16_t* slots, int64_t count, bool parts, int64_t width,
               int64_t pitch, float* to, int64_t* offsets) {
  using Element = typename Type::Element;
  constexpr int64_t kStep = Type::k_pack * k_lanes;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t slot = slots[i];
    const auto* row = from.at<Element>(slot);
    float* out = to + i * pitch;
    offsets[slot] = i * pitch * static_cast<int64_t>(sizeof(float));
    for (int64_t c = 0; c < width; c += 64 / static_cast<int64_t>(sizeof(Element)))
      fetch(from.ahead<Element>(slot) + c);
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

// What a row does to its scores besides the softmax.  Scores are in natural units until their largest is
// taken off: so a large finite score stays finite, and equal scores and sinks stay equal.
struct Change {
  const float* key_scales;  // of i8, or null
  float softcap, slope;
  float distance;  // position less the chunk's first key
};

// x becomes the final score; of the slots from i on.
HWY_INLINE Vec changed(const Change& change, Vec x, int64_t i) {
  if (change.key_scales) x = hn::Mul(x, hn::Load(k_f32, change.key_scales + i));
  if (change.softcap > 0) {  // divided: 1 / softcap may be infinite
    const Vec cap = set(change.softcap);
    x = hn::Mul(cap, tanh(hn::Div(x, cap)));
  }
  if (change.slope != 0) {
    const Vec distance = hn::Sub(set(change.distance), hn::Load(k_f32, k_all.keys + i));
    x = hn::NegMulAdd(set(change.slope), distance, x);
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
      const Vec key = hn::Load(k_f32, k_all.keys + i);
      x = hn::IfThenElse(hn::And(hn::Ge(key, first), hn::Lt(key, end)), x, set(-k_infinity));
    }
    if (changes || !all) hn::Store(x, k_f32, scores + i);
    most = hn::Max(most, x);
  }
  return max_lanes(most);  // NaN of the scores will be in the weights
}

// Scores become weights relative to the largest of them.  Their sum, by lanes, and by blocks of slots: a
// chain has 32 terms at most, whatever the vectors.
inline Vec weigh_row(const float* HWY_RESTRICT value_scales, float most, int64_t slots,
                     float* HWY_RESTRICT scores) {
  constexpr int64_t k_block = 32 * k_lanes;
  const Vec shift = set(most == -k_infinity ? 0 : most), unit = set(k_log2_e);
  Vec total = hn::Zero(k_f32);
  for (int64_t i = 0; i < slots;) {
    Vec part = hn::Zero(k_f32);
    for (const int64_t stop = std::min(slots, i + k_block); i < stop; i += k_lanes) {
      Vec weight = exp2(hn::Mul(hn::Sub(hn::Load(k_f32, scores + i), shift), unit));
      part = hn::Add(part, weight);
      if (value_scales) weight = hn::Mul(weight, hn::Load(k_f32, value_scales + i));
      hn::Store(weight, k_f32, scores + i);
    }
    total = hn::Add(total, part);
  }
  return total;
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_ATTENTION_DECODE_CHUNK_INL_H_

#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_decode.cpp"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <cmath>
#include <limits>

#include "hwy/highway.h"
#include "kernels/attention-inl.h"
#include "kernels/attention_decode-inl.h"
#include "kernels/attention_decode.h"
#include "kernels/attention_decode_chunk-inl.h"
#include "kernels/isa.h"

#ifndef LIMPID_KERNELS_ATTENTION_DECODE_ONCE_
#define LIMPID_KERNELS_ATTENTION_DECODE_ONCE_
namespace limpid::kernels {
namespace {

constexpr int64_t k_wanted_tasks =
    32;  // where heads are fewer their keys are split, so that every thread works

// How the shape alone divides the work.
struct Division {
  int64_t heads, chunks, parts, part_chunks;  // parts of a head, of so many chunks
  int64_t pitch;  // floats of one row's partial: its sums, its top, its total, the sums' unit
};
Division division(const AttentionShape& s) {
  Division d{};
  d.heads = s.batch * s.key_heads;
  d.chunks = (s.keys + k_decode_chunk - 1) / k_decode_chunk;
  const int64_t wanted = d.heads > 0 ? (k_wanted_tasks + d.heads - 1) / d.heads : 1;
  d.part_chunks = std::max<int64_t>(1, (d.chunks + wanted - 1) / wanted);
  d.parts = std::max<int64_t>(1, (d.chunks + d.part_chunks - 1) / d.part_chunks);
  d.pitch = s.value_width + 3;
  return d;
}

float* partial_of(const DecodeArgs& args, int64_t batch, int64_t head, int64_t query, int64_t chunk) {
  const Division d = division(args.shape);
  const int64_t row = (batch * args.shape.heads + head) * args.shape.queries + query;
  return args.partials + (row * d.chunks + chunk) * d.pitch;
}

// The keys [low, high) that a query sees, and its position among them.
struct Sight {
  int64_t low, high, position;
};
Sight sight_of(const DecodeArgs& args, int64_t batch, int64_t query) {
  const AttentionShape& shape = args.shape;
  const int64_t first =
      args.first_queries ? args.first_queries[batch] : args.first_query.value_or(shape.keys - shape.queries);
  const int64_t length = args.key_lengths ? args.key_lengths[batch] : shape.keys;
  const int64_t position = first + query;
  int64_t low = args.window > 0 ? position - args.window + 1 : 0;
  int64_t high = args.causal ? std::min(length, position + 1) : length;
  low = std::clamp<int64_t>(low, 0, shape.keys);
  high = std::clamp<int64_t>(high, low, shape.keys);
  return {low, high, position};
}

}  // namespace
}  // namespace limpid::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

// ---- all rows against a chunk ---------------------------------------------------------------------

template <class Type>
void score_tile(Type, int64_t rows, const Scores& t) {
  if (rows == 4) return score_rows<Type, 4>(t);
  if (rows == 2) return score_rows<Type, 2>(t);
  score_rows<Type, 1>(t);
}

template <class Type>
void add_tile(Type, int64_t rows, const Sums& t) {
  if (t.count == 0) return;
  if (rows == 4) return add_rows<Type, 4>(t);
  if (rows == 2) return add_rows<Type, 2>(t);
  add_rows<Type, 1>(t);
}

// The part of a chunk that a row sees, counted from the chunk's start.
Sight sight_in(const Task& task, const Chunk& chunk, int64_t row) {
  Sight sight = sight_of(task.args, task.batch, task.query(std::min(row, task.room.rows - 1)));
  sight.low = std::clamp<int64_t>(sight.low - chunk.start, 0, k_chunk);
  sight.high = std::clamp<int64_t>(sight.high - chunk.start, sight.low, k_chunk);
  return sight;
}

void score_chunk(const Task& task, const Chunk& chunk) {
  const DecodeArgs& args = task.args;
  const Room& room = task.room;
  const SlotRows rows{chunk.keys.base, chunk.keys.offsets, true};
  // A few keys at a time where they serve again: for the next queries, or by their copies.
  const int64_t batch = room.tiled > k_most_rows || room.copies_keys ? k_batch : k_chunk;
  int64_t copied[k_chunk];
  Scores t{};
  t.width = room.key_pitch;
  for (int64_t first = 0; first < chunk.count; first += batch) {
    t.keys = rows;
    t.slots = chunk.slots + first;
    t.count = std::min(batch, chunk.count - first);
    if (room.copies_keys) {
      with_type(args.keys.type, [&](auto type) {
        copy_rows(type, rows, t.slots, t.count, room.parts_keys, args.shape.width, room.key_pitch, room.keys,
                  copied);
      });
      t.keys = {reinterpret_cast<const std::byte*>(room.keys), copied, false};
    }
    with_type(room.copies_keys ? DType::f32 : args.keys.type, [&](auto type) {
      for (int64_t row = 0, tile; row < room.tiled; row += tile) {
        tile = tile_of(room.tiled - row);
        t.queries = room.queries + row * room.key_pitch;
        t.to = room.weights + row * k_chunk;
        score_tile(type, tile, t);
        t.keys.fetches = false;
      }
    });
  }
}

// The slots of the chunk's list from `first` on that belong to one batch.  Batches are parts of the chunk,
// not of the list: a row's sums do not depend on what other rows see.
int64_t batch_count(const Chunk& chunk, int64_t first) {
  if (chunk.count == k_chunk) return std::min(k_batch, chunk.count - first);
  const int64_t end = (chunk.slots[first] / k_batch + 1) * k_batch;
  int64_t count = 1;
  while (first + count < chunk.count && chunk.slots[first + count] < end) ++count;
  return count;
}

void weigh_chunk(const Task& task, const Chunk& chunk) {
  const DecodeArgs& args = task.args;
  const Room& room = task.room;
  Change change{};
  change.key_scales = args.keys.type == DType::i8 ? chunk.keys.scales : nullptr;
  change.softcap = args.softcap;
  const float* value_scales = args.values.type == DType::i8 ? chunk.values.scales : nullptr;
  for (int64_t row = 0; row < room.rows; ++row) {
    const Sight sight = sight_in(task, chunk, row);
    room.top[row] = -k_infinity;
    room.total[row] = room.unit[row] = 0;
    if (sight.low >= sight.high) continue;
    room.unit[row] = 1;
    change.slope = args.slopes ? args.slopes[task.head(row)] : 0;
    change.distance = static_cast<float>(sight.position - chunk.start);
    float* scores = room.weights + row * k_chunk;
    room.top[row] = final_scores(change, sight.low, sight.high, chunk.end(), scores);
    room.total[row] = sum_lanes(weigh_row(value_scales, room.top[row], chunk.end(), scores));
  }
}

void add_chunk(const Task& task, const Chunk& chunk) {
  const DecodeArgs& args = task.args;
  const Room& room = task.room;
  const SlotRows rows{chunk.values.base, chunk.values.offsets, true};
  const bool all = task.all_low <= chunk.s0 && chunk.s1 <= task.all_high;
  int64_t copied[k_chunk];
  int16_t slots[k_batch];
  Sums t{};
  t.width = t.pitch = room.value_pitch;
  // A few values at a time: of four rows two passes over the columns are to find them in the nearest cache.
  for (int64_t first = 0, count; first < chunk.count; first += count) {
    count = batch_count(chunk, first);
    t.values = rows;
    t.slots = chunk.slots + first;
    t.count = count;
    if (room.copies_values) {
      with_type(args.values.type, [&](auto type) {
        copy_rows(type, rows, t.slots, count, room.parts_values, args.shape.value_width, room.value_pitch,
                  room.values, copied);
      });
      t.values = {reinterpret_cast<const std::byte*>(room.values), copied, false};
    }
    with_type(room.copies_values ? DType::f32 : args.values.type, [&](auto type) {
      for (int64_t row = 0, tile; row < room.tiled; row += tile) {
        tile = all ? tile_of(room.tiled - row) : 1;  // rows that see different keys: each by itself
        t.weights = room.weights + row * k_chunk;
        t.to = room.sums + row * room.value_pitch;
        if (!all) {
          const Sight sight = sight_in(task, chunk, row);
          t.count = slots_in(chunk.slots + first, count, sight.low, sight.high, slots);
          t.slots = slots;
        }
        add_tile(type, tile, t);
        t.values.fetches = false;
      }
    });
  }
}

// ---- chunks ---------------------------------------------------------------------------------------

// What a row has of the chunks so far.  In double: thousands of chunks lose no digits, and no finite values
// add up to infinity.
struct Merged {
  double *sums, *total;  // [width]
  float* top;
};

void clear(const Merged& all, int64_t width) {
  std::fill_n(all.sums, width, 0.);
  *all.total = 0;
  *all.top = -k_infinity;
}

// A row's next chunk joins those before: sums in units of `unit`, which is 0 where no key was seen.
void merge_row(float top, float total, float unit, const float* sums, int64_t width, const Merged& all) {
  if (unit == 0) return;
  // Keys without weight, their scores -inf, still touch what sees them: 0 times infinity is NaN.
  const bool weighs = total != 0, weighed = *all.total != 0;
  const float most = !weighs ? *all.top : !weighed ? top : std::max(*all.top, top);
  const double before = !weighed || *all.top == most ? 1 : std::exp(static_cast<double>(*all.top) - most);
  const double now = !weighs || top == most ? 1 : std::exp(static_cast<double>(top) - most);
  *all.top = most;
  *all.total = *all.total * before + total * now;
  const double factor = now * unit;
  for (int64_t d = 0; d < width; ++d) all.sums[d] = all.sums[d] * before + sums[d] * factor;
}

float rounded(double x) {
  constexpr double k_most = std::numeric_limits<float>::max();
  return static_cast<float>(std::isfinite(x) ? std::clamp(x, -k_most, k_most) : x);
}

// z = sums / total, lse = top + log total; 0 and -inf where nothing was seen.  `row` and `plain` are room for
// z's row.
void finish_row(const DecodeArgs& args, int64_t batch, int64_t head, int64_t query, const Merged& all,
                float* row, float* plain) {
  const AttentionShape& shape = args.shape;
  double share = 1, total = *all.total;
  float top = *all.top;
  const float sink = args.sinks ? args.sinks[head] : -k_infinity;
  if (sink != -k_infinity) {  // one key more, whose value is 0
    const float most = total == 0 ? sink : std::max(top, sink);
    share = total == 0 ? 0 : top == most ? 1 : std::exp(static_cast<double>(top) - most);
    total = total * share + (sink == most ? 1 : std::exp(static_cast<double>(sink) - most));
    top = most;
  }
  const int64_t place = (batch * shape.heads + head) * shape.queries + query;
  const double log_total = std::log(total);
  const float lse = total == 0 ? -k_infinity : static_cast<float>(top + log_total);
  if (args.lse) args.lse[place] = lse;
  if (args.lse_rest)
    args.lse_rest[place] =
        std::isfinite(lse) ? static_cast<float>(static_cast<double>(top) - lse + log_total) : 0;
  const double factor = total == 0 ? 0 : share / total;
  const int64_t width = shape.value_width;
  for (int64_t d = 0; d < width; ++d) row[d] = rounded(all.sums[d] * factor);
  reorder(args.values.type, has_parts(args.values.type, width), Order::plain, row, width, plain);
  const int64_t offset = batch * args.z_at.batch + query * args.z_at.row + head * args.z_at.head;
  store_rows(args.z_type, plain, 0, 1, width, at(args.z_type, args.z, offset), 0);
}

Merged merged_of(const Room& room, int64_t row) {
  return {room.all_sums + row * room.value_pitch, room.all_total + row, room.all_top + row};
}

// Where the sums of a row's chunk have left the range of floats its weights become smaller by a power of two:
// by more than a chunk has keys, so that no sum of finite values overflows then.
constexpr float k_smaller = 1 / 1024.f;
bool make_smaller(const Room& room, int64_t row, int64_t slots) {
  const float* sums = room.sums + row * room.value_pitch;
  Vec bad = hn::Zero(k_f32);  // x * 0 is 0 or NaN, and NaN stays
  for (int64_t d = 0; d < room.value_pitch; d += k_lanes)
    bad = hn::MulAdd(hn::Load(k_f32, sums + d), hn::Zero(k_f32), bad);
  if (sum_lanes(bad) == 0) return false;
  float* weights = room.weights + row * k_chunk;
  for (int64_t i = 0; i < slots; ++i) weights[i] *= k_smaller;
  room.unit[row] = 1 / k_smaller;
  return true;
}

void attend(const Task& task, const Chunk& chunk, bool split) {
  const Room& room = task.room;
  const int64_t width = task.args.shape.value_width;
  std::fill_n(room.sums, room.tiled * room.value_pitch, 0.f);
  score_chunk(task, chunk);
  weigh_chunk(task, chunk);
  add_chunk(task, chunk);
  bool again = false;
  for (int64_t row = 0; row < room.rows; ++row) again |= make_smaller(room, row, chunk.end());
  if (again) {
    std::fill_n(room.sums, room.tiled * room.value_pitch, 0.f);
    add_chunk(task, chunk);
  }
  for (int64_t row = 0; row < room.rows; ++row) {
    const float* sums = room.sums + row * room.value_pitch;
    if (split) {
      float* to = partial_of(task.args, task.batch, task.head(row), task.query(row), chunk.start / k_chunk);
      std::copy_n(sums, width, to);
      to[width] = room.top[row];
      to[width + 1] = room.total[row];
      to[width + 2] = room.unit[row];
    } else {
      merge_row(room.top[row], room.total[row], room.unit[row], sums, width, merged_of(room, row));
    }
  }
}

void pack_queries(const Task& task) {
  const DecodeArgs& args = task.args;
  const Room& room = task.room;
  const int64_t width = args.shape.width, pitch = room.key_pitch;
  std::fill_n(room.queries, room.tiled * pitch, 0.f);
  std::fill_n(room.plain, pitch, 0.f);
  for (int64_t row = 0, tile; row < room.rows; row += tile) {
    tile = tile_of(room.tiled - row);
    for (int64_t r = 0; r < tile && row + r < room.rows; ++r) {
      const int64_t offset = task.batch * args.q_at.batch + task.query(row + r) * args.q_at.row +
                             task.head(row + r) * args.q_at.head;
      load_rows(args.type, at(args.type, args.q, offset), 0, 1, width, room.plain, pitch);
      for (int64_t d = 0; d < pitch; ++d) room.plain[d] *= args.scale;
      reorder(args.keys.type, room.parts_keys, Order::parts, room.plain, pitch, room.ordered);
      for (int64_t c = 0; c < pitch; c += k_lanes)
        hn::Store(hn::Load(k_f32, room.ordered + c), k_f32,
                  room.queries + row * pitch + c * tile + r * k_lanes);
    }
  }
}

// What the rows see of the keys [s0, s1).
void look(Task* task, int64_t s0, int64_t s1) {
  task->low = s1, task->high = s0, task->all_low = s0, task->all_high = s1;
  for (int64_t t = 0; t < task->args.shape.queries; ++t) {
    const Sight sight = sight_of(task->args, task->batch, t);
    task->all_low = std::max(task->all_low, sight.low);
    task->all_high = std::min(task->all_high, sight.high);
    if (sight.low >= sight.high) continue;
    task->low = std::min(task->low, std::max(sight.low, s0));
    task->high = std::max(task->high, std::min(sight.high, s1));
  }
}

// The keys [s0, s1), whole chunks, of one key head.
void decode(const DecodeArgs& args, int64_t batch, int64_t key_head, int64_t s0, int64_t s1, float* scratch) {
  Task task{args, {}, batch, key_head, 0, 0, 0, 0};
  lay_out(args, scratch, &task.room);
  const Room& room = task.room;
  const bool split = division(args.shape).parts > 1;
  pack_queries(task);
  for (int64_t row = 0; row < room.rows; ++row) clear(merged_of(room, row), room.value_pitch);
  look(&task, s0, s1);
  const int64_t low = task.low, high = task.high;
  for (int64_t s = s0; split && s < s1; s += k_chunk) {  // those that nobody sees
    for (int64_t row = 0; row < room.rows; ++row)
      partial_of(args, batch, task.head(row), task.query(row), s / k_chunk)[args.shape.value_width + 2] = 0;
  }
  Chunk chunk;
  chunk.keys.whole = chunk.values.whole = false;
  for (int64_t s = low / k_chunk * k_chunk; s < high; s += k_chunk) {
    find_chunk(task, s, low, high, &chunk);
    attend(task, chunk, split);
  }
  for (int64_t row = 0; row < room.rows && !split; ++row) {
    finish_row(args, batch, task.head(row), task.query(row), merged_of(room, row), room.ordered, room.plain);
  }
}

void merge(const DecodeArgs& args, int64_t batch, int64_t head, int64_t query, float* scratch) {
  const int64_t width = args.shape.value_width, chunks = division(args.shape).chunks;
  double total;
  float top;
  const Merged all = {reinterpret_cast<double*>(scratch), &total, &top};
  clear(all, width);
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const float* from = partial_of(args, batch, head, query, chunk);
    merge_row(from[width], from[width + 1], from[width + 2], from, width, all);
  }
  finish_row(args, batch, head, query, all, scratch + 2 * width, scratch + 3 * width);
}

}  // namespace

AttentionDecode::Target attention_decode_target(const DecodeArgs& args) {
  Room room;
  return {decode, merge, lay_out(args, nullptr, &room), 4 * args.shape.value_width};
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(attention_decode_target);

AttentionDecode::Target target_of(const DecodeArgs& args) {
  choose_isa();
  return HWY_DYNAMIC_DISPATCH(attention_decode_target)(args);
}

}  // namespace

int64_t decode_partials(const AttentionShape& shape) {
  const Division d = division(shape);
  return d.parts > 1 ? shape.batch * shape.heads * shape.queries * d.chunks * d.pitch : 0;
}

AttentionDecode::AttentionDecode(const DecodeArgs& args) : args_(args), target_(target_of(args)) {}

int64_t AttentionDecode::tasks() const noexcept {
  const Division d = division(args_.shape);
  return args_.shape.queries > 0 ? d.heads * d.parts : 0;
}

void AttentionDecode::run(int64_t task, std::byte* scratch) const noexcept {
  const Division d = division(args_.shape);
  const int64_t head = task / d.parts, s0 = task % d.parts * d.part_chunks * k_decode_chunk;
  const int64_t s1 = std::min(args_.shape.keys, s0 + d.part_chunks * k_decode_chunk);
  target_.run(args_, head / args_.shape.key_heads, head % args_.shape.key_heads, s0, s1,
              reinterpret_cast<float*>(scratch));
}

AttentionDecodeMerge::AttentionDecodeMerge(const DecodeArgs& args) : args_(args), target_(target_of(args)) {}

int64_t AttentionDecodeMerge::tasks() const noexcept {
  const AttentionShape& s = args_.shape;
  return division(s).parts > 1 ? s.batch * s.heads * s.queries : 0;
}

void AttentionDecodeMerge::run(int64_t task, std::byte* scratch) const noexcept {
  const int64_t query = task % args_.shape.queries, row = task / args_.shape.queries;
  target_.merge(args_, row / args_.shape.heads, row % args_.shape.heads, query,
                reinterpret_cast<float*>(scratch));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE

#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_decode.cpp"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/attention-inl.h"
#include "kernels/attention_decode-inl.h"
#include "kernels/attention_decode.h"
#include "kernels/attention_decode_block-inl.h"
#include "kernels/isa.h"

#ifndef LIMPID_KERNELS_ATTENTION_DECODE_ONCE_
#define LIMPID_KERNELS_ATTENTION_DECODE_ONCE_
namespace limpid::kernels {
namespace {

constexpr int64_t k_chunk = 512;  // keys; a multiple of k_decode_keys.  Part of what a result's bits are.
constexpr int64_t k_wanted_tasks =
    32;  // where heads are fewer their keys are split, so that every thread works

// How the shape alone divides the work.
struct Division {
  int64_t heads, chunks, parts, part_chunks;  // parts of a head, of so many chunks
  int64_t pitch;                              // floats of one row's partial: its sums, its top, its total
};
Division division(const AttentionShape& s) {
  Division d{};
  d.heads = s.batch * s.key_heads;
  d.chunks = (s.keys + k_chunk - 1) / k_chunk;
  const int64_t wanted = d.heads > 0 ? (k_wanted_tasks + d.heads - 1) / d.heads : 1;
  d.part_chunks = std::max<int64_t>(1, (d.chunks + wanted - 1) / wanted);
  d.parts = std::max<int64_t>(1, (d.chunks + d.part_chunks - 1) / d.part_chunks);
  d.pitch = s.value_width + 2;
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

// ---- all rows against a block ---------------------------------------------------------------------

template <class Type>
void score_tile(Type, int64_t rows, const Scores& t) {
  if (rows == 4) return score_rows<Type, 4>(t);
  if (rows == 2) return score_rows<Type, 2>(t);
  score_rows<Type, 1>(t);
}

template <class Type>
void add_tile(Type, int64_t rows, const Sums& t) {
  if (t.begin >= t.end) return;
  if (rows == 4) return add_rows<Type, 4>(t);
  if (rows == 2) return add_rows<Type, 2>(t);
  add_rows<Type, 1>(t);
}

bool all_seen(const Task& task, const Block& block) {
  return task.all_low <= block.start && block.start + k_decode_keys <= task.all_high;
}

// The part of a block that a row sees, counted from the block's start.
Sight sight_in(const Task& task, const Block& block, int64_t row) {
  Sight sight = sight_of(task.args, task.batch, task.query(std::min(row, task.room.rows - 1)));
  sight.low = std::clamp<int64_t>(sight.low - block.start, 0, k_decode_keys);
  sight.high = std::clamp<int64_t>(sight.high - block.start, sight.low, k_decode_keys);
  return sight;
}

// Sums of the rows of a tile, which may see different keys: those that all see together, the others by row,
// for each row in the order of its keys.
template <class Type>
void add_seen(Type type, const Task& task, const Block& block, int64_t first, int64_t rows, Sums t) {
  int64_t low = 0, high = k_decode_keys;
  if (all_seen(task, block)) {
    t.begin = 0, t.end = k_decode_keys;
    return add_tile(type, rows, t);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const Sight sight = sight_in(task, block, first + r);
    low = std::max(low, sight.low);
    high = std::min(high, sight.high);
  }
  high = std::max(low, high);
  const auto alone = [&](int64_t from, int64_t to) {
    for (int64_t r = 0; r < rows; ++r) {
      const Sight sight = sight_in(task, block, first + r);
      Sums one = t;
      one.weights += r * k_decode_keys;
      one.to += r * t.pitch;
      one.begin = std::max(sight.low, from);
      one.end = std::min(sight.high, to);
      add_tile(type, 1, one);
    }
  };
  alone(0, low);
  t.begin = low, t.end = high;
  add_tile(type, rows, t);
  t.ahead = {};
  alone(high, k_decode_keys);
}

void weigh_block(const Task& task, const Block& block) {
  const DecodeArgs& args = task.args;
  const Room& room = task.room;
  Change change{};
  change.key_scales = args.keys.type == DType::i8 ? block.keys.scales : nullptr;
  change.value_scales = args.values.type == DType::i8 ? block.values.scales : nullptr;
  change.softcap = args.softcap;
  const bool all = all_seen(task, block);
  // Four rows at once: each has to wait for its largest score.
  for (int64_t first = 0; first < room.rows; first += k_most_rows) {
    const int64_t end = std::min(room.rows, first + k_most_rows);
    float now[k_most_rows];
    bool sees[k_most_rows];
    for (int64_t row = first; row < end; ++row) {
      Sight sight{0, k_decode_keys, 0};
      if (!all || args.slopes) sight = sight_in(task, block, row);
      sees[row - first] = sight.low < sight.high;
      if (!sees[row - first]) continue;
      change.slope = args.slopes ? args.slopes[task.head(row)] : 0;
      change.distance = static_cast<float>(sight.position - block.start);
      now[row - first] =
          final_scores(change, sight.low, sight.high, room.weights + row * k_decode_keys, room.top[row]);
    }
    for (int64_t row = first; row < end; ++row) {
      if (!sees[row - first]) continue;
      weigh_row(change.value_scales, now[row - first], room.weights + row * k_decode_keys, room.top + row,
                room.total + row * k_lanes, room.sums + row * room.value_pitch, room.value_pitch);
    }
  }
}

void attend(const Task& task, const Block& block, const Block* next) {
  const DecodeArgs& args = task.args;
  const Room& room = task.room;
  const auto ahead_of = [](const BlockRows& rows, const Cache& cache, int64_t width) {
    return Ahead{rows.at, width * bytes_of(cache.type)};
  };
  const void* copied[k_decode_keys];

  Scores scores{};
  scores.keys = block.keys.at;
  scores.count = (block.s1 - block.start + k_scores - 1) / k_scores * k_scores;
  scores.width = room.key_pitch;
  scores.pitch = room.key_pitch;
  scores.ahead = ahead_of(block.values, args.values, args.shape.value_width);
  if (room.copies_keys) {
    with_type(args.keys.type, [&](auto type) {
      copy_rows(type, block, block.keys, room.parts_keys, args.shape.width, room.key_pitch, scores.ahead,
                room.keys, copied);
    });
    scores.keys = copied;
    scores.ahead = {};
  }
  with_type(room.copies_keys ? DType::f32 : args.keys.type, [&](auto type) {
    for (int64_t row = 0, tile; row < room.tiled; row += tile) {
      tile = tile_of(room.tiled - row);
      scores.queries = room.queries + row * room.key_pitch;
      scores.to = room.weights + row * k_decode_keys;
      score_tile(type, tile, scores);
      scores.ahead = {};
    }
  });

  weigh_block(task, block);

  Sums sums{};
  sums.values = block.values.at;
  sums.width = room.value_pitch;
  sums.pitch = room.value_pitch;
  if (next) sums.ahead = ahead_of(next->keys, args.keys, args.shape.width);
  if (room.copies_values) {
    with_type(args.values.type, [&](auto type) {
      copy_rows(type, block, block.values, room.parts_values, args.shape.value_width, room.value_pitch,
                sums.ahead, room.values, copied);
    });
    sums.values = copied;
    sums.ahead = {};
  }
  with_type(room.copies_values ? DType::f32 : args.values.type, [&](auto type) {
    for (int64_t row = 0, tile; row < room.tiled; row += tile) {
      tile = tile_of(room.tiled - row);
      sums.weights = room.weights + row * k_decode_keys;
      sums.to = room.sums + row * room.value_pitch;
      add_seen(type, task, block, row, tile, sums);
      sums.ahead = {};
    }
  });
}

// ---- chunks ---------------------------------------------------------------------------------------

float power(float x) { return hn::GetLane(exp2(set(x))); }

// A row's next chunk joins those before.  A total of 0: nothing was seen.
void merge_row(float top, float total, const float* sums, int64_t width, float* all_top, float* all_total,
               float* all_sums) {
  if (total == 0) return;
  if (*all_total == 0) {
    *all_top = top, *all_total = total;
    std::copy_n(sums, width, all_sums);
    return;
  }
  const float most = std::max(*all_top, top), before = power(*all_top - most), now = power(top - most);
  *all_top = most;
  *all_total = *all_total * before + total * now;
  for (int64_t d = 0; d < width; ++d) all_sums[d] = all_sums[d] * before + sums[d] * now;
}

// z = sums / total, lse = top + log total; 0 and -inf where nothing was seen.  `row` is room for z's row.
void finish_row(const DecodeArgs& args, int64_t batch, int64_t head, int64_t query, float top, float total,
                const float* sums, float* row) {
  const AttentionShape& shape = args.shape;
  float share = total == 0 ? 0 : 1, all = total;
  if (args.sinks) {  // one key more, whose value is 0
    const float sink = args.sinks[head] * k_log2_e, most = total == 0 ? sink : std::max(top, sink);
    share = total == 0 ? 0 : std::exp2(top - most);
    all = total * share + std::exp2(sink - most);
    top = most;
  }
  args.lse[(batch * shape.heads + head) * shape.queries + query] =
      all == 0 ? -k_infinity : static_cast<float>(top * k_log_2 + std::log(all));
  const float factor = share / all;
  const int64_t width = shape.value_width;
  from_parts(args.values.type, has_parts(args.values.type, width), sums, width, row);
  for (int64_t d = 0; d < width; ++d) row[d] = share == 0 ? 0 : row[d] * factor;
  const int64_t offset = batch * args.z_at.batch + query * args.z_at.row + head * args.z_at.head;
  store_rows(args.z_type, row, 0, 1, shape.value_width, at(args.z_type, args.z, offset), 0);
}

void begin_chunk(const Room& room) {
  std::fill_n(room.sums, room.tiled * room.value_pitch, 0.f);
  std::fill_n(room.top, room.tiled, -k_infinity);
  std::fill_n(room.total, room.tiled * k_lanes, 0.f);
}

void end_chunk(const Task& task, int64_t chunk, bool split) {
  const Room& room = task.room;
  const int64_t width = task.args.shape.value_width;
  for (int64_t row = 0; row < room.rows; ++row) {
    const float* sums = room.sums + row * room.value_pitch;
    const float total = sum_lanes(hn::Load(k_f32, room.total + row * k_lanes));
    if (split) {
      float* to = partial_of(task.args, task.batch, task.head(row), task.query(row), chunk);
      std::copy_n(sums, width, to);
      to[width] = room.top[row];
      to[width + 1] = total;
    } else {
      merge_row(room.top[row], total, sums, width, room.all_top + row, room.all_total + row,
                room.all_sums + row * room.value_pitch);
    }
  }
}

void pack_queries(const Task& task) {
  const DecodeArgs& args = task.args;
  const Room& room = task.room;
  const int64_t width = args.shape.width, pitch = room.key_pitch;
  const float factor = args.softcap > 0 ? args.scale / args.softcap : args.scale * k_log2_e;
  float* plain = room.plain;
  std::fill_n(room.queries, room.tiled * pitch, 0.f);
  for (int64_t row = 0; row < room.rows; ++row) {
    const int64_t offset =
        task.batch * args.q_at.batch + task.query(row) * args.q_at.row + task.head(row) * args.q_at.head;
    float* to = room.queries + row * pitch;
    load_rows(args.type, at(args.type, args.q, offset), 0, 1, width, plain, pitch);
    for (int64_t d = 0; d < width; ++d) plain[d] *= factor;
    to_parts(args.keys.type, room.parts_keys, plain, width, to);
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
  std::fill_n(room.weights, room.tiled * k_decode_keys, 0.f);
  std::fill_n(room.all_total, room.rows, 0.f);
  look(&task, s0, s1);
  const int64_t low = task.low, high = task.high;
  for (int64_t s = s0; split && s < s1; s += k_chunk) {  // those that nobody sees
    for (int64_t row = 0; row < room.rows; ++row)
      partial_of(args, batch, task.head(row), task.query(row), s / k_chunk)[args.shape.value_width + 1] = 0;
  }
  Block blocks[2];
  const int64_t start = low / k_decode_keys * k_decode_keys;
  if (low < high) find_block(task, start, low, high, &blocks[0]);
  int now = 0;
  for (int64_t s = start; s < high; s += k_decode_keys, now = 1 - now) {
    const int64_t end = s + k_decode_keys;
    Block* next = end < high ? &blocks[1 - now] : nullptr;
    if (next) find_block(task, end, low, high, next);
    if (s == start || s % k_chunk == 0) begin_chunk(room);
    attend(task, blocks[now], next);
    if (!next || end % k_chunk == 0) end_chunk(task, s / k_chunk, split);
  }
  for (int64_t row = 0; row < room.rows && !split; ++row) {
    finish_row(args, batch, task.head(row), task.query(row), room.all_top[row], room.all_total[row],
               room.all_sums + row * room.value_pitch, room.plain);
  }
}

void merge(const DecodeArgs& args, int64_t batch, int64_t head, int64_t query, float* scratch) {
  const int64_t width = args.shape.value_width, chunks = division(args.shape).chunks;
  float top = 0, total = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const float* from = partial_of(args, batch, head, query, chunk);
    merge_row(from[width], from[width + 1], from, width, &top, &total, scratch);
  }
  finish_row(args, batch, head, query, top, total, scratch, scratch + width);
}

}  // namespace

AttentionDecode::Target attention_decode_target(const DecodeArgs& args) {
  Room room;
  return {decode, merge, lay_out(args, nullptr, &room), 2 * args.shape.value_width};
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
  const int64_t head = task / d.parts, s0 = task % d.parts * d.part_chunks * k_chunk;
  const int64_t s1 = std::min(args_.shape.keys, s0 + d.part_chunks * k_chunk);
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

#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cpp"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/attention.h"
#include "kernels/attention_keys-inl.h"
#include "kernels/attention_watch-inl.h"
#include "kernels/isa.h"
#include "kernels/pairs-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

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

// The total of a row's weights, relative to `top`; and what they are to be multiplied with.
struct RowTotal {
  double total, share;  // share: 0 where nothing was seen
  RowSum sum;
};

// lse = top + log total, in two floats.
RowTotal row_total(const Group& group, int64_t lane) {
  const AttentionArgs& args = *group.block.args;
  double top = group.shift[lane], total = static_cast<double>(group.total[lane]) + group.rest[lane],
         share = 1;
  const bool seen = total != 0;  // NaN is seen
  if (args.sinks) {              // one key more, whose value is 0
    const double sink = args.sinks[group.block.head];
    if (!seen || !(top >= sink)) {
      share = seen ? std::exp(top - sink) : 0;
      top = sink;
      total = total * share + (sink == -k_infinity ? 0 : std::exp(sink - sink));
    } else {
      total += std::exp(sink - top);
    }
  }
  if (total == 0) return {0, 0, {-k_infinity, 0}};
  const double log_total = std::log(total);
  const auto lse = static_cast<float>(top + log_total);
  return {total,
          seen || std::isnan(total) ? share / total : 0,
          {lse, static_cast<float>((top - lse) + log_total)}};
}

// One number of dropout_block.
float kept_cell(const QueryBlock& block, int64_t lane, int64_t s) {
  const AttentionArgs& args = *block.args;
  if (!(args.dropout > 0)) return 1;
  const auto cell = static_cast<uint64_t>(args.cell(block.batch, block.head, block.first + lane, s));
  const PhiloxCounter words = random_words(args.seed, args.stream, args.step, cell / 4);
  return words[static_cast<size_t>(cell % 4)] * 0x1p-32 >= args.dropout
             ? static_cast<float>(1 / (1 - args.dropout))
             : 0.f;
}

// One row of z again, in double and with weights that add up to 1: the sums of values near the largest float
// overflow where their mean does not.
void mean_again(const QueryBlock& block, int64_t lane, const RowSum& sum, float* to, int64_t pitch,
                float* HWY_RESTRICT rows) {
  const AttentionArgs& args = *block.args;
  const int64_t width = args.shape.value_width;
  double* sums = reinterpret_cast<double*>(rows);
  float *value = rows + 2 * width, *query = value + width, *copies = query + args.shape.width;
  std::fill_n(sums, width, 0.0);
  load_query(block, lane, query);
  const auto low = static_cast<int64_t>(block.low[lane]), high = static_cast<int64_t>(block.high[lane]);
  for (int64_t s0 = low; s0 < high; s0 += k_lanes) {
    const int64_t count = std::min(k_lanes, high - s0);
    int32_t keys[k_lanes];
    HWY_ALIGN float weights[k_lanes];
    for (int64_t j = 0; j < count; ++j) keys[j] = static_cast<int32_t>(s0 + j);
    store(rebuilt_weights(block, lane, query, keys, count, sum, copies), weights, count);
    for (int64_t j = 0; j < count; ++j) {
      if (!lane_sees(block, lane, s0 + j)) continue;
      const double weight = static_cast<double>(weights[j]) * kept_cell(block, lane, s0 + j);
      load_rows(args.type, at(args.type, block.v, (s0 + j) * args.v_at.row), 0, 1, width, value, width);
      for (int64_t d = 0; d < width; ++d) sums[d] += weight * value[d];
    }
  }
  constexpr double k_rounding = 1 + 1e-5;  // of the weights: a mean is no larger than its values
  for (int64_t d = 0; d < width; ++d) {
    const bool beyond = std::abs(sums[d]) > k_largest && std::abs(sums[d]) < k_largest * k_rounding;
    to[d * pitch] =
        beyond ? static_cast<float>(std::copysign(k_largest, sums[d])) : static_cast<float>(sums[d]);
  }
}

// z = sums / total and lse; 0 and -inf where nothing was seen.
void finish(const Group& group, const Room& room) {
  const QueryBlock& block = group.block;
  const AttentionArgs& args = *block.args;
  const AttentionShape& shape = args.shape;
  const int64_t pitch = block.pitch, width = shape.value_width;
  const int64_t row = args.row(block.batch, block.head, block.first);
  HWY_ALIGN float shares[k_width] = {};
  double totals[k_width] = {};
  RowSum sums[k_width];
  for (int64_t i = 0; i < block.count; ++i) {
    const RowTotal own = row_total(group, i);
    totals[i] = static_cast<double>(group.total[i]) + group.rest[i];
    shares[i] = static_cast<float>(own.share);
    sums[i] = own.sum;
    args.lse[row + i] = own.sum.lse;
    if (args.lse_rest) args.lse_rest[row + i] = own.sum.rest;
  }
  if (watched(*group.watch.wanted)) watch_finish(group.watch, block, shares, totals, sums, room.rows);
  for (int64_t i = 0; i < pitch; i += k_lanes) {
    const Vec share = hn::LoadU(k_f32, shares + i);
    Vec bad = hn::Zero(k_f32);  // NaN where a mean is not finite
    for (int64_t d = 0; d < width; ++d) {
      float* sum = group.sums + d * pitch + i;
      Vec all = hn::LoadU(k_f32, sum);
      if (group.far_sums) all = hn::Add(hn::LoadU(k_f32, group.far_sums + d * pitch + i), all);
      const Vec mean = hn::Mul(all, share);
      bad = hn::MulAdd(mean, hn::Zero(k_f32), bad);
      hn::StoreU(mean, k_f32, sum);
    }
    if (hn::AllFalse(k_f32, hn::IsNaN(bad))) continue;
    HWY_ALIGN float wrong[k_lanes];
    hn::Store(bad, k_f32, wrong);
    for (int64_t j = 0; j < k_lanes && i + j < block.count; ++j) {
      if (std::isnan(wrong[j]) && !std::isnan(sums[i + j].lse))
        mean_again(block, i + j, sums[i + j], group.sums + i + j, pitch, room.rows);
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
    pack_pairs(block, rows, to);
  } else if (args.type == DType::f32) {
    pack_columns(static_cast<const float*>(block.q), stride, block.count, width, args.scale, block.pitch, to);
  } else {
    load_rows(args.type, block.q, stride, block.count, width, rows, width);
    pack_columns(rows, width, block.count, width, args.scale, block.pitch, to);
  }
}

void start(Group* group, const AttentionArgs& args, int64_t batch, int64_t head, int64_t first, int64_t end,
           const Room& room) {
  const AttentionShape& shape = args.shape;
  group->block = query_block(args, batch, head, first, end);
  const QueryBlock& block = group->block;
  pack_queries(block, room.rows, group->queries);
  watch_start(group->watch);
  for (float* sums : {group->sums, group->far_sums})
    if (sums) std::fill_n(sums, shape.value_width * block.pitch, 0.f);
  for (float* lanes : {group->shift, group->total, group->rest}) std::fill_n(lanes, block.pitch, 0.f);
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
    if ((s / k_block_keys + 1) % k_far_blocks != 0) continue;
    for (int64_t g = 0; g < used && groups[g].far_sums; ++g)
      move_sums(groups[g].sums, args.shape.value_width * groups[g].block.pitch, groups[g].far_sums);
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

bool key_documents_rise(const AttentionArgs& args) {
  if (!args.query_documents) return false;
  for (int64_t b = 0; b < args.shape.batch; ++b) {
    const int64_t* keys = args.key_documents + b * args.shape.keys;
    if (!std::is_sorted(keys, keys + args.shape.keys)) return false;
  }
  return true;
}

AttentionForward::AttentionForward(const AttentionArgs& args, const AttentionObservation& observation)
    : args_(args), observation_(observation) {
  args_.documents_rise = key_documents_rise(args);
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

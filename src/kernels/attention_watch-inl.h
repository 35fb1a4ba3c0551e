// What is seen of a block of queries while its weights stream by: the largest weights of each row, its
// entropy, and the sums of blocks of weights.  Reads the weights that the forward kernel has made, changes
// none.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_ATTENTION_WATCH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_ATTENTION_WATCH_INL_H_
#undef LIMPID_KERNELS_ATTENTION_WATCH_INL_H_
#else
#define LIMPID_KERNELS_ATTENTION_WATCH_INL_H_
#endif

#include "kernels/attention-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

/// Weights are relative to the row's top, as in the forward kernel: rescaled when it moves, shared out when
/// the row is done.  Lanes are queries.
struct Watch {
  const AttentionObservation* wanted = nullptr;
  float* weights = nullptr;                           // [top][lanes], largest first
  int32_t* keys = nullptr;                            // [top][lanes]
  float* moment = nullptr;                            // [lanes]: sum of w log w
  float* map = nullptr;                               // [blocks of keys][lanes]
  float *moment_rest = nullptr, *map_rest = nullptr;  // what their roundings lost
  int64_t map_columns = 0;
};

constexpr int64_t k_kept = 8;  // so many of the largest are kept, or more if more are wanted
inline int64_t kept_rows(const AttentionObservation& o) { return std::max(o.top, k_kept); }

inline bool watched(const AttentionObservation& o) { return o.top > 0 || o.entropy || o.map; }

/// Below this a weight is 0, and 0 log 0 is 0, not -inf * 0.
constexpr float k_least_log = -200.f;

/// Places what is wanted with take(floats), which gives null while sizes are only counted.
template <class Take>
Watch watch_room(const AttentionObservation& o, int64_t keys, Take take) {
  Watch watch;
  watch.wanted = &o;
  if (o.top > 0) {
    watch.weights = take(kept_rows(o) * k_width);
    watch.keys = reinterpret_cast<int32_t*>(take(kept_rows(o) * k_width));
  }
  if (o.entropy) {
    watch.moment = take(k_width);
    watch.moment_rest = take(k_width);
  }
  if (o.map) {
    watch.map_columns = (keys + o.map_keys - 1) / o.map_keys;
    watch.map = take(watch.map_columns * k_width);
    watch.map_rest = take(watch.map_columns * k_width);
  }
  return watch;
}

inline void watch_start(const Watch& watch) {
  const AttentionObservation& o = *watch.wanted;
  if (o.top > 0) {
    std::fill_n(watch.weights, kept_rows(o) * k_width, 0.f);
    std::fill_n(watch.keys, kept_rows(o) * k_width, -1);
  }
  for (float* sums : {watch.moment, watch.moment_rest})
    if (sums) std::fill_n(sums, k_width, 0.f);
  for (float* sums : {watch.map, watch.map_rest})
    if (sums) std::fill_n(sums, watch.map_columns * k_width, 0.f);
}

/// The tops of one vector's lanes have moved: weights so far count `factor`, e^-rise, of what they did;
/// `total` is their sum before.
inline void watch_rescale(const Watch& watch, int64_t lane, int64_t pitch, Vec factor, Vec rise, Vec total) {
  const AttentionObservation& o = *watch.wanted;
  for (int64_t j = 0; j < kept_rows(o) && o.top > 0; ++j) {
    float* weight = watch.weights + j * pitch + lane;
    hn::StoreU(hn::Mul(hn::LoadU(k_f32, weight), factor), k_f32, weight);
  }
  if (o.entropy) {  // sum of w f (log w - rise); the rise may be infinite where f is 0
    float *moment = watch.moment + lane, *rest = watch.moment_rest + lane;
    const auto none = hn::Eq(factor, hn::Zero(k_f32));
    const Vec moved = hn::NegMulAdd(rise, total, hn::LoadU(k_f32, moment));
    hn::StoreU(hn::IfThenZeroElse(none, moved), k_f32, moment);
    rescale_exactly(factor, moment, rest);
  }
  for (int64_t c = 0; c < watch.map_columns; ++c)
    rescale_exactly(factor, watch.map + c * pitch + lane, watch.map_rest + c * pitch + lane);
}

// The weights that are kept of one vector's lanes, largest first, in registers for k_kept of them.
constexpr hn::RebindToSigned<F32> k_i32{};
struct Kept {
  HWY_INLINE Kept() {}  // the implied one has no instruction set (GCC): NEON could not inline its vectors
  Vec weights[k_kept];
  hn::Vec<hn::RebindToSigned<F32>> keys[k_kept];
};

// Puts one key's weights in their places, all lanes at once; what falls out at the end is returned.
HWY_INLINE void keep(Kept& kept, Vec* weight, hn::Vec<hn::RebindToSigned<F32>>* key) {
#pragma GCC unroll 8
  for (int64_t j = 0; j < k_kept; ++j) {
    const Vec old = kept.weights[j];
    const auto old_key = kept.keys[j];
    const auto before = hn::RebindMask(k_i32, hn::Gt(*weight, old));
    kept.weights[j] = hn::Max(*weight, old);  // no blend by the mask: that would wait for it, eight times
    *weight = hn::Min(*weight, old);
    kept.keys[j] = hn::IfThenElse(before, *key, old_key);
    *key = hn::IfThenElse(before, old_key, *key);
  }
}

// The same for those beyond k_kept, in memory.
inline void keep_more(const Watch& watch, int64_t lane, int64_t pitch, Vec weight,
                      hn::Vec<hn::RebindToSigned<F32>> key) {
  for (int64_t j = k_kept; j < watch.wanted->top; ++j) {
    float* weights = watch.weights + j * pitch + lane;
    int32_t* keys = watch.keys + j * pitch + lane;
    const Vec old = hn::LoadU(k_f32, weights);
    const auto old_key = hn::LoadU(k_i32, keys);
    const auto before = hn::Gt(weight, old);
    const auto before_key = hn::RebindMask(k_i32, before);
    hn::StoreU(hn::IfThenElse(before, weight, old), k_f32, weights);
    hn::StoreU(hn::IfThenElse(before_key, key, old_key), k_i32, keys);
    weight = hn::IfThenElse(before, old, weight);
    key = hn::IfThenElse(before_key, old_key, key);
  }
}

// A weight that at least `top` of these rows reach in each lane: of the largest of `parts` groups of rows,
// the top-th.  0 where there are fewer groups.
inline Vec reached(const float* weights, int64_t pitch, int64_t rows, int64_t top) {
  constexpr int64_t k_parts = 16;
  if (top > k_parts || rows < k_parts) return hn::Zero(k_f32);
  Vec most[k_parts];
  for (int64_t p = 0; p < k_parts; ++p) {
    most[p] = hn::LoadU(k_f32, weights + p * pitch);
    for (int64_t r = p + k_parts; r < rows; r += k_parts) {
      most[p] = hn::Max(most[p], hn::LoadU(k_f32, weights + r * pitch));
    }
  }
  for (int64_t p = 0; p < top; ++p) {
    for (int64_t r = p + 1; r < k_parts; ++r) {
      const Vec larger = hn::Max(most[p], most[r]);
      most[r] = hn::Min(most[p], most[r]);
      most[p] = larger;
    }
  }
  return most[top - 1];
}

// The largest weights of at most k_watch_keys keys.  First, which keys have any that matters, a few at a
// time; then their weights are put in place, one key after another.  Two loops: a branch for each key would
// be foreseen badly, and cost more than the rest.
constexpr int64_t k_watch_keys = 128;
inline void watch_largest(const Watch& watch, int64_t lane, const float* weights, int64_t pitch, int64_t s0,
                          int64_t s1) {
  const int64_t top = watch.wanted->top, keys = s1 - s0;
  const float* last = watch.weights + (kept_rows(*watch.wanted) - 1) * pitch + lane;
  Vec least = hn::LoadU(k_f32, last);
  if (hn::AllTrue(k_f32, hn::Eq(least, hn::Zero(k_f32)))) {
    // The first block: just below what is reached in it anyway, so that equals come in.
    least = hn::Mul(reached(weights, pitch, keys, kept_rows(*watch.wanted)), set(0.9999999f));
  }
  const auto matters = [&](Vec weight) { return !hn::AllFalse(k_f32, hn::Gt(weight, least)); };
  constexpr int64_t k_few = 8;
  uint8_t groups[k_watch_keys / k_few + 1], found[k_watch_keys + 1];
  int64_t group_count = 0, count = 0;
  for (int64_t s = 0; s < keys; s += k_few) {
    const float* from = weights + s * pitch;
    Vec most = hn::LoadU(k_f32, from);
    for (int64_t r = 1; r < std::min(k_few, keys - s); ++r) {
      most = hn::Max(most, hn::LoadU(k_f32, from + r * pitch));
    }
    groups[group_count] = static_cast<uint8_t>(s);
    group_count += matters(most);
  }
  for (int64_t g = 0; g < group_count; ++g) {
    for (int64_t s = groups[g]; s < std::min<int64_t>(groups[g] + k_few, keys); ++s) {
      found[count] = static_cast<uint8_t>(s);
      count += matters(hn::LoadU(k_f32, weights + s * pitch));
    }
  }
  if (count == 0) return;
  Kept kept;
#pragma GCC unroll 8
  for (int64_t j = 0; j < k_kept; ++j) {
    kept.weights[j] = hn::LoadU(k_f32, watch.weights + j * pitch + lane);
    kept.keys[j] = hn::LoadU(k_i32, watch.keys + j * pitch + lane);
  }
  for (int64_t i = 0; i < count; ++i) {
    Vec weight = hn::LoadU(k_f32, weights + found[i] * pitch);
    auto key = hn::Set(k_i32, static_cast<int32_t>(s0 + found[i]));
    keep(kept, &weight, &key);
    if (top > k_kept) keep_more(watch, lane, pitch, weight, key);
  }
#pragma GCC unroll 8
  for (int64_t j = 0; j < k_kept; ++j) {
    hn::StoreU(kept.weights[j], k_f32, watch.weights + j * pitch + lane);
    hn::StoreU(kept.keys[j], k_i32, watch.keys + j * pitch + lane);
  }
}

inline void watch_map(const Watch& watch, int64_t lane, const float* weights, int64_t pitch, int64_t s0,
                      int64_t s1) {
  const int64_t block = watch.wanted->map_keys;
  for (int64_t s = s0; s < s1;) {
    const int64_t end = std::min(s1, (s / block + 1) * block);
    const int64_t to = s / block * pitch + lane;
    // Four sums, each of every fourth key: one would wait for itself.
    Vec part[4] = {hn::Zero(k_f32), hn::Zero(k_f32), hn::Zero(k_f32), hn::Zero(k_f32)};
    for (; s < end && s % 4 != 0; ++s, weights += pitch) {
      part[s % 4] = hn::Add(part[s % 4], hn::LoadU(k_f32, weights));
    }
    for (; s + 4 <= end; s += 4, weights += 4 * pitch) {
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) part[i] = hn::Add(part[i], hn::LoadU(k_f32, weights + i * pitch));
    }
    for (; s < end; ++s, weights += pitch) part[s % 4] = hn::Add(part[s % 4], hn::LoadU(k_f32, weights));
    const Vec fresh = hn::Add(hn::Add(part[0], part[1]), hn::Add(part[2], part[3]));
    add_exactly(fresh, watch.map + to, watch.map_rest + to);
  }
}

/// The weights [key][lane] of the keys [s0, s1).
inline void watch_block(const Watch& watch, const QueryBlock& block, int64_t s0, int64_t s1,
                        const float* weights) {
  for (int v = 0; v < block.vecs; ++v) {
    // What a vector does not see was not made.
    const int64_t low = std::max(s0, block.vec_low[v]), high = std::min(s1, block.vec_high[v]);
    if (low >= high) continue;
    const float* from = weights + (low - s0) * block.pitch + v * k_lanes;
    if (watch.wanted->top > 0) watch_largest(watch, v * k_lanes, from, block.pitch, low, high);
    if (watch.map) watch_map(watch, v * k_lanes, from, block.pitch, low, high);
  }
}

/// What a row's weights are rebuilt from: e^((score - lse) - rest).  `rest` is what lse, rounded to a float,
/// lacks of the logarithm: without it the weights of large scores would not add up to 1.
struct RowSum {
  float lse, rest;
};

// The scaled products of one query with some keys, each one chain over d in order, as in the tiles.
inline void chain_scores(const QueryBlock& block, const float* HWY_RESTRICT query, const int32_t* keys,
                         int64_t count, float* HWY_RESTRICT scores, float* HWY_RESTRICT copies) {
  const AttentionArgs& args = *block.args;
  const int64_t width = args.shape.width;
  const hn::CappedTag<float, 1> one;
  constexpr int64_t k_chains = 8;
  for (int64_t j0 = 0; j0 < count; j0 += k_chains) {
    hn::Vec<decltype(one)> sum[k_chains];
    const float* row[k_chains];
#pragma GCC unroll 8
    for (int64_t j = 0; j < k_chains; ++j) {
      const int64_t key = keys[std::min(j0 + j, count - 1)];
      const void* from = at(args.type, block.k, key * args.k_at.row);
      row[j] = static_cast<const float*>(from);
      if (args.type != DType::f32) {
        load_rows(args.type, from, 0, 1, width, copies + j * width, width);
        row[j] = copies + j * width;
      }
      sum[j] = hn::Zero(one);
    }
    for (int64_t d = 0; d < width; ++d) {
      const auto q = hn::Set(one, query[d]);
#pragma GCC unroll 8
      for (int64_t j = 0; j < k_chains; ++j) sum[j] = hn::MulAdd(hn::Set(one, row[j][d]), q, sum[j]);
    }
#pragma GCC unroll 8
    for (int64_t j = 0; j < k_chains; ++j) {
      if (j0 + j < count) scores[j0 + j] = hn::GetLane(sum[j]);
    }
  }
}

// The same of pairs.
inline void pair_scores(const QueryBlock& block, const float* HWY_RESTRICT query, const int32_t* keys,
                        int64_t count, float* HWY_RESTRICT scores) {
  const AttentionArgs& args = *block.args;
  constexpr int64_t k_chains = 8;
  for (int64_t j0 = 0; j0 < count; j0 += k_chains) {
    Vec sum[k_chains];
    const std::byte* row[k_chains];
#pragma GCC unroll 8
    for (int64_t j = 0; j < k_chains; ++j) {
      const int64_t key = keys[std::min(j0 + j, count - 1)];
      row[j] = static_cast<const std::byte*>(at(args.type, block.k, key * args.k_at.row));
      sum[j] = hn::Zero(k_f32);
    }
    for (int64_t p = 0; p < args.shape.width / 2; ++p) {
      const Vec q = set(query[p]);
#pragma GCC unroll 8
      for (int64_t j = 0; j < k_chains; ++j) {
        float pair;  // rows may begin anywhere
        std::memcpy(&pair, row[j] + 4 * p, sizeof pair);
        sum[j] = dot_pairs(set(pair), q, sum[j]);
      }
    }
#pragma GCC unroll 8
    for (int64_t j = 0; j < k_chains; ++j) {
      if (j0 + j < count) scores[j0 + j] = hn::GetLane(hn::Mul(sum[j], set(args.scale)));
    }
  }
}

/// The weights of one query for up to k_lanes keys, as AttentionWindow rebuilds them.  `query` is its packed
/// column, without gaps.
inline Vec rebuilt_weights(const QueryBlock& block, int64_t lane, const float* HWY_RESTRICT query,
                           const int32_t* keys, int64_t count, const RowSum& sum_of_row,
                           float* HWY_RESTRICT copies) {
  const AttentionArgs& args = *block.args;
  HWY_ALIGN float scores[k_lanes] = {}, added[k_lanes] = {};
  if (in_pairs(args))
    pair_scores(block, query, keys, count, scores);
  else
    chain_scores(block, query, keys, count, scores, copies);
  Vec x = hn::Load(k_f32, scores);
  if (args.softcap > 0) x = cap_score(x, set(args.softcap), nullptr);
  if (has_added(args)) {
    for (int64_t j = 0; j < count; ++j) added[j] = added_cell(block, lane, keys[j]);
    x = add_to_score(x, hn::Load(k_f32, added));
  }
  return exp_score(hn::Sub(hn::Sub(x, set(sum_of_row.lse)), set(sum_of_row.rest)));
}
/// One query as rebuilt_weights takes it.
inline void load_query(const QueryBlock& block, int64_t lane, float* HWY_RESTRICT to) {
  const AttentionArgs& args = *block.args;
  const int64_t width = args.shape.width;
  const void* from = at(args.type, block.q, lane * args.q_at.row);
  if (in_pairs(args)) return copy_rows(from, 0, 1, width, to);
  load_rows(args.type, from, 0, 1, width, to, width);
  for (int64_t d = 0; d < width; ++d) to[d] *= args.scale;
}

/// Does one query see the key?
inline bool lane_sees(const QueryBlock& block, int64_t lane, int64_t key) {
  const auto s = static_cast<float>(key);
  return s >= block.low[lane] && s < block.high[lane] &&
         !(has_added(*block.args) && added_cell(block, lane, key) == -k_infinity);
}

/// Room for a row at a time, in rows of D or Dv: a query, 8 keys, a value, a sum in double.
constexpr int64_t k_row_room = 12;

// The largest weights of a row, rebuilt.  A row whose total is NaN has no order: its first keys stand there.
inline void finish_largest(const Watch& watch, const QueryBlock& block, int64_t lane, const RowSum& sum,
                           float* HWY_RESTRICT copies) {
  const int64_t top = watch.wanted->top;
  const AttentionShape& shape = block.args->shape;
  const int64_t row = (block.batch * shape.heads + block.head) * shape.queries + block.first + lane;
  float* weights = watch.wanted->top_weights + row * top;
  int32_t* keys = watch.wanted->top_keys + row * top;
  std::fill_n(weights, top, 0.f);
  if (std::isnan(sum.lse)) {
    std::fill_n(keys, top, -1);
    int64_t found = 0;
    const auto low = static_cast<int64_t>(block.low[lane]), high = static_cast<int64_t>(block.high[lane]);
    for (int64_t s = low; s < high && found < top; ++s) {
      if (!lane_sees(block, lane, s)) continue;
      weights[found] = sum.lse;
      keys[found++] = static_cast<int32_t>(s);
    }
    return;
  }
  for (int64_t j = 0; j < top; ++j) keys[j] = watch.keys[j * block.pitch + lane];
  load_query(block, lane, copies);
  const int64_t found = std::find(keys, keys + top, -1) - keys;
  for (int64_t j = 0; j < found; j += k_lanes) {
    const int64_t count = std::min(k_lanes, found - j);
    store(rebuilt_weights(block, lane, copies, keys + j, count, sum, copies + shape.width), weights + j,
          count);
  }
  // Weights that were equal but for rounding may have changed places.
  for (int64_t j = 1; j < found; ++j) {
    for (int64_t m = j; m > 0; --m) {
      const bool later =
          weights[m - 1] < weights[m] || (weights[m - 1] == weights[m] && keys[m - 1] > keys[m]);
      if (!later) break;
      std::swap(weights[m - 1], weights[m]), std::swap(keys[m - 1], keys[m]);
    }
  }
}

// What a row gives its map.  A NaN reaches the blocks that the row sees, and no other.
inline void finish_map_row(const Watch& watch, const QueryBlock& block, int64_t lane, float share,
                           float* to) {
  if (share == 0) return;
  for (int64_t c = 0; c < watch.map_columns; ++c) {
    const int64_t from = c * block.pitch + lane;
    const float sum = watch.map[from] + watch.map_rest[from];
    if (!std::isnan(share)) {
      to[c] += sum * share;
      continue;
    }
    const int64_t s0 = c * watch.wanted->map_keys,
                  s1 = std::min(s0 + watch.wanted->map_keys, block.args->shape.keys);
    for (int64_t s = s0; s < s1; ++s) {
      if (!lane_sees(block, lane, s)) continue;
      to[c] = share;
      break;
    }
  }
}

/// All keys have passed: writes what was wanted.  share[lane] is what z was multiplied with, 0 where nothing
/// was seen; all[lane] the sum of weights before, sums[lane] what weights are rebuilt from.
inline void watch_finish(const Watch& watch, const QueryBlock& block, const float* share, const double* all,
                         const RowSum* sums, float* HWY_RESTRICT copies) {
  const AttentionObservation& o = *watch.wanted;
  const AttentionShape& shape = block.args->shape;
  const int64_t head = block.batch * shape.heads + block.head, row = head * shape.queries + block.first;
  for (int64_t i = 0; i < block.count; ++i) {
    if (o.entropy) {  // -sum w log w, w = p share, log w = log p + log share
      const double part = share[i], log_share = std::log(part),
                   moment = static_cast<double>(watch.moment[i]) + watch.moment_rest[i];
      const double sum = -(part * moment + part * all[i] * log_share);
      o.entropy[row + i] = part == 0 ? 0 : static_cast<float>(sum > 0 || std::isnan(sum) ? sum : 0);
    }
    if (o.top > 0) finish_largest(watch, block, i, sums[i], copies);
  }
  if (!o.map) return;
  const int64_t rows = (shape.queries + o.map_queries - 1) / o.map_queries;
  for (int64_t i = 0; i < block.count; ++i) {
    finish_map_row(watch, block, i, share[i],
                   o.map + (head * rows + (block.first + i) / o.map_queries) * watch.map_columns);
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_ATTENTION_WATCH_INL_H_

// What attention's forward and backward kernels share: a block of queries held one query a lane, which keys
// each of them sees, what is added to its scores, and the products of keys with queries.
//
// Lanes are queries: scores are computed transposed, K Q^T, so that keys are read by broadcast and the
// softmax needs no sum across lanes.
//
// A score is one chain of fused multiply-adds over d, in order, of keys with queries that were multiplied
// with the scale; then the cap, then what is added.  Forward, backward, windows and observations make it by
// the same operations: its bits are the same wherever it is rebuilt, or weights would not add up to 1.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_ATTENTION_INL_H_
#undef LIMPID_KERNELS_ATTENTION_INL_H_
#else
#define LIMPID_KERNELS_ATTENTION_INL_H_
#endif

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "hwy/highway.h"
#include "kernels/attention.h"
#include "kernels/attention_rows-inl.h"
#include "kernels/math-inl.h"
#include "kernels/pairs-inl.h"
#include "kernels/philox-inl.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

/// One block of up to k_width queries of one head.  Whole numbers are kept as floats: exact to 2^24 keys.
struct QueryBlock {
  const AttentionArgs* args;
  int64_t batch, head, first, count;  // queries [first, first + count)
  int vecs;
  int64_t pitch;  // lanes = vecs * k_lanes, those beyond count see nothing
  const void *q, *k, *v;
  int64_t position;                                   // of the first query among the keys
  HWY_ALIGN float low[k_width], high[k_width];        // lane t sees keys of [low, high) alone
  int64_t any_low, any_high;                          // keys that some lane sees lie in here,
  int64_t all_low, all_high;                          // and in here every lane sees all
  int64_t vec_low[k_max_vecs], vec_high[k_max_vecs];  // as any_low and any_high, of one vector's lanes
};

struct KeyRange {
  int64_t first = 0, end = 0;
};

/// Where the keys of a query's document stand, of documents that rise.
class DocumentKeys {
 public:
  DocumentKeys(const AttentionArgs& args, int64_t batch)
      : queries_(args.documents_rise ? args.query_documents + batch * args.shape.queries : nullptr),
        keys_(args.documents_rise ? args.key_documents + batch * args.shape.keys : nullptr),
        count_(args.shape.keys) {}
  KeyRange of(int64_t query) {
    if (known_ && queries_[query] == document_) return range_;
    known_ = true;
    document_ = queries_[query];
    const auto [first, end] = std::equal_range(keys_, keys_ + count_, document_);
    return range_ = {first - keys_, end - keys_};
  }

 private:
  const int64_t *queries_, *keys_;
  int64_t count_, document_ = 0;
  bool known_ = false;
  KeyRange range_;
};

/// The queries from `first` on, before `end`: at most k_width.
inline QueryBlock query_block(const AttentionArgs& args, int64_t batch, int64_t head, int64_t first,
                              int64_t end) {
  const AttentionShape& shape = args.shape;
  QueryBlock block;
  block.args = &args;
  block.batch = batch;
  block.head = head;
  block.first = first;
  block.count = std::min(k_width, end - first);
  block.vecs = vecs_for(block.count);
  block.pitch = block.vecs * k_lanes;
  const int64_t key_head = head / (shape.heads / shape.key_heads);
  const auto place = [&](const void* data, const HeadStrides& s, int64_t row, int64_t of_head) {
    return at(args.type, data, batch * s.batch + row * s.row + of_head * s.head);
  };
  block.q = place(args.q, args.q_at, first, head);
  block.k = place(args.k, args.k_at, 0, key_head);
  block.v = place(args.v, args.v_at, 0, key_head);

  const int64_t first_query =
      args.first_queries ? args.first_queries[batch] : args.first_query.value_or(shape.keys - shape.queries);
  const int64_t length = args.key_lengths ? args.key_lengths[batch] : shape.keys;
  block.position = first_query + first;
  block.any_low = shape.keys, block.any_high = 0;
  block.all_low = 0, block.all_high = shape.keys;
  for (int v = 0; v < block.vecs; ++v) block.vec_low[v] = shape.keys, block.vec_high[v] = 0;
  DocumentKeys document(args, batch);
  for (int64_t i = 0; i < block.pitch; ++i) {
    const int64_t position = block.position + i;
    int64_t low = args.window > 0 ? position - args.window + 1 : 0;
    int64_t high = args.causal ? std::min(length, position + 1) : length;
    if (args.window_after) high = std::min(high, position + 1 + *args.window_after);
    if (args.documents_rise && i < block.count) {
      const KeyRange own = document.of(first + i);
      low = std::max(low, own.first);
      high = std::min(high, own.end);
    }
    low = std::clamp<int64_t>(low, 0, shape.keys);
    high = i < block.count ? std::max(low, high) : low;
    block.low[i] = static_cast<float>(low);
    block.high[i] = static_cast<float>(high);
    if (i >= block.count) continue;
    if (low < high) {
      int64_t &vec_low = block.vec_low[i / k_lanes], &vec_high = block.vec_high[i / k_lanes];
      vec_low = std::min(vec_low, low);
      vec_high = std::max(vec_high, high);
      block.any_low = std::min(block.any_low, low);
      block.any_high = std::max(block.any_high, high);
    }
    block.all_low = std::max(block.all_low, low);
    block.all_high = std::min(block.all_high, high);
  }
  return block;
}

/// Do the bounds of sight (causal, window, lengths) cut through the keys [s0, s1)?
inline bool partly_seen(const QueryBlock& block, int64_t s0, int64_t s1) {
  return s0 < block.all_low || s1 > block.all_high;
}

constexpr float k_largest = std::numeric_limits<float>::max();

/// What ALiBi adds.
inline float slope_term(float slope, int64_t distance, bool symmetric) {
  const auto far = static_cast<float>(symmetric ? std::abs(distance) : distance);
  return std::clamp(-slope * far, -k_largest, k_largest);
}

/// a + b; of finite numbers the sum is finite: of scores infinity alone hides.
inline float add_finite(float a, float b) {
  const float sum = a + b;
  const bool lost = std::abs(sum) > k_largest && std::abs(a) <= k_largest && std::abs(b) <= k_largest;
  return lost ? std::copysign(k_largest, sum) : sum;
}

/// Is anything added to scores cell by cell, or hidden cell by cell?
inline bool has_added(const AttentionArgs& args) {
  return args.bias || args.slopes || args.distances || args.allowed ||
         (args.query_documents && !args.documents_rise);
}

enum class Added {
  none,  // nothing is added or hidden in this block
  some,
  hidden,  // no cell is seen
};

/// Adds the numbers of a row's distances from the keys [s0, s1).
inline void add_distances(const QueryBlock& block, int64_t lane, int64_t s0, int64_t s1,
                          float* HWY_RESTRICT row) {
  const AttentionArgs& args = *block.args;
  const float* table = args.distances + block.head * args.distances_head;
  // Cells out of sight may lie outside the table.
  const int64_t low = std::max(static_cast<int64_t>(block.low[lane]), s0),
                high = std::min(static_cast<int64_t>(block.high[lane]), s1);
  if (args.query_places) {
    const int64_t own = args.query_places[block.first + lane] - args.least_distance;
    for (int64_t s = low; s < high; ++s)
      row[s - s0] = add_finite(row[s - s0], table[own - args.key_places[s]]);
    return;
  }
  const int64_t own = block.position + lane - args.least_distance;
  for (int64_t s = low; s < high; ++s) row[s - s0] = add_finite(row[s - s0], table[own - s]);
}

/// What is added to the scores of the keys [s0, s1), as to[key][lane]; -inf where a cell is hidden, whatever
/// hides it but the bounds.  `rows` is room for as many numbers in the other order.  In natural units.
inline Added added_block(const QueryBlock& block, int64_t s0, int64_t s1, float* HWY_RESTRICT rows,
                         float* HWY_RESTRICT to) {
  const AttentionArgs& args = *block.args;
  const AttentionShape& shape = args.shape;
  const int64_t keys = s1 - s0, b = block.batch, h = block.head;
  const bool adds = args.bias || args.slopes || args.distances;
  bool any_hidden = false, any_seen = false;
  for (int64_t i = 0; i < block.count; ++i) {
    const int64_t t = block.first + i, p = block.position + i;
    float* HWY_RESTRICT row = rows + i * keys;
    if (args.bias) {
      const float* from = args.bias + b * args.bias_at.batch + h * args.bias_at.head + t * args.bias_at.row;
      std::copy_n(from + s0, keys, row);
    } else {
      std::fill_n(row, keys, 0.f);
    }
    if (args.slopes) {
      const float slope = args.slopes[h];
      for (int64_t s = 0; s < keys; ++s)
        row[s] = add_finite(row[s], slope_term(slope, p - s0 - s, args.symmetric_slopes));
    }
    if (args.distances) add_distances(block, i, s0, s1, row);
    if (args.allowed) {
      const bool* from =
          args.allowed + b * args.allowed_at.batch + h * args.allowed_at.head + t * args.allowed_at.row + s0;
      for (int64_t s = 0; s < keys; ++s) row[s] = from[s] ? row[s] : -k_infinity;
    }
    if (args.query_documents && !args.documents_rise) {
      const int64_t own = args.query_documents[b * shape.queries + t];
      const int64_t* from = args.key_documents + b * shape.keys + s0;
      for (int64_t s = 0; s < keys; ++s) row[s] = from[s] == own ? row[s] : -k_infinity;
    }
    for (int64_t s = 0; s < keys; ++s) {
      const bool hidden = row[s] == -k_infinity;
      any_hidden |= hidden;
      any_seen |= !hidden;
    }
  }
  if (!any_seen) return Added::hidden;
  if (!any_hidden && !adds) return Added::none;
  transpose(block.count, keys, rows, keys, to, block.pitch);
  for (int64_t s = 0; s < keys; ++s)
    std::fill(to + s * block.pitch + block.count, to + (s + 1) * block.pitch, 0.f);
  return Added::some;
}

/// One number of added_block.
inline float added_cell(const QueryBlock& block, int64_t lane, int64_t s) {
  const AttentionArgs& args = *block.args;
  const int64_t b = block.batch, h = block.head, t = block.first + lane, p = block.position + lane;
  float x = 0;
  if (args.bias) x = args.bias[b * args.bias_at.batch + h * args.bias_at.head + t * args.bias_at.row + s];
  if (args.slopes) x = add_finite(x, slope_term(args.slopes[h], p - s, args.symmetric_slopes));
  if (args.distances) {
    const int64_t distance = args.query_places ? args.query_places[t] - args.key_places[s] : p - s;
    x = add_finite(x, args.distances[h * args.distances_head + distance - args.least_distance]);
  }
  const bool* allowed = args.allowed;
  const bool hidden =
      (allowed &&
       !allowed[b * args.allowed_at.batch + h * args.allowed_at.head + t * args.allowed_at.row + s]) ||
      (args.query_documents &&
       args.query_documents[b * args.shape.queries + t] != args.key_documents[b * args.shape.keys + s]);
  return hidden ? -k_infinity : x;
}

/// What dropout multiplies the weights of the keys [s0, s1) with, as to[key][lane]: 0 or 1 / (1 - rate).
inline void dropout_block(const QueryBlock& block, int64_t s0, int64_t s1, float* HWY_RESTRICT rows,
                          float* HWY_RESTRICT to) {
  const AttentionArgs& args = *block.args;
  const int64_t keys = s1 - s0;
  const float kept = static_cast<float>(1 / (1 - args.dropout));
  const uint64_t least = least_word(args.dropout);
  for (int64_t i = 0; i < block.count; ++i) {
    // What the row does not see is not drawn.
    const int64_t low = std::clamp(static_cast<int64_t>(block.low[i]), s0, s1),
                  high = std::clamp(static_cast<int64_t>(block.high[i]), low, s1);
    std::fill_n(rows + i * keys, keys, 0.f);
    float* out = rows + i * keys + low - s0;
    const int64_t cell = args.cell(block.batch, block.head, block.first + i, low);
    random_mask({args.seed, args.stream, args.step}, static_cast<uint64_t>(cell), high - low, least, kept,
                out);
  }
  transpose(block.count, keys, rows, keys, to, block.pitch);
  for (int64_t s = 0; s < keys; ++s)
    std::fill(to + s * block.pitch + block.count, to + (s + 1) * block.pitch, 0.f);
}

/// May the documents of a block of keys be skipped, every query's being others?
inline bool other_documents(const QueryBlock& block, int64_t s0, int64_t s1) {
  const AttentionArgs& args = *block.args;
  if (!args.query_documents || args.documents_rise) return false;
  const int64_t* own = args.query_documents + block.batch * args.shape.queries + block.first;
  const int64_t* keys = args.key_documents + block.batch * args.shape.keys;
  const auto [own_least, own_most] = std::minmax_element(own, own + block.count);
  const auto [least, most] = std::minmax_element(keys + s0, keys + s1);
  return *own_most < *least || *own_least > *most;
}

constexpr int64_t k_stripe = 18;  // keys: three tiles of rows

/// Calls run(c0, c1, v0, v1) for stripes of the keys [s0, s1) and the vectors [v0, v1) that see any of them:
/// along a mask's edge what lies beyond it is not computed.  (With AVX2's narrow blocks that is too little to
/// pay for the shorter tiles: measured equal or 5% slower.)
template <class Run>
void each_stripe(const QueryBlock& block, int64_t s0, int64_t s1, Run run) {
  if (!partly_seen(block, s0, s1) || k_max_vecs < 4) return run(s0, s1, 0, block.vecs);
  for (int64_t c0 = s0; c0 < s1; c0 += k_stripe) {
    const int64_t c1 = std::min(c0 + k_stripe, s1);
    int v0 = 0, v1 = block.vecs;
    while (v0 < v1 && (block.vec_high[v0] <= c0 || block.vec_low[v0] >= c1)) ++v0;
    while (v0 < v1 && (block.vec_high[v1 - 1] <= c0 || block.vec_low[v1 - 1] >= c1)) --v1;
    if (v0 < v1) run(c0, c1, v0, v1);
  }
}

/// Does each_stripe make one stripe of the keys?
inline bool one_stripe(const QueryBlock& block, int64_t s0, int64_t s1) {
  return !partly_seen(block, s0, s1) || k_max_vecs < 4;
}

// Sums over keys have three levels, so that their error does not grow with the number of keys: a block's keys
// are summed from 0, blocks are added up, and every k_far_blocks of them that sum is added to a third.
constexpr int64_t k_block_keys = 96;
constexpr int64_t k_far_blocks = 64;
constexpr int64_t k_far_keys = k_far_blocks * k_block_keys;

/// to += from, from = 0.
inline void move_sums(float* HWY_RESTRICT from, int64_t count, float* HWY_RESTRICT to) {
  for (int64_t i = 0; i < count; ++i) {
    to[i] += from[i];
    from[i] = 0;
  }
}

/// sum + rest += x, with what the addition loses in rest (Knuth's two-sum: of a zero x it changes no bit).
HWY_INLINE void add_exactly(Vec x, float* sum, float* rest) {
  const Vec a = hn::LoadU(k_f32, sum), b = hn::Add(x, hn::LoadU(k_f32, rest));
  const Vec s = hn::Add(a, b), of_b = hn::Sub(s, a);
  hn::StoreU(s, k_f32, sum);
  hn::StoreU(hn::Add(hn::Sub(a, hn::Sub(s, of_b)), hn::Sub(b, of_b)), k_f32, rest);
}

/// Both times factor, and rest again what sum cannot hold.
HWY_INLINE void rescale_exactly(Vec factor, float* sum, float* rest) {
  hn::StoreU(hn::Mul(hn::LoadU(k_f32, sum), factor), k_f32, sum);
  hn::StoreU(hn::Mul(hn::LoadU(k_f32, rest), factor), k_f32, rest);
  add_exactly(hn::Zero(k_f32), sum, rest);
}

/// Calls run(sums) to add a block of keys to sums that are 0, `fresh`, and adds those to `to`.
template <class Run>
void add_apart(int64_t count, float* HWY_RESTRICT fresh, float* HWY_RESTRICT to, Run run) {
  std::fill_n(fresh, count, 0.f);
  run(fresh);
  for (int64_t i = 0; i < count; i += k_lanes) {
    hn::StoreU(hn::Add(hn::LoadU(k_f32, to + i), hn::LoadU(k_f32, fresh + i)), k_f32, to + i);
  }
}

/// to[m][lane] += sum over the keys [s0, s1), made apart, of a[key][m] * b[key][lane], b 0 where a lane does
/// not see.  `fresh` is room for m rows.
inline void add_keys(const QueryBlock& block, int64_t s0, int64_t s1, const float* a, int64_t lda, int64_t m,
                     const float* b, float* fresh, float* to) {
  const bool whole = one_stripe(block, s0, s1);
  const auto add = [&](float* sums) {
    each_stripe(block, s0, s1, [&](int64_t c0, int64_t c1, int v0, int v1) {
      TileArgs t{};
      t.k = c1 - c0;
      t.a = a + (c0 - s0) * lda;
      t.lda = lda;
      t.b = b + (c0 - s0) * block.pitch + v0 * k_lanes;
      t.ldb = t.ldc = block.pitch;
      t.c = sums + v0 * k_lanes;
      t.add = true;
      t.apart = whole;
      tile_rows(m, v1 - v0, true, t);
    });
  };
  if (whole) return add(to);
  add_apart(m * block.pitch, fresh, to, add);
}

/// to[key][lane] = sum over i < width of a[key][i] * b[i][lane], the lanes that see the key at least.
inline void key_products(const QueryBlock& block, int64_t s0, int64_t s1, const float* a, int64_t lda,
                         int64_t width, const float* b, float* to) {
  each_stripe(block, s0, s1, [&](int64_t c0, int64_t c1, int v0, int v1) {
    TileArgs t{};
    t.k = width;
    t.a = a + (c0 - s0) * lda;
    t.lda = lda;
    t.b = b + v0 * k_lanes;
    t.ldb = t.ldc = block.pitch;
    t.c = to + (c0 - s0) * block.pitch + v0 * k_lanes;
    tile_rows(c1 - c0, v1 - v0, false, t);
  });
}

/// Does a lane of vector v see the key?
HWY_INLINE bool any_sees(const QueryBlock& block, int v, int64_t key) {
  return key >= block.vec_low[v] && key < block.vec_high[v];
}

/// Which lanes of vector v see the key?  `added` is that key's row of added_block or null: -inf hides it too.
HWY_INLINE hn::Mask<F32> sees(const QueryBlock& block, int v, int64_t key, const float* added) {
  const Vec s = set(static_cast<float>(key));
  const auto seen = hn::And(hn::Ge(s, hn::Load(k_f32, block.low + v * k_lanes)),
                            hn::Lt(s, hn::Load(k_f32, block.high + v * k_lanes)));
  if (!added) return seen;  // below: not by Ne, of which NaN would be none
  return hn::AndNot(hn::Eq(hn::LoadU(k_f32, added + v * k_lanes), set(-k_infinity)), seen);
}

/// Rows [count][width] as columns to[width][pitch], times scale; lanes beyond count are 0.
inline void pack_columns(const float* rows, int64_t stride, int64_t count, int64_t width, float scale,
                         int64_t pitch, float* HWY_RESTRICT to) {
  transpose(count, width, rows, stride, to, pitch);
  const Vec factor = set(scale);
  for (int64_t i = 0; i < width; ++i, to += pitch) {
    std::fill(to + count, to + pitch, 0.f);
    for (int64_t c = 0; c < pitch; c += k_lanes) {
      hn::StoreU(hn::Mul(hn::LoadU(k_f32, to + c), factor), k_f32, to + c);
    }
  }
}

/// bf16 goes through products of pairs where the machine has them: queries, keys and weights are then cells
/// of two numbers each.  Queries are not multiplied with anything (it would round them), but scores with the
/// scale.
inline bool in_pairs(const AttentionArgs& args) {
  return k_pairs && args.type == DType::bf16 && args.shape.width % 2 == 0 && has_pairs();
}

/// Rows of bf16 without gaps.
inline void copy_rows(const void* from, int64_t stride, int64_t count, int64_t width,
                      float* HWY_RESTRICT to) {
  const auto* row = static_cast<const uint16_t*>(from);
  for (int64_t r = 0; r < count; ++r)
    std::copy_n(row + r * stride, width, reinterpret_cast<uint16_t*>(to) + r * width);
}

/// A block's queries as columns of pairs to[width / 2][pitch].  `rows` is room for as many.
inline void pack_pairs(const QueryBlock& block, float* HWY_RESTRICT rows, float* HWY_RESTRICT to) {
  const AttentionArgs& args = *block.args;
  const int64_t width = args.shape.width;
  copy_rows(block.q, args.q_at.row, block.count, width, rows);
  transpose(block.count, width / 2, rows, width / 2, to, block.pitch);
  for (int64_t p = 0; p < width / 2; ++p)
    std::fill(to + p * block.pitch + block.count, to + (p + 1) * block.pitch, 0.f);
}

/// As key_products, of pairs; and times factor.
inline void pair_products(const QueryBlock& block, int64_t s0, int64_t s1, const float* keys,
                          const float* queries, float factor, float* to) {
  const int64_t width = block.args->shape.width / 2;
  each_stripe(block, s0, s1, [&](int64_t c0, int64_t c1, int v0, int v1) {
    TileArgs t{};
    t.k = width;
    t.a = keys + (c0 - s0) * width;
    t.lda = width;
    t.b = queries + v0 * k_lanes;
    t.ldb = t.ldc = block.pitch;
    t.c = to + (c0 - s0) * block.pitch + v0 * k_lanes;
    pairs_tile_rows<false>(c1 - c0, v1 - v0, t);
    for (int64_t s = 0; s < c1 - c0; ++s) {
      for (int v = 0; v < v1 - v0; ++v) {
        float* cell = t.c + s * block.pitch + v * k_lanes;
        hn::StoreU(hn::Mul(hn::LoadU(k_f32, cell), set(factor)), k_f32, cell);
      }
    }
  });
}

/// Is every value of rows [count][width] finite?
inline bool all_finite(const float* rows, int64_t stride, int64_t count, int64_t width) {
  Vec bad = hn::Zero(k_f32);  // x * 0 is 0 or NaN, and NaN stays
  float rest = 0;
  for (int64_t r = 0; r < count; ++r, rows += stride) {
    int64_t c = 0;
    for (; c + k_lanes <= width; c += k_lanes) {
      bad = hn::MulAdd(hn::LoadU(k_f32, rows + c), hn::Zero(k_f32), bad);
    }
    for (; c < width; ++c) rest += rows[c] * 0.f;
  }
  return !std::isnan(sum_lanes(bad) + rest);
}

/// softcap tanh(x / softcap).  Divided: 1 / softcap may be infinite.  With slope not null it receives the
/// derivative, 1 - tanh^2.
HWY_INLINE Vec cap_score(Vec x, Vec cap, float* slope) {
  const Vec y = tanh(hn::Div(x, cap));
  if (slope) hn::StoreU(hn::NegMulAdd(y, y, set(1.f)), k_f32, slope);
  return hn::Mul(cap, y);
}

/// add_finite, of a score and what is added to it.
HWY_INLINE Vec add_to_score(Vec x, Vec more) {
  const Vec sum = hn::Add(x, more);
  const auto lost = hn::And(hn::Eq(hn::Abs(sum), set(k_infinity)), hn::Lt(hn::Abs(x), set(k_infinity)));
  const auto finite = hn::Lt(hn::Abs(more), set(k_infinity));
  return hn::IfThenElse(hn::And(lost, finite), hn::CopySign(set(k_largest), sum), sum);
}

/// From scaled products to scores: capped, with what is added, and -inf where not seen.
inline void finish_scores(const QueryBlock& block, int64_t s0, int64_t s1, const float* HWY_RESTRICT added,
                          float* HWY_RESTRICT scores, float* HWY_RESTRICT slope);

/// Scores of the keys [s0, s1), whose rows are `keys`, into scores[key][lane]: scaled, capped, with what is
/// added, and -inf where not seen.  `queries` are the block's, packed by pack_columns with the scale; `added`
/// is added_block's, or null.  With slope not null it receives the derivative of the cap, 1 - tanh^2, in the
/// same layout.
inline void score_block(const QueryBlock& block, const float* queries, int64_t s0, int64_t s1,
                        const float* keys, int64_t key_pitch, const float* HWY_RESTRICT added,
                        float* HWY_RESTRICT scores, float* HWY_RESTRICT slope) {
  key_products(block, s0, s1, keys, key_pitch, block.args->shape.width, queries, scores);
  finish_scores(block, s0, s1, added, scores, slope);
}

inline void finish_scores(const QueryBlock& block, int64_t s0, int64_t s1, const float* HWY_RESTRICT added,
                          float* HWY_RESTRICT scores, float* HWY_RESTRICT slope) {
  const AttentionArgs& args = *block.args;
  const int64_t pitch = block.pitch;
  const bool masked = added || partly_seen(block, s0, s1);
  const bool capped = args.softcap > 0;
  if (!masked && !capped) return;
  const Vec cap = set(args.softcap);
  for (int64_t s = 0; s < s1 - s0; ++s) {
    const float* more = added ? added + s * pitch : nullptr;
    for (int v = 0; v < block.vecs; ++v) {
      const int64_t cell = s * pitch + v * k_lanes;
      if (!any_sees(block, v, s0 + s)) {
        hn::StoreU(set(-k_infinity), k_f32, scores + cell);
        continue;
      }
      Vec x = hn::LoadU(k_f32, scores + cell);
      if (capped) x = cap_score(x, cap, slope ? slope + cell : nullptr);
      if (more) x = add_to_score(x, hn::LoadU(k_f32, more + v * k_lanes));
      if (masked) x = hn::IfThenElse(sees(block, v, s0 + s, more), x, set(-k_infinity));
      hn::StoreU(x, k_f32, scores + cell);
    }
  }
}

/// As add_keys, but a lane takes no part in keys that it does not see: for blocks where a masked 0 would meet
/// NaN or infinity.
inline void add_seen(const QueryBlock& block, int64_t s0, int64_t s1, const float* a, int64_t lda, int64_t m,
                     const float* b, const float* added, float* to) {
  for (int64_t s = s0; s < s1; ++s, a += lda, b += block.pitch) {
    for (int v = 0; v < block.vecs; ++v) {
      if (!any_sees(block, v, s)) continue;
      const auto seen = sees(block, v, s, added ? added + (s - s0) * block.pitch : nullptr);
      const Vec weight = hn::LoadU(k_f32, b + v * k_lanes);
      for (int64_t r = 0; r < m; ++r) {
        float* cell = to + r * block.pitch + v * k_lanes;
        const Vec old = hn::LoadU(k_f32, cell);
        hn::StoreU(hn::IfThenElse(seen, hn::MulAdd(set(a[r]), weight, old), old), k_f32, cell);
      }
    }
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_ATTENTION_INL_H_

// What attention's forward and backward kernels share: a block of queries held one query a lane, which keys
// each of them sees, and their scores against a block of keys.
//
// Lanes are queries: scores are computed transposed, K Q^T, so that keys are read in place by broadcast and
// the softmax needs no sum across lanes.
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

#include "hwy/highway.h"
#include "kernels/attention.h"
#include "kernels/math-inl.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

/// One block of up to k_width queries of one head.  Whole numbers are kept as floats: exact to 2^24 keys.
struct QueryBlock {
  const AttentionArgs* args;
  int64_t batch, head, first, count;  // queries [first, first + count)
  int vecs;
  int64_t pitch;  // lanes = vecs * k_lanes, those beyond count see nothing
  const float *q, *k, *v;
  HWY_ALIGN float low[k_width], high[k_width];  // lane t sees the keys [low, high)
  HWY_ALIGN float position[k_width];
  int64_t any_low, any_high;                          // keys that some lane sees lie in here,
  int64_t all_low, all_high;                          // and in here every lane sees all
  int64_t vec_low[k_max_vecs], vec_high[k_max_vecs];  // as any_low and any_high, of one vector's lanes
};

inline QueryBlock query_block(const AttentionArgs& args, int64_t batch, int64_t head, int64_t first) {
  const AttentionShape& shape = args.shape;
  QueryBlock block;
  block.args = &args;
  block.batch = batch;
  block.head = head;
  block.first = first;
  block.count = std::min(k_width, shape.queries - first);
  block.vecs = vecs_for(block.count);
  block.pitch = block.vecs * k_lanes;
  const int64_t key_head = head / (shape.heads / shape.key_heads);
  block.q = args.q + batch * args.q_at.batch + first * args.q_at.row + head * args.q_at.head;
  block.k = args.k + batch * args.k_at.batch + key_head * args.k_at.head;
  block.v = args.v + batch * args.v_at.batch + key_head * args.v_at.head;

  const int64_t first_query =
      args.first_queries ? args.first_queries[batch] : args.first_query.value_or(shape.keys - shape.queries);
  const int64_t length = args.key_lengths ? args.key_lengths[batch] : shape.keys;
  block.any_low = shape.keys, block.any_high = 0;
  block.all_low = 0, block.all_high = shape.keys;
  for (int v = 0; v < block.vecs; ++v) block.vec_low[v] = shape.keys, block.vec_high[v] = 0;
  for (int64_t i = 0; i < block.pitch; ++i) {
    const int64_t position = first_query + first + i;
    int64_t low = args.window > 0 ? position - args.window + 1 : 0;
    int64_t high = args.causal ? std::min(length, position + 1) : length;
    low = std::clamp<int64_t>(low, 0, shape.keys);
    high = i < block.count ? std::max(low, high) : low;
    block.low[i] = static_cast<float>(low);
    block.high[i] = static_cast<float>(high);
    block.position[i] = static_cast<float>(position);
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

/// May some lane not see all of the keys [s0, s1)?  (Lanes beyond count do not matter.)
inline bool partly_masked(const QueryBlock& block, int64_t s0, int64_t s1) {
  return s0 < block.all_low || s1 > block.all_high || block.args->bias;
}

constexpr int64_t k_stripe = 18;  // keys: three tiles of rows

/// Calls run(c0, c1, v0, v1) for stripes of the keys [s0, s1) and the vectors [v0, v1) that see any of them:
/// along a mask's edge what lies beyond it is not computed.  (With AVX2's narrow blocks that is too little to
/// pay for the shorter tiles: measured equal or 5% slower.)
template <class Run>
void each_stripe(const QueryBlock& block, int64_t s0, int64_t s1, Run run) {
  const bool inside = s0 >= block.all_low && s1 <= block.all_high;
  if (inside || k_max_vecs < 4) return run(s0, s1, 0, block.vecs);
  for (int64_t c0 = s0; c0 < s1; c0 += k_stripe) {
    const int64_t c1 = std::min(c0 + k_stripe, s1);
    int v0 = 0, v1 = block.vecs;
    while (v0 < v1 && (block.vec_high[v0] <= c0 || block.vec_low[v0] >= c1)) ++v0;
    while (v0 < v1 && (block.vec_high[v1 - 1] <= c0 || block.vec_low[v1 - 1] >= c1)) --v1;
    if (v0 < v1) run(c0, c1, v0, v1);
  }
}

/// to[m][lane] += sum over the keys [s0, s1) of a[key][m] * b[key][lane], b 0 where a lane does not see.
inline void add_keys(const QueryBlock& block, int64_t s0, int64_t s1, const float* a, int64_t lda, int64_t m,
                     const float* b, float* to) {
  each_stripe(block, s0, s1, [&](int64_t c0, int64_t c1, int v0, int v1) {
    TileArgs t{};
    t.k = c1 - c0;
    t.a = a + (c0 - s0) * lda;
    t.lda = lda;
    t.b = b + (c0 - s0) * block.pitch + v0 * k_lanes;
    t.ldb = t.ldc = block.pitch;
    t.c = to + v0 * k_lanes;
    t.add = true;
    tile_rows(m, v1 - v0, true, t);
  });
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

/// Which lanes of vector v see the key?  `bias` is that key's row of biases or null: -inf hides it too.
HWY_INLINE hn::Mask<F32> sees(const QueryBlock& block, int v, int64_t key, const float* bias) {
  const Vec s = set(static_cast<float>(key));
  const auto seen = hn::And(hn::Ge(s, hn::Load(k_f32, block.low + v * k_lanes)),
                            hn::Lt(s, hn::Load(k_f32, block.high + v * k_lanes)));
  return bias ? hn::And(seen, hn::Ne(hn::LoadU(k_f32, bias + v * k_lanes), set(-k_infinity))) : seen;
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

/// Scores of the keys [s0, s1) into scores[key][lane]: scaled, capped, biased, and -inf where not seen.
/// `queries` are the block's, packed by pack_columns with args.scale.  `bias` receives the biases, if any.
/// With slope not null it receives the derivative of the cap, 1 - tanh^2, in the same layout.
inline void score_block(const QueryBlock& block, const float* queries, int64_t s0, int64_t s1,
                        float* HWY_RESTRICT scores, float* HWY_RESTRICT bias, float* HWY_RESTRICT slope) {
  const AttentionArgs& args = *block.args;
  const int64_t keys = s1 - s0, pitch = block.pitch;
  key_products(block, s0, s1, block.k + s0 * args.k_at.row, args.k_at.row, args.shape.width, queries, scores);

  const bool masked = partly_masked(block, s0, s1);
  const bool capped = args.softcap > 0;
  if (!masked && !capped && !args.slopes && !args.bias) return;
  if (args.bias) {
    const float* from = args.bias + block.batch * args.bias_batch + block.head * args.bias_head +
                        block.first * args.bias_row + s0;
    transpose(block.count, keys, from, args.bias_row, bias, pitch);
    for (int64_t s = 0; s < keys; ++s) std::fill(bias + s * pitch + block.count, bias + (s + 1) * pitch, 0.f);
  }
  const Vec cap = set(args.softcap), per_cap = set(1 / args.softcap);
  const Vec alibi = set(args.slopes ? args.slopes[block.head] : 0.f);
  for (int64_t s = 0; s < keys; ++s) {
    const Vec key = set(static_cast<float>(s0 + s));
    for (int v = 0; v < block.vecs; ++v) {
      const int64_t at = s * pitch + v * k_lanes;
      if (!any_sees(block, v, s0 + s)) {
        hn::StoreU(set(-k_infinity), k_f32, scores + at);
        continue;
      }
      Vec x = hn::LoadU(k_f32, scores + at);
      if (capped) {
        const Vec y = tanh(hn::Mul(x, per_cap));
        if (slope) hn::StoreU(hn::NegMulAdd(y, y, set(1.f)), k_f32, slope + at);
        x = hn::Mul(cap, y);
      }
      if (args.slopes) x = hn::MulAdd(alibi, hn::Sub(key, hn::Load(k_f32, block.position + v * k_lanes)), x);
      if (args.bias) x = hn::Add(x, hn::LoadU(k_f32, bias + at));
      if (masked) {
        const float* hidden = args.bias ? bias + s * pitch : nullptr;
        x = hn::IfThenElse(sees(block, v, s0 + s, hidden), x, set(-k_infinity));
      }
      hn::StoreU(x, k_f32, scores + at);
    }
  }
}

/// As add_keys, but a lane takes no part in keys that it does not see: for blocks where a masked 0 would meet
/// NaN or infinity.
inline void add_seen(const QueryBlock& block, int64_t s0, int64_t s1, const float* a, int64_t lda, int64_t m,
                     const float* b, const float* bias, float* to) {
  for (int64_t s = s0; s < s1; ++s, a += lda, b += block.pitch) {
    for (int v = 0; v < block.vecs; ++v) {
      const auto seen = sees(block, v, s, block.args->bias ? bias + (s - s0) * block.pitch : nullptr);
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

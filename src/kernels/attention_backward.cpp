#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention_backward.cpp"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/attention-inl.h"
#include "kernels/attention.h"
#include "kernels/isa.h"

// With P the weights, rebuilt as exp(scores - lse), and delta[t] = sum over d of dz[t,d] z[t,d]
// (Dao et al. 2022, section B.4):
//   dV = P^T dZ      dP = dZ V^T      dS = P (dP - delta)      dQ = scale dS K      dK = dS^T (scale Q)
HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

constexpr int64_t k_block_keys = 48;  // of a block: weights and their gradients (2 x 48 x 64 floats) fit L1

struct Room {                   // a task's scratch; lanes are queries, "rows" are padded to whole vectors
  float *dk, *dv;               // [S][D], [S][Dv] rows: sums over all queries of all heads
  float *queries, *query_rows;  // [D][lanes], [lanes][D] rows: scaled
  float *dz, *dz_rows;          // [Dv][lanes], [lanes][Dv] rows
  float* dq;                    // [D][lanes]
  float *weights, *dscores;     // [keys][lanes]
  float *added, *slope;         // the same
  float* rows;                  // [lanes][keys]
  float *lse, *delta;           // [lanes]
};

// How many floats it takes; places them in scratch unless that is null.
int64_t lay_out(const AttentionArgs& args, float* scratch, Room* room) {
  const AttentionShape& shape = args.shape;
  const int64_t d = padded(shape.width), dv = padded(shape.value_width), block = k_block_keys * k_width;
  int64_t used = 0;
  const auto take = [&](int64_t count) {
    float* at = scratch ? scratch + used : nullptr;
    used += (count + 15) / 16 * 16;
    return at;
  };
  room->dk = take(shape.keys * d);
  room->dv = take(shape.keys * dv);
  room->queries = take(d * k_width);
  room->query_rows = take(d * k_width);
  room->dz = take(dv * k_width);
  room->dz_rows = take(dv * k_width);
  room->dq = take(d * k_width);
  room->weights = take(block);
  room->dscores = take(block);
  room->added = take(has_added(args) ? block : 0);
  room->rows = take(has_added(args) ? block : 0);
  room->slope = take(args.softcap > 0 ? block : 0);
  room->lse = take(k_width);
  room->delta = take(k_width);
  return used;
}

// Rows [count][width] to rows padded with zeros, times scale.
void pack_rows(const float* rows, int64_t stride, int64_t count, int64_t width, float scale, float* to) {
  for (int64_t r = 0; r < count; ++r, rows += stride, to += padded(width)) {
    for (int64_t c = 0; c < width; ++c) to[c] = rows[c] * scale;
    std::fill(to + width, to + padded(width), 0.f);
  }
}

// c[key][width] += a[key][lane] b[lane][width] over the block's queries, a 0 where a query does not see.
void add_rows(const QueryBlock& block, int64_t s0, int64_t s1, const float* a, const float* b, int64_t width,
              float* c) {
  const int64_t pitch = padded(width);
  each_stripe(block, s0, s1, [&](int64_t k0, int64_t k1, int v0, int v1) {
    for (int64_t c0 = 0; c0 < pitch; c0 += k_width) {
      TileArgs t{};
      t.k = std::min<int64_t>(v1 * k_lanes, block.count) - v0 * k_lanes;
      t.a = a + (k0 - s0) * block.pitch + v0 * k_lanes;
      t.lda = block.pitch;
      t.b = b + v0 * k_lanes * pitch + c0;
      t.ldb = t.ldc = pitch;
      t.c = c + (k0 - s0) * pitch + c0;
      t.add = true;
      tile_rows(k1 - k0, vecs_for(std::min(k_width, pitch - c0)), false, t);
    }
  });
}

// The same where a hidden 0 would meet NaN: a key takes no part in queries that do not see it.
void add_rows_seen(const QueryBlock& block, int64_t s0, int64_t s1, const float* added, const float* a,
                   const float* b, int64_t width, float* c) {
  const int64_t pitch = padded(width);
  for (int64_t s = s0; s < s1; ++s, a += block.pitch, c += pitch) {
    for (int64_t i = 0; i < block.count; ++i) {
      const bool hidden = added && added[(s - s0) * block.pitch + i] == -k_infinity;
      if (hidden || static_cast<float>(s) < block.low[i] || static_cast<float>(s) >= block.high[i]) continue;
      for (int64_t j = 0; j < pitch; j += k_lanes) {
        const Vec row = hn::LoadU(k_f32, b + i * pitch + j);
        hn::StoreU(hn::MulAdd(set(a[i]), row, hn::LoadU(k_f32, c + j)), k_f32, c + j);
      }
    }
  }
}

// weights: scores to exp(score - lse).  dscores: dP to weights (dP - delta), through the cap.
void weights_and_gradients(const QueryBlock& block, int64_t s0, int64_t s1, const float* added,
                           const Room& room) {
  const AttentionArgs& args = *block.args;
  const bool masked = added || partly_seen(block, s0, s1);
  for (int64_t s = s0; s < s1; ++s) {
    const int64_t row = (s - s0) * block.pitch;
    for (int v = 0; v < block.vecs; ++v) {
      const int64_t at = row + v * k_lanes;
      if (!any_sees(block, v, s)) {
        hn::StoreU(hn::Zero(k_f32), k_f32, room.weights + at);
        hn::StoreU(hn::Zero(k_f32), k_f32, room.dscores + at);
        continue;
      }
      Vec weight =
          exp2(hn::Sub(hn::LoadU(k_f32, room.weights + at), hn::LoadU(k_f32, room.lse + v * k_lanes)));
      Vec gradient = hn::Sub(hn::LoadU(k_f32, room.dscores + at), hn::LoadU(k_f32, room.delta + v * k_lanes));
      gradient = hn::Mul(weight, gradient);
      if (args.softcap > 0) gradient = hn::Mul(gradient, hn::LoadU(k_f32, room.slope + at));
      if (masked) {  // selected, not multiplied: a hidden NaN stays where it is
        const auto seen = sees(block, v, s, added ? added + row : nullptr);
        weight = hn::IfThenElseZero(seen, weight);
        gradient = hn::IfThenElseZero(seen, gradient);
      }
      hn::StoreU(weight, k_f32, room.weights + at);
      hn::StoreU(gradient, k_f32, room.dscores + at);
    }
  }
}

// One block of queries against one block of keys: all five products.
void block_gradients(const QueryBlock& block, int64_t s0, int64_t s1, bool finite, const Room& room) {
  const AttentionArgs& args = *block.args;
  const int64_t keys = s1 - s0, width = args.shape.width, value_width = args.shape.value_width;
  const float* added = nullptr;
  if (has_added(args)) {
    const Added kind = added_block(block, s0, s1, room.rows, room.added);
    if (kind == Added::hidden) return;
    if (kind == Added::some) added = room.added;
  }
  const float *k = static_cast<const float*>(block.k) + s0 * args.k_at.row,
              *v = static_cast<const float*>(block.v) + s0 * args.v_at.row;
  score_block(block, room.queries, s0, s1, k, args.k_at.row, added, room.weights,
              args.softcap > 0 ? room.slope : nullptr);
  key_products(block, s0, s1, v, args.v_at.row, value_width, room.dz, room.dscores);
  weights_and_gradients(block, s0, s1, added, room);

  float *dk = room.dk + s0 * padded(width), *dv = room.dv + s0 * padded(value_width);
  const bool masked = added || partly_seen(block, s0, s1);
  if (masked && !finite) {
    add_rows_seen(block, s0, s1, added, room.weights, room.dz_rows, value_width, dv);
    add_rows_seen(block, s0, s1, added, room.dscores, room.query_rows, width, dk);
  } else {
    add_rows(block, s0, s1, room.weights, room.dz_rows, value_width, dv);
    add_rows(block, s0, s1, room.dscores, room.query_rows, width, dk);
  }

  if (masked && !all_finite(k, args.k_at.row, keys, width)) {
    add_seen(block, s0, s1, k, args.k_at.row, width, room.dscores, added, room.dq);
    return;
  }
  add_keys(block, s0, s1, k, args.k_at.row, width, room.dscores, room.dq);
}

float dot(const float* a, const float* b, int64_t count) {
  Vec sum = hn::Zero(k_f32);
  int64_t i = 0;
  for (; i + k_lanes <= count; i += k_lanes) {
    sum = hn::MulAdd(hn::LoadU(k_f32, a + i), hn::LoadU(k_f32, b + i), sum);
  }
  float total = sum_lanes(sum);
  for (; i < count; ++i) total += a[i] * b[i];
  return total;
}

// A row that saw nothing has lse = -inf: +inf in its place makes all its weights 0, as for lanes beyond
// count.
void load_lse_and_delta(const QueryBlock& block, const float* dz, int64_t dz_row, const Room& room) {
  const AttentionArgs& args = *block.args;
  const AttentionShape& shape = args.shape;
  const float* lse = args.lse + (block.batch * shape.heads + block.head) * shape.queries + block.first;
  const float* z = static_cast<const float*>(args.z) + block.batch * args.z_at.batch +
                   block.first * args.z_at.row + block.head * args.z_at.head;
  for (int64_t i = 0; i < block.pitch; ++i) {
    const bool seen = i < block.count && lse[i] != -k_infinity;
    room.lse[i] = seen ? static_cast<float>(lse[i] * static_cast<double>(k_log2_e)) : k_infinity;
    room.delta[i] = seen ? dot(dz + i * dz_row, z + i * args.z_at.row, shape.value_width) : 0;
  }
}

void query_gradients(const AttentionArgs& args, const AttentionGradients& to, int64_t batch, int64_t head,
                     int64_t first, const Room& room) {
  const AttentionShape& shape = args.shape;
  const QueryBlock block = query_block(args, batch, head, first, shape.queries);
  const float* dz = to.dz + batch * to.dz_at.batch + first * to.dz_at.row + head * to.dz_at.head;
  const float* q = static_cast<const float*>(block.q);
  pack_columns(q, args.q_at.row, block.count, shape.width, query_factor(args), block.pitch, room.queries);
  pack_columns(dz, to.dz_at.row, block.count, shape.value_width, 1, block.pitch, room.dz);
  pack_rows(q, args.q_at.row, block.count, shape.width, args.scale, room.query_rows);
  pack_rows(dz, to.dz_at.row, block.count, shape.value_width, 1, room.dz_rows);
  load_lse_and_delta(block, dz, to.dz_at.row, room);
  const bool finite = all_finite(room.query_rows, padded(shape.width), block.count, shape.width) &&
                      all_finite(room.dz_rows, padded(shape.value_width), block.count, shape.value_width);
  std::fill(room.dq, room.dq + shape.width * block.pitch, 0.f);
  for (int64_t s = block.any_low / k_block_keys * k_block_keys; s < block.any_high; s += k_block_keys) {
    block_gradients(block, std::max(s, block.any_low), std::min(s + k_block_keys, block.any_high), finite,
                    room);
  }
  const Vec scale = set(args.scale);
  for (int64_t i = 0; i < shape.width * block.pitch; i += k_lanes) {
    hn::StoreU(hn::Mul(hn::LoadU(k_f32, room.dq + i), scale), k_f32, room.dq + i);
  }
  float* dq = to.dq + batch * to.dq_at.batch + first * to.dq_at.row + head * to.dq_at.head;
  transpose(shape.width, block.count, room.dq, block.pitch, dq, to.dq_at.row);
}

void copy_rows(const float* from, int64_t rows, int64_t width, float* to, int64_t stride) {
  for (int64_t r = 0; r < rows; ++r) std::copy_n(from + r * padded(width), width, to + r * stride);
}

void backward(const AttentionArgs& args, const AttentionGradients& to, int64_t batch, int64_t key_head,
              float* scratch) {
  const AttentionShape& shape = args.shape;
  Room room;
  lay_out(args, scratch, &room);
  std::fill(room.dk, room.dk + shape.keys * padded(shape.width), 0.f);
  std::fill(room.dv, room.dv + shape.keys * padded(shape.value_width), 0.f);
  const int64_t group = shape.heads / shape.key_heads;
  for (int64_t head = key_head * group; head < (key_head + 1) * group; ++head) {
    for (int64_t first = 0; first < shape.queries; first += k_width) {
      query_gradients(args, to, batch, head, first, room);
    }
  }
  copy_rows(room.dk, shape.keys, shape.width, to.dk + batch * to.dk_at.batch + key_head * to.dk_at.head,
            to.dk_at.row);
  copy_rows(room.dv, shape.keys, shape.value_width, to.dv + batch * to.dv_at.batch + key_head * to.dv_at.head,
            to.dv_at.row);
}

}  // namespace

using BackwardRun = void (*)(const AttentionArgs&, const AttentionGradients&, int64_t, int64_t, float*);

BackwardRun attention_backward_target(const AttentionArgs& args, int64_t* floats) {
  Room room;
  *floats = lay_out(args, nullptr, &room);
  return backward;
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(attention_backward_target);

}  // namespace

AttentionBackward::AttentionBackward(const AttentionArgs& args, const AttentionGradients& gradients)
    : args_(args), gradients_(gradients) {
  choose_isa();
  int64_t floats = 0;
  run_ = HWY_DYNAMIC_DISPATCH(attention_backward_target)(args, &floats);
  scratch_ = static_cast<int64_t>(sizeof(float)) * floats;
}

void AttentionBackward::run(int64_t task, std::byte* scratch) const noexcept {
  run_(args_, gradients_, task / args_.shape.key_heads, task % args_.shape.key_heads,
       reinterpret_cast<float*>(scratch));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE

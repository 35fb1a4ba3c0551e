#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cpp"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/attention-inl.h"
#include "kernels/attention.h"
#include "kernels/isa.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

// Keys of a block: their weights (96 x 64 floats) stay in the first-level cache.  Blocks begin at multiples
// of it, so that a row's sums are grouped the same whatever rows share its block of queries.
constexpr int64_t k_block_keys = 96;

struct Room {                              // a task's scratch
  float *queries, *weights, *bias, *sums;  // [D][lanes], [keys][lanes], the same, [Dv][lanes]
  float *top, *total;                      // [lanes]: largest score so far, sum of exp(score - top)
};

int64_t room_floats(const AttentionArgs& args) {
  return k_width * (args.shape.width + args.shape.value_width + 2 + k_block_keys * (args.bias ? 2 : 1));
}

Room room_in(const AttentionArgs& args, float* scratch) {
  Room room;
  room.queries = scratch;
  room.sums = room.queries + args.shape.width * k_width;
  room.top = room.sums + args.shape.value_width * k_width;
  room.total = room.top + k_width;
  room.weights = room.total + k_width;
  room.bias = room.weights + k_block_keys * k_width;
  return room;
}

// Scores to exp(score - top), top being the largest score of the row so far; what was summed against an
// older top is rescaled.  A lane whose top stays keeps its bits: its factor is exactly 1.
void online_softmax(const QueryBlock& block, int64_t s0, int64_t s1, int64_t value_width, const Room& room) {
  const int64_t pitch = block.pitch, keys = s1 - s0;
  for (int v = 0; v < block.vecs; ++v) {
    float* column = room.weights + v * k_lanes;
    const int64_t begin = std::clamp<int64_t>(block.vec_low[v] - s0, 0, keys);
    const int64_t end = std::clamp<int64_t>(block.vec_high[v] - s0, begin, keys);
    for (int64_t s = 0; s < begin; ++s) hn::StoreU(hn::Zero(k_f32), k_f32, column + s * pitch);
    for (int64_t s = end; s < keys; ++s) hn::StoreU(hn::Zero(k_f32), k_f32, column + s * pitch);
    if (begin == end) continue;
    const Vec old = hn::LoadU(k_f32, room.top + v * k_lanes);
    Vec top = old;
    for (int64_t s = begin; s < end; ++s) top = hn::Max(top, hn::LoadU(k_f32, column + s * pitch));
    // While a lane has seen nothing its top is -inf: 0 in its place, to avoid inf - inf.
    const Vec finite = hn::IfThenZeroElse(hn::Eq(top, set(-k_infinity)), top);
    const Vec factor = exp_weight(hn::Sub(old, finite));
    Vec total = hn::Mul(hn::LoadU(k_f32, room.total + v * k_lanes), factor);
    for (int64_t s = begin; s < end; ++s) {
      const Vec weight = exp_weight(hn::Sub(hn::LoadU(k_f32, column + s * pitch), finite));
      hn::StoreU(weight, k_f32, column + s * pitch);
      total = hn::Add(total, weight);
    }
    hn::StoreU(top, k_f32, room.top + v * k_lanes);
    hn::StoreU(total, k_f32, room.total + v * k_lanes);
    if (hn::AllTrue(k_f32, hn::Eq(factor, set(1.f)))) continue;
    for (int64_t d = 0; d < value_width; ++d) {
      float* sum = room.sums + d * pitch + v * k_lanes;
      hn::StoreU(hn::Mul(hn::LoadU(k_f32, sum), factor), k_f32, sum);
    }
  }
}

// sums += V^T weights over the keys [s0, s1).
void add_values(const QueryBlock& block, int64_t s0, int64_t s1, const Room& room) {
  const AttentionArgs& args = *block.args;
  const float* values = block.v + s0 * args.v_at.row;
  const int64_t width = args.shape.value_width;
  if (partly_masked(block, s0, s1) && !all_finite(values, args.v_at.row, s1 - s0, width)) {
    add_seen(block, s0, s1, values, args.v_at.row, width, room.weights, room.bias, room.sums);
    return;
  }
  add_keys(block, s0, s1, values, args.v_at.row, width, room.weights, room.sums);
}

// z = sums / total, lse = top + log total; 0 and -inf where nothing was seen.
void finish(const QueryBlock& block, const Room& room) {
  const AttentionArgs& args = *block.args;
  const AttentionShape& shape = args.shape;
  const int64_t pitch = block.pitch;
  float* lse = args.lse + (block.batch * shape.heads + block.head) * shape.queries + block.first;
  for (int64_t i = 0; i < block.count; ++i) {
    lse[i] = room.total[i] == 0 ? -k_infinity : room.top[i] + std::log(room.total[i]);
    room.total[i] = room.total[i] == 0 ? 0 : 1 / room.total[i];
  }
  for (int64_t d = 0; d < shape.value_width; ++d) {
    for (int64_t i = 0; i < pitch; i += k_lanes) {
      float* sum = room.sums + d * pitch + i;
      const Vec share = hn::LoadU(k_f32, room.total + i);
      const Vec mean = hn::Mul(hn::LoadU(k_f32, sum), share);
      hn::StoreU(hn::IfThenZeroElse(hn::Eq(share, hn::Zero(k_f32)), mean), k_f32, sum);
    }
  }
  float* z =
      args.z + block.batch * args.z_at.batch + block.first * args.z_at.row + block.head * args.z_at.head;
  transpose(shape.value_width, block.count, room.sums, pitch, z, args.z_at.row);
}

void forward(const AttentionArgs& args, int64_t batch, int64_t head, int64_t first, float* scratch) {
  const AttentionShape& shape = args.shape;
  const QueryBlock block = query_block(args, batch, head, first);
  const Room room = room_in(args, scratch);
  pack_columns(block.q, args.q_at.row, block.count, shape.width, args.scale, block.pitch, room.queries);
  std::fill(room.sums, room.sums + shape.value_width * block.pitch, 0.f);
  std::fill(room.top, room.top + block.pitch, -k_infinity);
  std::fill(room.total, room.total + block.pitch, 0.f);
  for (int64_t s = block.any_low / k_block_keys * k_block_keys; s < block.any_high; s += k_block_keys) {
    const int64_t s0 = std::max(s, block.any_low), s1 = std::min(s + k_block_keys, block.any_high);
    score_block(block, room.queries, s0, s1, room.weights, room.bias, nullptr);
    online_softmax(block, s0, s1, shape.value_width, room);
    add_values(block, s0, s1, room);
  }
  finish(block, room);
}

}  // namespace

using ForwardRun = void (*)(const AttentionArgs&, int64_t, int64_t, int64_t, float*);

ForwardRun attention_forward_target(int64_t* block) {
  *block = k_width;
  return forward;
}

int64_t attention_forward_floats(const AttentionArgs& args) { return room_floats(args); }

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(attention_forward_target);
HWY_EXPORT(attention_forward_floats);

}  // namespace

AttentionForward::AttentionForward(const AttentionArgs& args) : args_(args) {
  choose_isa();
  run_ = HWY_DYNAMIC_DISPATCH(attention_forward_target)(&block_);
  scratch_ = static_cast<int64_t>(sizeof(float)) * HWY_DYNAMIC_DISPATCH(attention_forward_floats)(args_);
  blocks_ = (args_.shape.queries + block_ - 1) / block_;
}

int64_t AttentionForward::tasks() const noexcept { return args_.shape.batch * args_.shape.heads * blocks_; }

void AttentionForward::run(int64_t task, std::byte* scratch) const noexcept {
  // The last queries first: with a causal mask they see most, and long tasks at the end leave threads idle.
  const int64_t heads = args_.shape.batch * args_.shape.heads;
  const int64_t block = blocks_ - 1 - task / heads, item = task % heads;
  run_(args_, item / args_.shape.heads, item % args_.shape.heads, block * block_,
       reinterpret_cast<float*>(scratch));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE

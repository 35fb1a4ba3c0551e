// The second pass of attention's gradient: adds up what its tasks left in parts, in one order.
#include <algorithm>
#include <array>

#include "kernels/attention.h"
#include "kernels/kernel.h"

namespace limpid::kernels {
namespace {

constexpr int64_t k_task_keys = 64;

void store(DType type, float value, void* to, int64_t at) {
  if (type == DType::f32) static_cast<float*>(to)[at] = value;
  if (type == DType::bf16) static_cast<bf16*>(to)[at] = to_bf16(value);
  if (type == DType::f16) static_cast<f16*>(to)[at] = to_f16(value);
}

}  // namespace

AttentionBackwardSums::AttentionBackwardSums(const AttentionBackward& tasks) : pass_(tasks.pass()) {
  const AttentionShape& s = pass_.args.shape;
  blocks_ = (s.keys + k_task_keys - 1) / k_task_keys;
  key_tasks_ = pass_.parts > 1 ? s.batch * s.key_heads * blocks_ : 0;
  head_tasks_ = pass_.to.dsinks || pass_.to.ddistances ? s.heads : 0;
}

int64_t AttentionBackwardSums::work() const noexcept {
  const AttentionShape& s = pass_.args.shape;
  return key_tasks_ * k_task_keys * pass_.parts * (s.width + s.value_width) +
         head_tasks_ * s.batch * (s.queries + pass_.parts * pass_.to.distances);
}

void AttentionBackwardSums::run(int64_t task, std::byte*) const noexcept {
  if (task >= key_tasks_) return add_heads(task - key_tasks_);
  const AttentionGradients& to = pass_.to;
  const int64_t item = task / blocks_, s0 = task % blocks_ * k_task_keys;
  const int64_t s1 = std::min(s0 + k_task_keys, pass_.args.shape.keys);
  const int64_t batch = item / pass_.args.shape.key_heads, head = item % pass_.args.shape.key_heads;
  const auto add = [&](int64_t first, int64_t pitch, int64_t width, void* out, const HeadStrides& at) {
    constexpr int64_t k_strip = 64;
    for (int64_t s = s0; s < s1; ++s) {
      for (int64_t c0 = 0; c0 < width; c0 += k_strip) {
        std::array<float, k_strip> sum{};
        const int64_t count = std::min(k_strip, width - c0);
        for (int64_t part = 0; part < pass_.parts; ++part) {
          const float* from = pass_.key_part(batch, head, part) + first + s * pitch + c0;
          for (int64_t c = 0; c < count; ++c) sum[static_cast<size_t>(c)] += from[c];
        }
        const int64_t row = batch * at.batch + s * at.row + head * at.head + c0;
        for (int64_t c = 0; c < count; ++c) store(to.type, sum[static_cast<size_t>(c)], out, row + c);
      }
    }
  };
  add(0, pass_.key_pitch, pass_.args.shape.width, to.dk, to.dk_at);
  add(pass_.args.shape.keys * pass_.key_pitch, pass_.value_pitch, pass_.args.shape.value_width, to.dv,
      to.dv_at);
}

void AttentionBackwardSums::add_heads(int64_t head) const noexcept {
  const AttentionShape& s = pass_.args.shape;
  const AttentionGradients& to = pass_.to;
  if (to.dsinks) {
    const int64_t count = (s.queries + 63) / 64;
    double sum = 0;
    for (int64_t b = 0; b < s.batch; ++b) {
      for (int64_t i = 0; i < count; ++i) sum += pass_.sink_parts[(b * s.heads + head) * count + i];
    }
    to.dsinks[head] = static_cast<float>(sum);
  }
  if (!to.ddistances) return;
  float* out = to.ddistances + head * pass_.args.distances_head;
  std::fill_n(out, to.distances, 0.f);
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t part = 0; part < pass_.parts; ++part) {
      const float* from = pass_.distance_part(b, head, part);
      for (int64_t i = 0; i < to.distances; ++i) out[i] += from[i];
    }
  }
}

void launch(const AttentionBackward& tasks) {
  launch<AttentionBackward>(tasks);
  const AttentionBackwardSums sums(tasks);
  if (sums.tasks() > 0) launch<AttentionBackwardSums>(sums);
}

}  // namespace limpid::kernels

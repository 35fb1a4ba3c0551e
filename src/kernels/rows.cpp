#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/rows.cpp"
#include "hwy/foreach_target.h"
//
#include <algorithm>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/math-inl.h"
#include "kernels/parts.h"
#include "kernels/rows.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

// Four vectors of columns at once, so that whole lines are read and four sums are on their way.
template <int kVecs>
HWY_INLINE void column_sums_of(const ColumnSums& a, int64_t i) {
  Vec sum[kVecs];
  for (int v = 0; v < kVecs; ++v)
    sum[v] = a.accumulate ? hn::LoadU(k_f32, a.sums + i + v * k_lanes) : hn::Zero(k_f32);
  for (int64_t r = 0; r < a.rows;) {
    Vec block[kVecs];  // of 64 rows: the error grows with rows / 64 + 64, not with rows
    for (int v = 0; v < kVecs; ++v) block[v] = hn::Zero(k_f32);
    for (const int64_t stop = std::min(r + 64, a.rows); r < stop; ++r) {
      const float* x = a.x + r * a.stride + i;
      for (int v = 0; v < kVecs; ++v) {
        hwy::Prefetch(x + 16 * a.stride + v * k_lanes);
        block[v] = hn::Add(block[v], hn::LoadU(k_f32, x + v * k_lanes));
      }
    }
    for (int v = 0; v < kVecs; ++v) sum[v] = hn::Add(sum[v], block[v]);
  }
  for (int v = 0; v < kVecs; ++v) hn::StoreU(sum[v], k_f32, a.sums + i + v * k_lanes);
}

void column_sums(const ColumnSums& a, int64_t begin, int64_t end) {
  for (; begin + 8 * k_lanes <= end; begin += 8 * k_lanes) column_sums_of<8>(a, begin);
  for (; begin + 4 * k_lanes <= end; begin += 4 * k_lanes) column_sums_of<4>(a, begin);
  for (int64_t i = begin; i < end; i += k_lanes) {
    const int64_t n = end - i;
    Vec sum = a.accumulate ? load(a.sums + i, n) : hn::Zero(k_f32);
    for (int64_t r = 0; r < a.rows;) {
      Vec block = hn::Zero(k_f32);  // of 64 rows: the error grows with rows / 64 + 64, not with rows
      for (const int64_t stop = std::min(r + 64, a.rows); r < stop; ++r) {
        block = hn::Add(block, load(a.x + r * a.stride + i, n));
      }
      sum = hn::Add(sum, block);
    }
    store(sum, a.sums + i, n);
  }
}

void gather_gradient(const GatherGradient& a, int64_t begin, int64_t end) {
  if (!a.accumulate) {
    for (int64_t e = 0; e < a.entries; ++e)
      std::fill(a.table + e * a.width + begin, a.table + e * a.width + end, 0.f);
  }
  for (int64_t r = 0; r < a.rows; ++r) {
    float* to = a.table + a.ids[r] * a.width;
    const float* from = a.dy + r * a.width;
    for (int64_t i = begin; i < end; i += k_lanes) {
      store(hn::Add(load(to + i, end - i), load(from + i, end - i)), to + i, end - i);
    }
  }
}

namespace {

void turn_halves(const float* x, float* y, int64_t pairs, const float* cos, const float* sin, Vec direction) {
  for (int64_t i = 0; i < pairs; i += k_lanes) {
    const int64_t n = pairs - i;
    const Vec c = load(cos + i, n), s = hn::Mul(direction, load(sin + i, n));
    const Vec x1 = load(x + i, n), x2 = load(x + pairs + i, n);
    store(hn::Sub(hn::Mul(x1, c), hn::Mul(x2, s)), y + i, n);
    store(hn::Add(hn::Mul(x2, c), hn::Mul(x1, s)), y + pairs + i, n);
  }
}

void turn_interleaved(const float* x, float* y, int64_t pairs, const float* cos, const float* sin,
                      float direction) {
  for (int64_t i = 0; i < pairs; ++i) {
    const float x1 = x[2 * i], x2 = x[2 * i + 1], c = cos[i], s = direction * sin[i];
    y[2 * i] = x1 * c - x2 * s;
    y[2 * i + 1] = x2 * c + x1 * s;
  }
}

}  // namespace

void rotary(const Rotary& a, int64_t b, int64_t begin, int64_t end) {
  const float direction = a.back ? -1.f : 1.f;
  for (int64_t t = begin; t < end; ++t) {
    const int64_t position = a.positions ? a.positions[b * a.rows + t] : a.first + t;
    const float *cos = a.cos + position * a.pairs, *sin = a.sin + position * a.pairs;
    for (int64_t h = 0; h < a.heads; ++h) {
      const float* x = a.x + b * a.x_at.batch + t * a.x_at.row + h * a.x_at.head;
      float* y = a.y + b * a.y_at.batch + t * a.y_at.row + h * a.y_at.head;
      if (a.interleaved) {
        turn_interleaved(x, y, a.pairs, cos, sin, direction);
      } else {
        turn_halves(x, y, a.pairs, cos, sin, set(direction));
      }
      if (x != y) std::copy(x + 2 * a.pairs, x + a.width, y + 2 * a.pairs);
    }
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(column_sums);
HWY_EXPORT(gather_gradient);
HWY_EXPORT(rotary);

constexpr int64_t k_strip = 128;  // columns of a task
constexpr int64_t k_block = 32;   // rows of a task

}  // namespace

int64_t ColumnSums::tasks() const noexcept { return parts(width, k_strip); }
void ColumnSums::run(int64_t task, std::byte*) const noexcept {
  HWY_DYNAMIC_DISPATCH(column_sums)(*this, task * k_strip, std::min((task + 1) * k_strip, width));
}

int64_t Gather::tasks() const noexcept { return parts(rows, k_block); }
void Gather::run(int64_t task, std::byte*) const noexcept {
  for (int64_t r = task * k_block; r < std::min((task + 1) * k_block, rows); ++r) {
    std::copy_n(table + ids[r] * width, width, y + r * width);
  }
}

int64_t GatherGradient::tasks() const noexcept { return parts(width, k_strip); }
void GatherGradient::run(int64_t task, std::byte*) const noexcept {
  HWY_DYNAMIC_DISPATCH(gather_gradient)(*this, task * k_strip, std::min((task + 1) * k_strip, width));
}

int64_t Rotary::tasks() const noexcept { return batch * parts(rows, k_block); }
void Rotary::run(int64_t task, std::byte*) const noexcept {
  const int64_t blocks = parts(rows, k_block), begin = task % blocks * k_block;
  HWY_DYNAMIC_DISPATCH(rotary)(*this, task / blocks, begin, std::min(begin + k_block, rows));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE

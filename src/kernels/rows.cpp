#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/rows.cpp"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <vector>

#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/kernel.h"
#include "kernels/math-inl.h"
#include "kernels/parts.h"
#include "kernels/rows.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

// Sums of many rows by blocks, and of blocks of blocks: a chain has 64 terms at most up to 262,144 rows, so
// that the error does not grow with their number.
constexpr int64_t k_sum_rows = 64, k_sum_blocks = 64 * k_sum_rows;

// row(r): the address of the r'th row, at the first of kVecs vectors of columns.
template <int kVecs, class Row>
HWY_INLINE void sum_rows(int64_t rows, Row row, Vec* sum) {
  for (int64_t r = 0; r < rows;) {
    Vec blocks[kVecs];
    for (int v = 0; v < kVecs; ++v) blocks[v] = hn::Zero(k_f32);
    for (const int64_t end = std::min(r + k_sum_blocks, rows); r < end;) {
      Vec block[kVecs];
      for (int v = 0; v < kVecs; ++v) block[v] = hn::Zero(k_f32);
      for (const int64_t stop = std::min(r + k_sum_rows, end); r < stop; ++r) {
        for (int v = 0; v < kVecs; ++v) block[v] = hn::Add(block[v], row(r, v));
      }
      for (int v = 0; v < kVecs; ++v) blocks[v] = hn::Add(blocks[v], block[v]);
    }
    for (int v = 0; v < kVecs; ++v) sum[v] = hn::Add(sum[v], blocks[v]);
  }
}

// Several vectors of columns at once, so that whole lines are read and several sums are on their way.
template <int kVecs>
HWY_INLINE void column_sums_of(const ColumnSums& a, int64_t i) {
  Vec sum[kVecs];
  for (int v = 0; v < kVecs; ++v)
    sum[v] = a.accumulate ? hn::LoadU(k_f32, a.sums + i + v * k_lanes) : hn::Zero(k_f32);
  const auto row = [&](int64_t r, int v) {
    const float* x = a.x + r * a.stride + i + v * k_lanes;
    hwy::Prefetch(x + 16 * a.stride);
    return hn::LoadU(k_f32, x);
  };
  sum_rows<kVecs>(a.rows, row, sum);
  for (int v = 0; v < kVecs; ++v) hn::StoreU(sum[v], k_f32, a.sums + i + v * k_lanes);
}

void column_sums(const ColumnSums& a, int64_t begin, int64_t end) {
  for (; begin + 8 * k_lanes <= end; begin += 8 * k_lanes) column_sums_of<8>(a, begin);
  for (; begin + 4 * k_lanes <= end; begin += 4 * k_lanes) column_sums_of<4>(a, begin);
  for (int64_t i = begin; i < end; i += k_lanes) {
    const int64_t n = end - i;
    Vec sum = a.accumulate ? load(a.sums + i, n) : hn::Zero(k_f32);
    sum_rows<1>(a.rows, [&](int64_t r, int) { return load(a.x + r * a.stride + i, n); }, &sum);
    store(sum, a.sums + i, n);
  }
}

void gather_gradient(const GatherGradient& a, int64_t begin, int64_t end) {
  for (int64_t e = 0; e < a.entries; ++e) {
    const int64_t* const rows = a.order + a.starts[e];
    const int64_t count = a.starts[e + 1] - a.starts[e];
    float* const to = a.table + e * a.width;
    if (count == 0) {
      std::fill(to + begin, to + end, 0.f);
      continue;
    }
    for (int64_t i = begin; i < end; i += k_lanes) {
      const int64_t n = end - i;
      Vec sum = hn::Zero(k_f32);
      sum_rows<1>(count, [&](int64_t r, int) { return load(a.dy + rows[r] * a.width + i, n); }, &sum);
      store(sum, to + i, n);
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

void gather_gradient(GatherGradient args, const int64_t* ids) {
  std::vector<int64_t> starts(static_cast<size_t>(args.entries) + 1), order(static_cast<size_t>(args.rows));
  for (int64_t r = 0; r < args.rows; ++r) ++starts[static_cast<size_t>(ids[r]) + 1];
  for (size_t e = 1; e < starts.size(); ++e) starts[e] += starts[e - 1];
  std::vector<int64_t> next = starts;
  for (int64_t r = 0; r < args.rows; ++r) {
    int64_t& place = next[static_cast<size_t>(ids[r])];
    order[static_cast<size_t>(place++)] = r;
  }
  args.order = order.data();
  args.starts = starts.data();
  launch(args);
}

int64_t Rotary::tasks() const noexcept { return batch * parts(rows, k_block); }
void Rotary::run(int64_t task, std::byte*) const noexcept {
  const int64_t blocks = parts(rows, k_block), begin = task % blocks * k_block;
  HWY_DYNAMIC_DISPATCH(rotary)(*this, task / blocks, begin, std::min(begin + k_block, rows));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE

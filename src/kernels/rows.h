// Rows gathered, added up, and turned: embedding, column sums, rotary positions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attention.h"

namespace limpid::kernels {

/// sums[j] = sum over r of x[r, j]: a bias's gradient.  Rows are summed in order, in blocks of 64.  A kernel
/// (kernel.h); a task is a strip of columns.
struct ColumnSums {
  const float* x = nullptr;  // [rows, width], rows `stride` apart
  float* sums = nullptr;     // [width]
  int64_t rows = 0, width = 0, stride = 0;
  bool accumulate = false;  // to what sums held

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return rows * width; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

/// y[r] = table[ids[r]].
struct Gather {
  const float* table = nullptr;  // [entries, width]
  const int64_t* ids = nullptr;  // [rows], in [0, entries)
  float* y = nullptr;            // [rows, width]
  int64_t rows = 0, width = 0;

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return rows * width; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

/// table[i] = sum of dy[r] over the rows with ids[r] = i, in the order of r: Gather's gradient.
struct GatherGradient {
  const float* dy = nullptr;     // [rows, width]
  const int64_t* ids = nullptr;  // [rows], in [0, entries)
  float* table = nullptr;        // [entries, width]
  int64_t rows = 0, width = 0, entries = 0;
  bool accumulate = false;  // to what the table held

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return rows * width; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

/// Rotary positions (Su et al. 2021): pair i of a head, (x1, x2), becomes (x1 c - x2 s, x2 c + x1 s) with
/// c = cos[p, i], s = sin[p, i], p the row's position; numbers beyond the pairs pass.  y may be x.
struct Rotary {
  const float* x = nullptr;  // [batch, rows, heads, width]
  float* y = nullptr;
  HeadStrides x_at, y_at;
  const float *cos = nullptr, *sin = nullptr;  // [positions, pairs]
  const int64_t* positions = nullptr;          // [batch, rows]; none: row t is position first + t
  int64_t first = 0;
  int64_t batch = 0, rows = 0, heads = 0, width = 0, pairs = 0;  // 2 pairs <= width
  bool interleaved = false;  // pair i is (2i, 2i + 1), else (i, i + pairs)
  bool back = false;         // turns the other way: the gradient

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return 8 * batch * rows * heads * pairs; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

}  // namespace limpid::kernels

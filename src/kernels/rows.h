// Rows gathered, added up, and turned: embedding, column sums, rotary positions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attention.h"

namespace limpid::kernels {

/// sums[j] = sum over r of x[r, j]: a bias's gradient.  Rows are summed in order, in blocks of 64 and
/// blocks of 64 blocks.  A kernel (kernel.h); a task is a strip of columns.
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

/// table[e] = sum of dy[r] over the rows that belong to entry e, in the order given: Gather's gradient.
/// Summed as ColumnSums does.
struct GatherGradient {
  const float* dy = nullptr;        // [rows, width]
  float* table = nullptr;           // [entries, width]
  const int64_t* order = nullptr;   // [rows]: the rows of entry 0, of entry 1, ...
  const int64_t* starts = nullptr;  // [entries + 1]: where each entry's begin
  int64_t rows = 0, width = 0, entries = 0;

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return rows * width; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

/// Runs it for rows that belong to the entries ids[rows], in [0, entries), each entry's in the order of rows.
/// args.order and args.starts are not used.
void gather_gradient(GatherGradient args, const int64_t* ids);

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

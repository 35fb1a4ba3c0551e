// Numbers of 32 bits in 16, and back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attention.h"

namespace limpid::kernels {

/// to[b, r, h, i] = from[b, r, h, i]: of f32 the nearest bf16, ties to even (NaN stays NaN), or of bf16 the
/// same number in f32.  A kernel (kernel.h).  The numbers of a head lie side by side; `to` shares no byte
/// with `from`.
struct Narrow {
  bool back = false;           // bf16 -> f32
  const void* from = nullptr;  // [batch, rows, heads, width]
  void* to = nullptr;
  HeadStrides from_at, to_at;
  int64_t batch = 0, rows = 0, heads = 0, width = 0;

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return 2 * batch * rows * heads * width; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

}  // namespace limpid::kernels

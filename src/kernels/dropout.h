// Dropout: numbers are kept, or set to 0, by the counter-based generator.
#pragma once

#include <cstddef>
#include <cstdint>

namespace limpid::kernels {

/// y[i] = factor x[i] where uniform(seed, stream, step, first + i) >= rate (limpid/random.h), else 0 with x's
/// sign.  A kernel (kernel.h).  y may be x.
struct Dropout {
  const float* x = nullptr;
  float* y = nullptr;
  int64_t first = 0;  // numbers of the stream that stand before x
  int64_t count = 0;
  double rate = 0;
  float factor = 1;
  uint64_t seed = 0;
  uint32_t stream = 0, step = 0;

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return 16 * count; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

}  // namespace limpid::kernels

// What a training step does to parameters: AdamW (Loshchilov, Hutter 2019) and the norm for clipping.
#pragma once

#include <cstddef>
#include <cstdint>

namespace limpid::kernels {

/// One step, in place:
///   g = gradient_scale * gradient;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
///   p = p (1 - rate decay) - rate (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon)
/// A kernel (kernel.h).
struct AdamW {
  float *parameters = nullptr, *m = nullptr, *v = nullptr;  // [count]
  const float* gradients = nullptr;                         // [count]
  int64_t count = 0;
  float rate = 1e-3f, beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f, decay = 0;
  float gradient_scale = 1;  // below 1 to clip
  int64_t step = 1;          // counted from 1

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return 16 * count; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

/// The sum of x[i]^2, in double, in an order fixed by count.
double sum_of_squares(const float* x, int64_t count);

}  // namespace limpid::kernels

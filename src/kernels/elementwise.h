// Functions of numbers at the same place: activations, their gradients, sums and products.
#pragma once

#include <cstddef>
#include <cstdint>

namespace limpid::kernels {

/// out[i] = f(a[i], b[i]).  A gradient takes the output's gradient as a.  Errors are those of math-inl.h.
enum class Function {
  add,                 // alpha a + beta b
  multiply,            // a b
  scale,               // alpha a
  gelu,                // a Phi(a), Phi the normal distribution's cumulative function (erf)
  gelu_gradient,       // of gelu at b
  gelu_tanh,           // GPT-2's approximation: a / (1 + exp(-2u)), u = sqrt(2 / pi) (a + 0.044715 a^3)
  gelu_tanh_gradient,  // at b
  relu,                // max(a, 0)
  relu_gradient,       // at b: a where b > 0
  silu,                // a / (1 + exp(-a))
  silu_gradient,       // at b
  tanh,
  tanh_gradient,  // b is tanh's output
  exp,
};

/// A kernel (kernel.h).  out may be a or b.
struct Elementwise {
  Function function = Function::add;
  const float* a = nullptr;
  const float* b = nullptr;  // where the function has two arguments
  float* out = nullptr;
  int64_t count = 0;
  float alpha = 1, beta = 1;

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return 8 * count; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

}  // namespace limpid::kernels

// Layer norm and RMS norm over rows of `width` numbers, and their gradients.
//   layer: n = (x - mean) / scale, scale = sqrt(var + epsilon)     (Ba, Kiros, Hinton 2016)
//   RMS:   n = x / scale,          scale = sqrt(mean(x^2) + epsilon)  (Zhang, Sennrich 2019)
//   y = n w + b
#pragma once

#include <cstddef>
#include <cstdint>

namespace limpid::kernels {

enum class Norm { layer, rms };

/// A kernel (kernel.h).  y may be x.
struct NormForward {
  Norm norm = Norm::layer;
  const float* x = nullptr;                // [rows, width]
  const float *w = nullptr, *b = nullptr;  // [width], or none
  float* y = nullptr;                      // [rows, width]
  float* scale = nullptr;                  // [rows]
  int64_t rows = 0, width = 0;
  float epsilon = 1e-5f;

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return 4 * rows * width; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

/// With g = dy w:  dx = (g - mean(g) - n mean(g n)) / scale (RMS: without mean(g)), and for every block of
/// rows its share of dw = sum dy n and db = sum dy.  A kernel; norm_gradient below adds up the shares.
struct NormGradient {
  Norm norm = Norm::layer;
  const float *x = nullptr, *dy = nullptr;  // [rows, width]
  const float* scale = nullptr;             // [rows], of the forward pass
  const float* w = nullptr;                 // [width], or none
  float* dx = nullptr;                      // [rows, width]; may be dy
  float *dw = nullptr, *db = nullptr;       // [tasks, width] each, or none
  int64_t rows = 0, width = 0;
  const float* residual = nullptr;  // [rows, width], or none: added to dx; apart from it

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return 8 * rows * width; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

/// Runs it, and writes dw [width] and db [width] (each if not null), rows summed in an order fixed by the
/// shape.  args.dw and args.db are not used.
void norm_gradient(NormGradient args, float* dw, float* db);

}  // namespace limpid::kernels

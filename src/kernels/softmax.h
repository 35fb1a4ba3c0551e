// Softmax, log-softmax and cross-entropy over rows of `width` numbers, and their gradients.
#pragma once

#include <cstddef>
#include <cstdint>

namespace limpid::kernels {

/// y = exp(x - lse), or x - lse with `log`; lse = log sum exp x.  The row's largest number and the log of the
/// sum that is relative to it are kept apart until the end: their sum would lose the digits of a small
/// difference of large numbers.  A row of -inf alone gives weights 0 and lse -inf.  A NaN makes its row NaN,
/// but for the weights of -inf, which stay 0: what is hidden is not touched.  A kernel (kernel.h).
struct Softmax {
  const float* x = nullptr;  // [rows, width]
  float* y = nullptr;        // [rows, width], apart from x
  float* lse = nullptr;      // [rows], or none
  int64_t rows = 0, width = 0;
  bool log = false;

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return 12 * rows * width; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

/// dx = y (dy - sum dy y); with `log`: dx = dy - exp(y) sum dy.  dx may be dy.
struct SoftmaxGradient {
  const float *y = nullptr, *dy = nullptr;  // [rows, width]
  float* dx = nullptr;                      // [rows, width]
  int64_t rows = 0, width = 0;
  bool log = false;

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return 4 * rows * width; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

/// loss[r] = log sum exp logits[r] - logits[r, target[r]], 0 where the target is negative: that row does not
/// count.  With `smoothing` e: log sum exp logits[r] - (1 - e) logits[r, target[r]] - e mean of logits[r].
struct CrossEntropy {
  const float* logits = nullptr;     // [rows, width]
  const int64_t* targets = nullptr;  // [rows], below width
  float* loss = nullptr;             // [rows], in nats
  // [rows] each, or none: the largest logit, and the sum of exp(logit - largest).  What the gradient reads.
  float *largest = nullptr, *total = nullptr;
  float* hit = nullptr;  // [rows], or none: 1 where no logit is above the target's, else 0
  int64_t rows = 0, width = 0;
  double smoothing = 0;

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return 12 * rows * width; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

/// dlogits = (softmax(logits) - (1 - smoothing) onehot(target) - smoothing / width) scale, 0 in rows that do
/// not count.  dlogits may be logits.
struct CrossEntropyGradient {
  const float* logits = nullptr;                     // [rows, width]
  const int64_t* targets = nullptr;                  // [rows]
  const float *largest = nullptr, *total = nullptr;  // [rows] each, of the forward pass
  float* dlogits = nullptr;                          // [rows, width]
  float scale = 1;                                   // the loss's gradient over the number of rows that count
  int64_t rows = 0, width = 0;
  double smoothing = 0;

  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return 12 * rows * width; }
  void run(int64_t task, std::byte* scratch) const noexcept;
};

}  // namespace limpid::kernels

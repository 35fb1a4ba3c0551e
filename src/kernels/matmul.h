// The product of matrices: C[M,N] = A[M,K] B[K,N] (+ what C holds) (+ bias[N]), f32, one or a batch of them.
//
// Every cell is one chain of fused multiply-adds over k = 0..K-1 in order (then its bias): its bits depend on
// K and on its own row of A and column of B alone, not on M, N, the strides, the batch or the threads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace limpid::kernels {

struct MatmulArgs {
  const float* a = nullptr;     // [M,K], rows lda apart; transpose_a: stored [K,M]
  const float* b = nullptr;     // [K,N], rows ldb apart; transpose_b: stored [N,K]
  float* c = nullptr;           // [M,N], rows ldc apart; overlaps neither a nor b
  const float* bias = nullptr;  // [N], or none
  int64_t m = 0, n = 0, k = 0;  // each 0 or more; with k = 0 the product is 0
  int64_t lda = 0, ldb = 0, ldc = 0;
  bool transpose_a = false, transpose_b = false;
  bool accumulate = false;  // C += ...; else what C held is not read
  int64_t batch = 1;        // that many products, their operands so far apart (0: the same one):
  int64_t batch_a = 0, batch_b = 0, batch_c = 0;
};

/// A planned product: a kernel as kernel.h says.  Keeps the instruction set in use when it was built.
class Matmul {
 public:
  explicit Matmul(const MatmulArgs& args);

  int64_t tasks() const noexcept { return args_.batch * blocks_m_ * blocks_n_; }
  int64_t scratch() const noexcept { return scratch_; }
  int64_t work() const noexcept { return args_.batch * args_.m * args_.n * args_.k; }
  void run(int64_t task, std::byte* scratch) const noexcept;

  /// One task's part of C.
  struct Block {
    const float *a, *b, *bias;
    float* c;
    int64_t m, n, k, lda, ldb, ldc, step_k, pitch_a;
    bool transpose_a, transpose_b, accumulate;
  };
  using Run = void (*)(const Block& block, float* scratch);

 private:
  void divide();

  MatmulArgs args_;
  Run run_;
  int64_t lanes_, width_, step_k_, pitch_a_ = 0;
  int64_t block_m_ = 0, block_n_ = 0, blocks_m_ = 0, blocks_n_ = 0, scratch_ = 0;
};

}  // namespace limpid::kernels

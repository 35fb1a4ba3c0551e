// The product of matrices: C[M,N] = A[M,K] B[K,N] (+ what C holds) (+ bias[N]), then an activation, then a
// residual added; f32 with f32 or 16-bit B or one in blocks of 8 or 4 bits,
// one product or a batch of them.
//
// Every cell is a chain of fused multiply-adds over each step of some 1,024 of k = 0..K-1, in order, and the
// sum of the steps (then its bias, and so on): its bits depend on K and on its own row of A and column of B
// alone, not on M, N, the strides, the batch or the threads, nor on how the operands lie in memory.  Steps
// keep the error of a long sum from growing with K.
#pragma once

#include <cstddef>
#include <cstdint>

#include "limpid/stored.h"
#include "limpid/tensor.h"

namespace limpid::kernels {

/// A matrix cut into heads, as attention likes its rows: element (r, c) lies at
///   (r / rows) rows_apart + (r % rows) ld + (c / columns) columns_apart + c % columns.
/// [B,H,T,D] taken as the matrix [B T, H D]: ld = D, rows = T, rows_apart = H T D, columns = D, columns_apart
/// = T D. rows = 0 (columns = 0): not cut that way.
struct Heads {
  int64_t rows = 0, rows_apart = 0;
  int64_t columns = 0, columns_apart = 0;
};

/// What C's cells go through after sum and bias; the functions, and their bits, are those of elementwise.h.
enum class Activation { none, relu, gelu, gelu_tanh, silu, tanh };

struct MatmulArgs {
  const float* a = nullptr;     // [M,K], rows lda apart; transpose_a: stored [K,M]
  const void* b = nullptr;      // [K,N], rows ldb apart; transpose_b: stored [N,K]
  float* c = nullptr;           // [M,N], rows ldc apart; overlaps neither a nor b
  const float* bias = nullptr;  // [N], or none
  int64_t m = 0, n = 0, k = 0;  // each 0 or more; with k = 0 the product is 0
  int64_t lda = 0, ldb = 0, ldc = 0;
  bool transpose_a = false, transpose_b = false;
  bool accumulate = false;  // C += ...; else what C held is not read
  int64_t batch = 1;        // that many products, their operands so far apart (0: the same one):
  int64_t batch_a = 0, batch_b = 0, batch_c = 0;

  DType b_type = DType::f32;  // or bf16, f16: converted as they are read, exactly; sums are f32
  // Or blocks, expanded as they are read: then transpose_b, K is a multiple of a block's numbers, ldb and
  // batch_b are in bytes, and B is not cut into heads.
  BlockType b_blocks = BlockType::none;
  Heads a_heads, b_heads;  // of A and B as they are stored (with transpose_a: K is A's rows)
  Heads c_heads;

  Activation activation = Activation::none;
  const float* gradient_at = nullptr;  // [M,N], or none: the activation's gradient there times the cell,
                                       // in place of the activation (of tanh: its output)
  float* before = nullptr;             // [M,N], or none: also keeps what the activation is applied to
  const float* residual = nullptr;     // [M,N], or none: added last
  // Of each; a batch's are batch_c apart; none is cut into heads.
  int64_t ld_gradient_at = 0, ld_before = 0, ld_residual = 0;
};

/// A planned product: a kernel as kernel.h says.  Keeps the instruction set in use when it was built.
class Matmul {
 public:
  explicit Matmul(const MatmulArgs& args);

  int64_t tasks() const noexcept { return args_.batch * blocks_m_ * blocks_n_; }
  int64_t scratch() const noexcept { return scratch_; }
  int64_t work() const noexcept { return args_.batch * args_.m * args_.n * args_.k; }
  void run(int64_t task, std::byte* scratch) const noexcept;
  /// All tasks, by one thread and so as few and large ones: A and B are packed but once, and of a product of
  /// one row B's rows are read in longer pieces.  No bit of C depends on it.  Of a long K, whose rows of A
  /// lie far apart, it pays too, or costs little (time in one go to time divided, one thread, best of some 20
  /// rounds, AVX-512 and AVX2: 1024 x 768 x 3072 0.98 and 0.97, A transposed 0.82 and 0.96; 2048 x 2048 x
  /// 2048 0.97 and 0.99; 256 x 256 x 16384 0.97 and 0.94; 16 x 4096 x 4096 1.00 and 1.00; at worst 64 x 4096
  /// x 4096 with B transposed, 1.03 and 1.03); so does one row (1 x 50304 x 768 0.98 and 0.78).
  void run_all(std::byte* scratch) const noexcept;

  /// One task's part of C: rows [m0, m0 + m), columns [n0, n0 + n) of one product of the batch.
  struct Block {
    int64_t item, m0, m, n0, n;
    int64_t step_k, panel;            // so much of K and so many columns at once
    int64_t next_item, next_n0;       // where the next task begins in B
    bool pack_a, thin, by_rows, far;  // far: B comes from memory, not from a cache
  };
  /// What an instruction set brings: its code, and the sizes that its registers and caches like.
  struct Target {
    void (*run)(const MatmulArgs& args, const Block& block, float* scratch);
    int64_t rows, width;  // of a register tile, of a panel of B
    int64_t step_k;       // so much of K at once
    int64_t row_group;    // rows of a transposed B at once, for few rows of C
  };

 private:
  void divide();
  bool pack_a() const;
  bool thin() const;
  bool by_rows() const;

  MatmulArgs args_;
  Target target_{};
  bool far_ = true;
  int64_t step_k_ = 1, panel_ = 1, block_m_ = 0, block_n_ = 0, whole_m_ = 0, whole_n_ = 0, blocks_m_ = 0,
          blocks_n_ = 0, scratch_ = 0;
};

/// A product of few rows goes a way of its own: of so many where B is large and memory is waited for in any
/// case, and of so many elsewhere.
constexpr int64_t k_most_thin = 16, k_few_thin = 8;

/// Few rows of C while they are summed up: how far apart they lie, and the numbers of scratch they need.
constexpr int64_t thin_pitch(int64_t columns) { return (columns + 1023) / 1024 * 1024 + 32; }
constexpr int64_t thin_scratch(int64_t rows, int64_t columns) { return rows * thin_pitch(columns) + 1024; }

}  // namespace limpid::kernels

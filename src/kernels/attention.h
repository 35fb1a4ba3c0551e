// Fused attention in f32: weights = softmax(mask(softcap(q . k * scale) + ALiBi + bias)), z = weights v, and
// its gradient, in memory that grows with T (law 5): blocks of queries pass over blocks of keys, the softmax
// is kept online (Milakov and Gimelshein 2018; Dao et al. 2022), the gradient rebuilds every weight from lse.
//
// Row t of batch b has position p = first_query + t among the keys and sees key s where
//   s < length, and with `causal` s <= p, and with `window` s > p - window, and its bias is not -inf.
// What it cannot see does not touch it, NaN and infinity included.  A row that sees nothing gives z = 0 and
// lse = -inf.  A row's bits depend on the row and on the keys and values it sees alone (law 3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace limpid::kernels {

/// Floats between neighbours along batch, row (t or s) and head; the innermost axis is contiguous.
struct HeadStrides {
  int64_t batch = 0, row = 0, head = 0;
};

struct AttentionShape {
  int64_t batch = 0, queries = 0, keys = 0;  // B, T, S: each 0 or more
  int64_t heads = 0, key_heads = 0;          // H, a multiple of G
  int64_t width = 0, value_width = 0;        // D of q and k, Dv of v and z
};

struct AttentionArgs {
  AttentionShape shape;
  const float *q = nullptr, *k = nullptr, *v = nullptr;  // [B,T,H,D], [B,S,G,D], [B,S,G,Dv]
  HeadStrides q_at, k_at, v_at;
  float scale = 1;
  float softcap = 0;  // 0: none; else scores become softcap * tanh(scores / softcap)

  bool causal = false;
  int64_t window = 0;                      // 0: none
  std::optional<int64_t> first_query;      // position of query 0 among the keys; by default S - T
  const int64_t* first_queries = nullptr;  // [B], in place of first_query
  const int64_t* key_lengths = nullptr;    // [B], in [0, S]; none: S
  const float* slopes = nullptr;           // [H], ALiBi: adds -slope * (p - s)
  const float* bias = nullptr;             // [B,H,T,S], S contiguous, added to the scores
  int64_t bias_batch = 0, bias_head = 0, bias_row = 0;  // its strides; 0 where it is the same for all

  float* z = nullptr;  // [B,T,H,Dv]; the gradient reads it
  HeadStrides z_at;
  float* lse = nullptr;  // [B,H,T], contiguous: log sum exp of each row's scores; the gradient reads it
};

/// Multiply-adds of a forward pass without a mask.
inline int64_t attention_work(const AttentionShape& s) {
  return s.batch * s.heads * s.queries * s.keys * (s.width + s.value_width);
}

/// z and lse from q, k, v.  A kernel (kernel.h); a task is one block of one head's queries.
class AttentionForward {
 public:
  explicit AttentionForward(const AttentionArgs& args);
  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return scratch_; }
  int64_t work() const noexcept { return attention_work(args_.shape); }
  void run(int64_t task, std::byte* scratch) const noexcept;

 private:
  AttentionArgs args_;
  int64_t block_, blocks_, scratch_;  // queries a task has, tasks a head has, bytes
  void (*run_)(const AttentionArgs&, int64_t batch, int64_t head, int64_t first, float* scratch);
};

struct AttentionGradients {
  const float* dz = nullptr;  // [B,T,H,Dv]
  HeadStrides dz_at;
  float *dq = nullptr, *dk = nullptr, *dv = nullptr;  // as q, k, v; written, not added to
  HeadStrides dq_at, dk_at, dv_at;
};

/// dq, dk, dv from q, k, v, z, lse and dz.  One task owns a key head with all its query heads: no atomics.
class AttentionBackward {
 public:
  AttentionBackward(const AttentionArgs& args, const AttentionGradients& gradients);
  int64_t tasks() const noexcept { return args_.shape.batch * args_.shape.key_heads; }
  int64_t scratch() const noexcept { return scratch_; }
  int64_t work() const noexcept { return attention_work(args_.shape); }
  void run(int64_t task, std::byte* scratch) const noexcept;

 private:
  AttentionArgs args_;
  AttentionGradients gradients_;
  int64_t scratch_;
  void (*run_)(const AttentionArgs&, const AttentionGradients&, int64_t batch, int64_t key_head,
               float* scratch);
};

}  // namespace limpid::kernels

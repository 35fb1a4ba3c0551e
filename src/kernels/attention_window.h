// Attention's T x S stages, looked at after the pass: any window of them is rebuilt from q, k and lse, and of
// their gradients from v, dz and delta too.  Nothing of size T x S is kept anywhere (law 5), and nothing that
// the forward or backward pass writes changes.
//
// A cell has the same bits in every window and at any thread count, and those of AttentionObservation's
// largest weights:
//
//   raw_scores[t,s]    = q[t].k[s]                       one chain of fused multiply-adds over d, in order
//   scaled_scores      = (scale q[t]).k[s], a chain like it: the bits that weights are made of
//   capped_scores      = softcap tanh(scaled_scores / softcap), or scaled_scores where there is no cap
//   scores             = capped_scores + bias - slope (p - s) + distances[p - s]; -inf where hidden
//   pattern            = e^((scores - lse) - lse_rest); 0 where hidden.  Before dropout.
//   pattern.grad       = drop dz[t].v[s]                 whatever is hidden, as the plain stages have it
//   scores.grad        = pattern (pattern.grad - delta), delta[t] = dz[t].z[t]      (Dao et al. 2022, B.4)
//   capped_scores.grad = scores.grad
//   scaled_scores.grad = scores.grad (1 - tanh^2)
//   raw_scores.grad    = scale scaled_scores.grad        these four are 0 where hidden
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/attention.h"

namespace limpid::kernels {

enum class AttentionStage { raw_scores, scaled_scores, capped_scores, scores, pattern };

struct AttentionCells {
  AttentionStage stage = AttentionStage::pattern;
  bool gradient = false;                                         // of that stage
  int64_t head0 = 0, head1 = 0, t0 = 0, t1 = 0, s0 = 0, s1 = 0;  // heads [head0, head1), and so on
  float* to = nullptr;                                           // [B,head1 - head0,t1 - t0,s1 - s0]
  HeadStrides to_at;                                             // keys contiguous

  // For gradients.
  const float* dz = nullptr;  // [B,T,H,Dv]
  HeadStrides dz_at;
  const float* delta = nullptr;  // [B,H,T], contiguous; null: made from dz and the args' z
};

/// Rebuilds a window.  Reads of the args: q and k; lse for pattern and for gradients but pattern's own; v for
/// gradients; z where delta is not given.  A kernel (kernel.h); a task is some queries and keys of one head.
class AttentionWindow {
 public:
  AttentionWindow(const AttentionArgs& args, const AttentionCells& cells);
  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return target_.floats * static_cast<int64_t>(sizeof(float)); }
  int64_t work() const noexcept;
  void run(int64_t task, std::byte* scratch) const noexcept;

  /// What an instruction set says of these arguments.
  struct Target {
    void (*run)(const AttentionArgs&, const AttentionCells&, int64_t batch, int64_t head, int64_t first,
                int64_t key, float* scratch);
    int64_t queries, keys, floats;  // of a task: queries, keys, and scratch
  };

 private:
  AttentionArgs args_;
  AttentionCells cells_;
  Target target_;
};

/// mass[b,h,s] = sum over t of pattern[b,h,t,s]: what each single key receives, before dropout.  A second
/// pass over q and k, from lse; the queries are added in one fixed order, and the sum of n weights is off by
/// at most 4096 roundings however large n is.  NaN where a query that sees the key has
/// a NaN weight for it.  A kernel; a task is some keys of one head.
class AttentionMass {
 public:
  AttentionMass(const AttentionArgs& args, float* mass);
  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return target_.floats * static_cast<int64_t>(sizeof(float)); }
  int64_t work() const noexcept { return attention_work(args_.shape); }
  void run(int64_t task, std::byte* scratch) const noexcept;

  struct Target {
    void (*run)(const AttentionArgs&, int64_t batch, int64_t head, int64_t key, float* mass, float* scratch);
    int64_t keys, floats;  // of a task
  };

 private:
  AttentionArgs args_;
  float* mass_;
  Target target_;
};

}  // namespace limpid::kernels

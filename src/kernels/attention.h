// Fused attention, forward and backward, in memory that grows with T (law 5): blocks of queries pass over
// blocks of keys, the softmax is kept online (Milakov and Gimelshein 2018; Dao et al. 2022), the gradient
// rebuilds every weight from lse.  The meaning, for batch b, query head h, query t:
//
//   p      = first_query + t                               the query's position among the keys
//   x[s]   = softcap((scale q[t]).k[s]) + bias[t,s] - slope (p - s) + distances[p - s]
//   z[t]   = sum over s of drop[t,s] e^x[s] v[s] / total,   total = sum over s of e^x[s] (+ e^sink)
//   lse[t] = log total
//
// over the keys s that the row sees:
//   s < length, and with `causal` s <= p, and with `window` s > p - window, and with `window_after`
//   s <= p + window_after, and the same document, and
//   allowed[t,s], and bias[t,s] not -inf.
// What a row cannot see does not touch it, NaN and infinity included; what it sees does, at a weight of 0 too
// (0 times infinity is NaN).  A row that sees nothing gives z = 0 and lse = -inf (the sink's, if there is
// one). What is finite stays so on the way: scores reach from the least float to the largest, and the mean of
// large values is found where their sum is infinite.  Errors of sums over keys or queries grow no faster than
// the root of their number.  A row's bits depend on the row and on the keys and values it sees alone (law 3).
// Blocks that causal, window, lengths, or documents empty are not computed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "limpid/tensor.h"

namespace limpid::kernels {

/// Elements between neighbours along batch, row (t or s) and head; the innermost axis is contiguous.
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
  DType type = DType::f32;                              // of q, k and v: f32, bf16 or f16; all sums are f32
  const void *q = nullptr, *k = nullptr, *v = nullptr;  // [B,T,H,D], [B,S,G,D], [B,S,G,Dv]
  HeadStrides q_at, k_at, v_at;
  float scale = 1;
  float softcap = 0;  // 0: none; else scores become softcap * tanh(scores / softcap)

  // Who sees whom.
  bool causal = false;
  int64_t window = 0;                      // 0: none
  std::optional<int64_t> window_after;     // at least 0; none: no limit after the query
  std::optional<int64_t> first_query;      // position of query 0 among the keys; by default S - T
  const int64_t* first_queries = nullptr;  // [B], in place of first_query
  const int64_t* key_lengths = nullptr;    // [B], in [0, S]; none: S
  const int64_t *query_documents = nullptr, *key_documents = nullptr;  // [B,T], [B,S]: both, or neither
  bool documents_rise = false;    // set by the kernels: each document's keys stand in one piece
  const bool* allowed = nullptr;  // [B,H,T,S], S contiguous
  HeadStrides allowed_at;         // 0 where it is the same for all

  // What is added to the scores.
  const float* slopes = nullptr;     // [H], ALiBi: adds -slope * (p - s)
  bool symmetric_slopes = false;     // of |p - s|
  const float* distances = nullptr;  // [H,N]: adds distances[h][p - s - least_distance], for every p - s
  int64_t distances_head = 0, least_distance = 0;
  // [T], [S]: places in place of p and s there, of both or of neither: tokens that stand in more than a line
  // (two patches of an image lie lines and columns apart).  The table then has a number for every pair.
  const int64_t *query_places = nullptr, *key_places = nullptr;
  const float* bias = nullptr;   // [B,H,T,S], S contiguous
  HeadStrides bias_at;           // 0 where it is the same for all
  const float* sinks = nullptr;  // [H]: a key that has no value takes e^sink of every row's total

  // One document of a row of them, computed by itself: `queries` and `keys` are the whole row's T and S (0:
  // there is no such row), and query t and key s stand at first_query + t and first_key + s of batch entry
  // `batch`. lse lies, and dropout is drawn, as of the whole row.
  struct Within {
    int64_t queries = 0, keys = 0, batch = 0, first_query = 0, first_key = 0;
  } within;
  // The rank's part of a batch: dropout is drawn as of the whole batch, whose T and S are `queries` and
  // `keys` (0: as here), and where this part begins at entry `batch`, query `query` and key `key`.
  struct Drawn {
    int64_t batch = 0, query = 0, key = 0, queries = 0, keys = 0;
  } drawn;
  /// The row of lse.
  int64_t row(int64_t batch, int64_t head, int64_t query) const {
    if (within.queries > 0)
      return ((within.batch + batch) * shape.heads + head) * within.queries + within.first_query + query;
    return (batch * shape.heads + head) * shape.queries + query;
  }
  int64_t cell(int64_t batch, int64_t head, int64_t query, int64_t key) const {
    const int64_t queries = within.queries > 0 ? within.queries : shape.queries;
    const int64_t keys = within.queries > 0 ? within.keys : shape.keys;
    const int64_t here = row(batch, head, query), before = here / queries;  // (b H + h), and t
    const int64_t t = here % queries + drawn.query, s = within.first_key + key + drawn.key;
    return ((drawn.batch * shape.heads + before) * (drawn.queries > 0 ? drawn.queries : queries) + t) *
               (drawn.keys > 0 ? drawn.keys : keys) +
           s;
  }

  // Dropout of the weights: kept where uniform(seed, stream, step, ((b H + h) T + t) S + s) >= dropout
  // (core/random.h), and then divided by 1 - dropout; b, t, s, T and S are those of cell().
  double dropout = 0;
  uint64_t seed = 0;
  uint32_t stream = 0, step = 0;

  DType z_type = DType::f32;  // f32, bf16 or f16
  void* z = nullptr;          // [B,T,H,Dv]; the gradient reads it
  HeadStrides z_at;
  float* lse = nullptr;  // [B,H,T], contiguous; the gradient reads it
  // The same shape: what lse lacks of the logarithm, that of a float's rounding.  A weight is rebuilt as
  // e^((x - lse) - lse_rest), or rows of large scores would not add up to 1.  Null: not wanted, or 0.
  float* lse_rest = nullptr;
};

/// Do the numbers of the documents rise, of the keys: does each document's stand in one piece?  False
/// without.
bool key_documents_rise(const AttentionArgs&);

/// Multiply-adds of a forward pass without a mask.
inline int64_t attention_work(const AttentionShape& s) {
  return s.batch * s.heads * s.queries * s.keys * (s.width + s.value_width);
}

/// What can be seen of the weights while they stream by; null or 0: not asked for.  Nothing here changes a
/// bit of z and lse.  Of dropout nothing is seen: these are the weights before it.
struct AttentionObservation {
  // The k largest weights of each row and their keys, largest first, the lower key first among equals.  A row
  // that sees fewer keys ends with weight 0 and key -1.  A weight has the bits that AttentionWindow rebuilds.
  int64_t top = 0;
  float* top_weights = nullptr;  // [B,H,T,top]
  int32_t* top_keys = nullptr;   // [B,H,T,top]
  float* entropy = nullptr;      // [B,H,T]: -sum w log w, in nats; 0 for a row that sees nothing
  // Weights added up over blocks of map_queries x map_keys cells; the last row and column of blocks may hold
  // fewer.  map_queries: at most 256 (more: ask for a divisor of it, and add rows of the map).
  float* map = nullptr;  // [B,H,ceil(T / map_queries),ceil(S / map_keys)]
  int64_t map_queries = 0, map_keys = 0;
};

/// z and lse from q, k, v.  A kernel (kernel.h); a task is some queries of one head.
class AttentionForward {
 public:
  explicit AttentionForward(const AttentionArgs& args, const AttentionObservation& observation = {});
  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return target_.floats * static_cast<int64_t>(sizeof(float)); }
  int64_t work() const noexcept { return attention_work(args_.shape); }
  void run(int64_t task, std::byte* scratch) const noexcept;

  /// What an instruction set says of these arguments.
  struct Target {
    void (*run)(const AttentionArgs&, const AttentionObservation&, int64_t batch, int64_t head, int64_t first,
                int64_t count, float* scratch);
    int64_t queries, floats;  // of a task: queries, and scratch
  };

 private:
  AttentionArgs args_;
  AttentionObservation observation_;
  Target target_;
  int64_t blocks_;  // tasks a head has
};

struct AttentionGradients {
  DType dz_type = DType::f32;  // f32, bf16 or f16
  const void* dz = nullptr;    // [B,T,H,Dv]
  HeadStrides dz_at;
  DType type = DType::f32;                           // of dq, dk and dv
  void *dq = nullptr, *dk = nullptr, *dv = nullptr;  // as q, k, v; written, not added to
  HeadStrides dq_at, dk_at, dv_at;

  // On request; written, not added to.
  float* dsinks = nullptr;  // [H]
  float* dbias = nullptr;   // [B,H,T,S], S contiguous: of every cell, 0 where it is hidden
  HeadStrides dbias_at;
  float* ddistances = nullptr;  // [H,N], a head every args.distances_head
  int64_t distances = 0;        // N
};

/// dq, dk, dv from q, k, v, z, lse and dz.  Launch it by launch(AttentionBackward): two kernels, one after
/// the other, the second being AttentionBackwardSums.  A task is one key head with all its query heads, or,
/// where such are few, a part of their queries, which leaves its part of dk and dv for the second: there are
/// no atomics.  dk and dv are sums over queries in an order that the shape alone decides.
class AttentionBackward {
 public:
  static constexpr int64_t k_most_tiles = 4;

  /// Allocates what the tasks hand to the second kernel: with fewer than 8 key heads in all up to
  /// 14 S (D + Dv) floats, and what is asked for of sinks (B H T / 64) and distances (8 H N).
  AttentionBackward(const AttentionArgs& args, const AttentionGradients& gradients);
  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return target_.floats * static_cast<int64_t>(sizeof(float)); }
  int64_t work() const noexcept { return attention_work(pass_.args.shape) * 5 / 2; }
  void run(int64_t task, std::byte* scratch) const noexcept;

  /// What both kernels work on.
  struct Pass {
    AttentionArgs args;
    AttentionGradients to;
    int64_t tiles;                                   // of 64 queries, that pass over the keys together
    int64_t parts;                                   // that the queries of a key head are split into
    int64_t key_pitch, value_pitch;                  // of parts' rows
    float *key_parts, *sink_parts, *distance_parts;  // [B,G,parts] of dk, then dv; [B,H,T/64]; [B,H,parts,N]
    int64_t part_floats() const { return args.shape.keys * (key_pitch + value_pitch); }
    float* key_part(int64_t batch, int64_t key_head, int64_t part) const {
      return key_parts + ((batch * args.shape.key_heads + key_head) * parts + part) * part_floats();
    }
    float* distance_part(int64_t batch, int64_t head, int64_t part) const {
      return distance_parts + ((batch * args.shape.heads + head) * parts + part) * to.distances;
    }
  };
  const Pass& pass() const { return pass_; }

  /// What an instruction set says of these arguments.
  struct Target {
    void (*run)(const Pass&, int64_t batch, int64_t key_head, int64_t part, float* scratch);
    int64_t floats, lanes;  // of scratch; of a vector
  };

 private:
  Pass pass_{};
  Target target_;
  std::shared_ptr<float[]> memory_;
};

/// Adds up the parts that AttentionBackward's tasks left.  Only while that lives.
class AttentionBackwardSums {
 public:
  explicit AttentionBackwardSums(const AttentionBackward& tasks);
  int64_t tasks() const noexcept { return key_tasks_ + head_tasks_; }
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept;
  void run(int64_t task, std::byte* scratch) const noexcept;

 private:
  void add_heads(int64_t head) const noexcept;
  AttentionBackward::Pass pass_;
  int64_t blocks_, key_tasks_, head_tasks_;  // blocks of keys a key head has
};

/// Both kernels.
void launch(const AttentionBackward& tasks);

}  // namespace limpid::kernels

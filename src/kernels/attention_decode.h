// Decode: attention of a few queries to a long cache (cache.h).  The meaning is attention.h's, of the terms
// that are here; f32 sums throughout.  All query heads of a key head are served by one reading of its keys
// and values: the cache is read once.
//
// Keys are taken in chunks of 512, counted from key 0, and in a chunk in an order of its own (four streams:
// attention_decode-inl.h).  Each chunk has its own softmax (largest score, total, sum of values), and chunks
// are merged in order, in double, as in Flash-Decoding (Dao et al. 2023): by the same task where there are
// heads and batch rows enough, else by a second kernel.  So a row has the same bits however the work is
// divided: they depend on the row and on the keys and values it sees, not on T, H, B, S, pages or threads
// (law 3).  Keys that a row cannot see are not touched for it: NaN there, or beyond a batch row's length,
// stays out.  Those that it sees do touch it, whatever their weight: a value that is not finite makes its row
// NaN at a weight of 0.  What is finite stays finite on the way to a finite z.
//
//   launch(AttentionDecode(args));
//   launch(AttentionDecodeMerge(args));   // no task where there is nothing to merge
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "kernels/attention.h"
#include "kernels/cache.h"

namespace limpid::kernels {

constexpr int64_t k_decode_chunk = 512;  // keys

struct DecodeArgs {
  AttentionShape shape;     // keys: the most that a batch row may have
  DType type = DType::f32;  // of q: f32, bf16 or f16
  const void* q = nullptr;  // [B,T,H,D]
  HeadStrides q_at;
  Cache keys, values;  // [B,S,G,D], [B,S,G,Dv]; of any types
  float scale = 1;
  float softcap = 0;

  // As in AttentionArgs.
  bool causal = false;
  int64_t window = 0;
  std::optional<int64_t> first_query;
  const int64_t* first_queries = nullptr;  // [B]
  const int64_t* key_lengths = nullptr;    // [B]
  const float* slopes = nullptr;           // [H]
  const float* sinks = nullptr;            // [H]

  DType z_type = DType::f32;
  void* z = nullptr;  // [B,T,H,Dv]
  HeadStrides z_at;
  float* lse = nullptr;       // [B,H,T], or none
  float* lse_rest = nullptr;  // [B,H,T], or none: what lse lacks of the log of the sum
  float* partials = nullptr;  // decode_partials(shape) floats, for both kernels
};

/// Room for what chunks leave to AttentionDecodeMerge, in floats: from the shape alone; 0 where a task sees
/// its head through.
int64_t decode_partials(const AttentionShape& shape);

/// A task is some chunks of one key head of one batch row.
class AttentionDecode {
 public:
  explicit AttentionDecode(const DecodeArgs& args);
  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return target_.floats * static_cast<int64_t>(sizeof(float)); }
  int64_t work() const noexcept { return attention_work(args_.shape); }
  void run(int64_t task, std::byte* scratch) const noexcept;

  /// What an instruction set says of these arguments.
  struct Target {
    void (*run)(const DecodeArgs&, int64_t batch, int64_t key_head, int64_t s0, int64_t s1, float* scratch);
    void (*merge)(const DecodeArgs&, int64_t batch, int64_t head, int64_t query, float* scratch);
    int64_t floats, merge_floats;
  };

 private:
  DecodeArgs args_;
  Target target_;
};

/// A task is one query of one head.
class AttentionDecodeMerge {
 public:
  explicit AttentionDecodeMerge(const DecodeArgs& args);
  int64_t tasks() const noexcept;
  int64_t scratch() const noexcept { return target_.merge_floats * static_cast<int64_t>(sizeof(float)); }
  int64_t work() const noexcept { return decode_partials(args_.shape); }
  void run(int64_t task, std::byte* scratch) const noexcept;

 private:
  DecodeArgs args_;
  AttentionDecode::Target target_;
};

}  // namespace limpid::kernels

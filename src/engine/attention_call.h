// Attention as a group: its options and inputs as the arguments of the fused kernels.
#pragma once

#include <vector>

#include "engine/fast.h"
#include "kernels/attention.h"

namespace limpid {

/// The arguments, and what they point to.  Inputs are in the order of GroupInfo: q, k, v, then what the
/// options say (lengths, documents of queries and of keys, a table of a bias, a bias, sinks).
struct AttentionCall {
  AttentionCall(const GroupInfo&, Inputs, const RunContext&);
  AttentionCall(const AttentionCall&) = delete;

  kernels::AttentionArgs args;
  std::vector<float> slopes, distances;
  std::vector<int64_t> table_rows;  // of a bias table [N,H]: the row of every distance
  std::vector<int64_t> query_places, key_places;
  std::vector<int64_t> firsts;   // args.first_queries, where texts begin at positions of their own
  std::vector<int64_t> lengths;  // args.key_lengths, where heads stand side by side

  /// The least and the largest position of query 0 in a text.
  int64_t least_first() const;
  int64_t largest_first() const;

 private:
  void set_lengths(const ConstView& given);
  void set_patch_bias(const ConstView& table, const Options&);
  void set_relative_bias(const ConstView& table, const Options&);
  void set_distances(const ConstView& table);
};

/// The strides of [B,T,H,D].
kernels::HeadStrides strides_of(const ConstView&);

/// Does it add a learned number for every distance: relative_bias, patch_bias?
bool has_table(const GroupInfo&);
/// How many inputs it has after q, k and v that have a gradient, and how many in all.
size_t learned_inputs(const GroupInfo&);
size_t extra_inputs(const GroupInfo&);

}  // namespace limpid

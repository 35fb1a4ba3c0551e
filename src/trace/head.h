// What one head of attention is made of: its values, found in the graph.
#pragma once

#include <vector>

#include "trace/reading.h"

namespace limpid {

/// The values of one head: rot_q where there are rotary positions, q where there are none.
struct Head {
  int64_t layer = 0, head = 0, key_head = 0;
  int q = -1, k = -1, v = -1;  // what is multiplied
  std::vector<int> scores;  // raw_scores first, each computed from the one before; what the softmax sees last
  int pattern = -1, mixed = -1;  // the weights; those that the values are multiplied by (after dropout)
  int z = -1;
};

/// Throws Error{call} naming what the network or the trace lacks of it.
Head head_of(const Reading&, int layer, int head);

/// The stage that computes a value.
const StageInfo& maker(const Reading&, int value);

}  // namespace limpid

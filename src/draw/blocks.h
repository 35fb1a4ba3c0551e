// Repeated blocks: blocks.0, blocks.1, ... of equal structure are drawn once.
#pragma once

#include <string>
#include <vector>

#include "limpid/graph.h"

namespace limpid::draw {

/// `count` neighbouring blocks from number `first` on, and these again: `repeats` times in all.
struct Repeat {
  std::string family;  // "blocks"
  int64_t first = 0, count = 1, repeats = 1;
  std::vector<int> stages;  // of the blocks that are drawn
};

struct Blocks {
  std::vector<Repeat> repeats;
  std::vector<bool> hidden;  // by stage: a repetition of one that is drawn
  std::vector<int> same;     // by value: the drawn value that stands for it
};

/// Stages in `left_out` are as if they did not exist.  What only the first block has before its own first
/// stage (a position that is added) does not count as part of it.
Blocks find_blocks(const Graph&, const std::vector<bool>& left_out);

}  // namespace limpid::draw

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
  bool open = true;         // drawn with what is inside; false: as one box
};

struct Blocks {
  std::vector<Repeat> repeats;
  std::vector<bool> hidden;  // by stage: a repetition of one that is drawn
  std::vector<int> same;     // by value: the drawn value that stands for it
};

/// Stages in `left_out` are as if they did not exist.  What only the first block has before its own first
/// stage (a position that is added) does not count as part of it.
///
/// `open` empty: of every repetition the first block is open.  Otherwise the blocks that it names
/// ("blocks.3") are open, each by itself, and all others closed; "none" names none.  Throws Error{call} for a
/// block that is not there.
Blocks find_blocks(const Graph&, const std::vector<bool>& left_out,
                   const std::vector<std::string>& open = {});

}  // namespace limpid::draw

// Frames: repeated blocks, and the groups of stages that are one thing.
#pragma once

#include <string>
#include <vector>

#include "draw/layout/blocks.h"
#include "draw/layout/outline.h"

namespace limpid::draw {

/// "relative_bias" as a heading: "Relative bias".
std::string capitalized(std::string text);

/// "Block × 12"; of blocks that take turns "2 Blocks × 6"; of one block "Block 3".
std::string title_of(const Graph&, const Repeat&);

/// Frames the outline's nodes; `shown` tells which stages of the graph are drawn.
void add_frames(Outline&, const Graph&, const Blocks&, const std::vector<bool>& shown);

}  // namespace limpid::draw

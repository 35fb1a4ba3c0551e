// Which inputs' numbers a stage really reads: positions only look at how long their input is.
#pragma once

#include <vector>

#include "limpid/graph.h"

namespace limpid::draw {

/// For each input of the stage whether any of its numbers is read, by the operation's own explanation of a
/// few cells. True where an operation cannot say.
std::vector<bool> reads(const Graph&, const StageInfo&);

}  // namespace limpid::draw

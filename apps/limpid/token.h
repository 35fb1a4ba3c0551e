// Which token a call means: an index, a word, or a word's second occurrence.
#pragma once

#include <string>
#include <vector>

#include "limpid/trace.h"

namespace limpid::command {

/// The positions that an index, a word or "word#2" means; the first occurrence's tokens where a word stands
/// several times and nobody says which.  Throws Error{call} naming what is there.
std::vector<int> positions_of(const Trace& trace, const std::string& argument);

}  // namespace limpid::command

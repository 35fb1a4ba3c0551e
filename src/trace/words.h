// Whether a run is shown by whole words (in_words) that a tokenizer split.
#pragma once

#include "limpid/trace.h"

namespace limpid {

/// Some word of the trace stands for several tokens: its places are not those that the run, its edits and its
/// graph count by.
bool words_of_pieces(const Trace&);

}  // namespace limpid

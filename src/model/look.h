// Where heads look from the last row of a run.
#pragma once

#include <vector>

#include "limpid/model.h"

namespace limpid {

/// What a run must observe for it: the `watch` largest weights and the entropy of every head that writes.
void observe_looks(const Graph&, int64_t watch, std::vector<Observation>& to);
/// What it saw, of row 0 of the batch; `first` is added to places in the text.
std::vector<HeadLook> looks_of(const Graph&, const RunResult&, int64_t watch, int64_t first = 0);

}  // namespace limpid

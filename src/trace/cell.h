// Where a cell is that a caller names: NAME[PLACES].
#pragma once

#include <string>

#include "limpid/explain.h"

namespace limpid {

/// The cell's place on every axis of a value of this name and shape, words looked up among the trace's
/// labels. Throws Error{call} saying which place is wrong or missing, and what there is.
Index index_of(const CellName&, const std::string& name, const Shape&, const Trace&);

}  // namespace limpid

// Changing values as a network runs.
#pragma once

#include <vector>

#include "limpid/engine.h"

namespace limpid {

/// Applies one edit to a value (of any real type); true if any bit changed.  Throws Error{call} naming the
/// edit where it does not fit the value's shape.
bool apply_edit(const Edit&, const std::string& name, const View& value);

/// The value that an edit of `name` really changes: cutting an edge of a pattern changes the masked scores.
int edited_value(const Graph&, const Edit&, int value);

}  // namespace limpid

// Rooms of append() that are kept in fewer bits than f32 (RunOptions::rooms): rows are written to them, and
// attention answers from them.
#pragma once

#include <map>

#include "engine/fast.h"
#include "limpid/engine.h"

namespace limpid {

/// Those of a run, by value.  Throws Error{call} for what is no room of the graph, or does not fit.
std::map<int, const Room*> rooms_of(const Graph&, const RunOptions&);

/// Appends rows [B,T,G,D], f32.
void append_to(const Room&, const ConstView& rows, const RunContext&);

/// The rows [first, first + count) of every text as f32 [B,count,G,D].
Tensor rows_in(const Room&, int64_t first, int64_t count);

/// The forward kernel of an attention group whose keys and values lie in rooms.  Its inputs 1 and 2 stand
/// here by their shapes.
void attention_in_rooms(const GroupInfo&, Inputs, const Room& keys, const Room& values, Outputs,
                        const RunContext&);

}  // namespace limpid

// What an edit did: the same run without its edits beside it.
#pragma once

#include <string>
#include <vector>

#include "limpid/trace.h"

namespace limpid {

/// What the comparison looks at of an edited run, each in full: the values that were edited, those that are
/// asked for (`chosen`, patterns of names), logits and probs.  T x S values of more than 2,048 tokens are
/// left out.
std::vector<Observation> compared(const Trace& edited, const std::vector<std::string>& chosen);

/// The likeliest next tokens before and after, and of each value the cell that moved most.  The two traces
/// are of one input; what either does not hold is left out.
std::string before_after(const Trace& before, const Trace& after, const PageOptions&);
/// The same as a JSON object: {"next": [...], "values": [...]}.
std::string before_after_json(const Trace& before, const Trace& after);

}  // namespace limpid

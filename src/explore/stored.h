// A run that was kept (docs/trace-file.md), as questions read it: what it holds, and what can be told from
// that with the numbers of the run.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "explore/host.h"
#include "limpid/trace.h"

namespace limpid::explore {

/// How a stored run holds a value.
enum class Held {
  whole,     // every number of it; of scores and weights also what they are rebuilt from
  rows,      // some positions
  streamed,  // largest weights, entropy or a map
  summary,   // how its numbers are spread
  none,
};
/// "whole", "rows", ...
std::string_view name(Held);
Held held(const Trace& stored, const std::string& value);

/// Whether a T x S stage of a group is rebuilt from what the trace holds: it has run fused, nothing in it was
/// edited, and the group's inputs and outputs are there.
bool can_rebuild(const Trace& stored, const GroupInfo&, std::string_view stage);

/// The run with no more in it than these, of names without *: what the trace holds, and entropy and maps of
/// weights that it holds whole.  Throws Error{call} for what it does not hold, saying how it is kept.
Trace read_stored(const Trace& stored, const std::vector<Observation>&);
/// The same run without its values.
Trace without_values(const Trace&);

/// A stored run by itself, its network not at hand.
Subject stored_subject(Trace);

/// Why running the text of a stored run again by this model would not give the same numbers to the bit;
/// empty: it does, and every value that the trace holds was compared.
std::string why_another_run(const Model&, const Trace& stored);

}  // namespace limpid::explore

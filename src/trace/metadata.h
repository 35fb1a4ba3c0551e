// What a trace says beside its values, as one JSON document: the "limpid" entry of a trace file.
#pragma once

#include <string>
#include <string_view>

#include "limpid/trace.h"

namespace limpid {

/// The version of the layout in docs/trace-file.md.  A reader refuses a higher one.
inline constexpr int k_trace_schema = 1;

/// The names of these values' axes are written beside the graph, for readers that know no graph.
std::string metadata_json(const Trace&);

/// A trace without its values.  Throws Error{work} naming the file and what is missing or wrong in it.
Trace trace_of_metadata(std::string_view json, const std::string& file);

/// Gives the values and parameters of a file the axes that the graph names, and checks every shape against it
/// and against each other.  Throws Error{work} naming the file and the value.
void place_values(Trace&, std::map<std::string, Tensor> tensors, const std::string& file);

}  // namespace limpid

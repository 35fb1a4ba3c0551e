// What was gathered of attention weights while they streamed by, where the weights themselves were not kept.
#pragma once

#include "trace/paper.h"
#include "trace/reading.h"

namespace limpid {

/// Does the trace hold a streamed depth (NAME@top8.weight, NAME@entropy, NAME@map) of this value?
bool has_streamed(const Trace&, const std::string& name);

/// Where the last token looks most in each head, how evenly the rows look, and what else the trace holds.
void print_streamed(Paper&, const Reading&, const std::string& name, const PageOptions&);

}  // namespace limpid

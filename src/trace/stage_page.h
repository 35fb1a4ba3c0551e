// One stage of the page: what it is called, its equation and shapes, what it does, and its numbers.
#pragma once

#include "trace/paper.h"
#include "trace/reading.h"

namespace limpid {

/// "attn.q" in a part of the page that is about layer 0 already.
std::string short_name(const std::string& name);

/// An input of the network: the words and their numbers, or the vectors.
void print_input(Paper&, const Reading&, int value, const PageOptions&);
/// `stage` by its place in the graph.
void print_stage(Paper&, const Reading&, int stage, const PageOptions&);
/// Whether any of its outputs was kept, whole or as a summary.
bool was_seen(const Reading&, const StageInfo&);

}  // namespace limpid

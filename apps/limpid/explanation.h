// How the command shows the arithmetic behind a number: `limpid explain` and `limpid trace --explain`.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "limpid/terminal.h"
#include "limpid/trace.h"

namespace limpid::command {

struct ExplainCall {
  std::string cell;  // NAME[PLACES]
  int depth = 1, terms = 8;
  std::optional<int> decimals;
  bool all = false, json = false;
};

/// Prints it.  Throws Error{call} when the trace lacks the cell or what explains it.
void show_explanation(const Trace&, const ExplainCall&, const Terminal&);

}  // namespace limpid::command

// A stored trace as the explorer opens it: live, where its model is at hand and gives the same numbers again;
// else as it was stored.
#pragma once

#include <memory>
#include <string>

#include "limpid/input.h"

namespace limpid::command {

struct StoredRun {
  std::string name;  // of the file
  std::shared_ptr<const Trace> trace;
  std::shared_ptr<const Model>
      model;        // that gives the same numbers again; null: the run is shown as it was stored
  std::string why;  // it is not live, though a model is at hand

  std::vector<int64_t> ids() const;
  /// Whether the model makes these tokens of the trace's text.
  bool reads_text() const;
};

/// Whether the argument is a stored trace.  Throws Error{call} for a model, saying how it is opened.
bool is_stored_run(const std::string& argument);

/// `live`: it may be run again, by the call's model or by the built-in one.  Throws Error{call} where the
/// call's model is another than the trace's.
StoredRun open_stored_run(const std::string& path, const ModelCall& call, bool live);

}  // namespace limpid::command

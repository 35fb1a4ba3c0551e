// limpid generate --watch: where the heads look, a line a token, and the trace of the whole text.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "limpid/model.h"
#include "limpid/terminal.h"

namespace limpid::command {

/// Prints a line a token: the token, its probability, and the heads that look most sharply at something else
/// than the first token or the latest.
class WatchPrinter {
 public:
  /// `given`: the tokens that the text begins with; `source`: those of an encoder-decoder's source.
  WatchPrinter(const Model&, const Terminal&, std::vector<int64_t> given, std::vector<int64_t> source);
  void print_head() const;
  void show(const GeneratedToken&);

 private:
  std::string place(const HeadLook&) const;

  const Model& model_;
  const Terminal& terminal_;
  std::vector<int64_t> text_, source_;
};

/// Every head: {"attention": ..., "head": ..., "entropy": ..., "keys": [...], "weights": [...]}.
Json looks_json(const std::vector<HeadLook>&);

/// The trace of a text that was written: everything of a short one; of a longer one the largest weights, the
/// entropy and the pooled map of every head.  A text that outgrew the context is cut to its latest tokens.
Trace trace_of_written(const Model&, const std::vector<int64_t>& source, const std::vector<int64_t>& text,
                       const Terminal&);

}  // namespace limpid::command

// What was edited in a run: which values, and what was done to them, read back from what the trace stores.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "limpid/trace.h"

namespace limpid {

/// A value that an edit named holds what the edit made of it, not what its stage computes from its inputs;
/// all that follows is computed from the edited numbers.  The trace must outlive it.
class Edits {
 public:
  /// Nothing where the trace has no graph.  An edit whose text is not understood stands in `said` as it is.
  explicit Edits(const Trace&);

  bool empty() const { return all_.empty(); }
  /// Each edit in words: "blocks.0.attn.q replaced", "blocks.0.attn.z, head 2: set to 0",
  /// "blocks.1.attn.scores: edges cut: 3>0, 3>1".
  const std::vector<std::string>& said() const { return said_; }
  /// All of them in one line: "Edited run: ..."; empty where nothing was edited.
  std::string line() const;

  /// What of a value is asked about: all of it, or one query head of it, or one row along axis T.
  struct Scope {
    int64_t head = -1, row = -1;
    bool cuts = true;  // false: cut edges do not count
  };
  /// What was done to a value of the graph: "replaced", "head 2: set to 0"; empty: it holds what its stage
  /// computes.  A head that is asked about is not named.
  std::string of(int value, const Scope&) const;
  std::string of(int value) const { return of(value, Scope{}); }
  /// By name; empty for a name that is not there.
  std::string of(const std::string& value, const Scope&) const;
  std::string of(const std::string& value, int64_t head = -1) const {
    return of(value, Scope{head, -1, true});
  }

  /// The edges, query and key, cut from a layer's scores for this head; none where the trace is shown by
  /// words, for an edge leads from token to token.
  std::vector<std::pair<int64_t, int64_t>> cut(int64_t layer, int64_t head) const;
  bool is_cut(int64_t layer, int64_t head, int64_t query, int64_t key) const;

 private:
  struct One {
    Edit edit;
    std::string action;       // in words
    std::vector<int> values;  // that hold what it made
  };
  void add(const std::string& text);
  bool concerns(const One&, int value, const Scope&) const;
  std::string part_words(const One&, int64_t head) const;

  const Trace& trace_;
  std::vector<One> all_;
  std::vector<std::string> said_;
};

}  // namespace limpid

// The residual stream of a decoder as a sum of parts: which networks have one, and rows of a run at a few
// positions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "limpid/architecture.h"
#include "limpid/model.h"

namespace limpid {

using Row = std::vector<double>;

/// The network in parts.  Throws Error{call}, beginning with `what`, for one whose residual stream is no sum.
Architecture residual_decoder(const Model&, const std::string& what);

/// Rows of values at some positions of one run, in double.
class PositionRows {
 public:
  PositionRows(const Model&, const std::vector<int64_t>& tokens, const std::vector<int64_t>& positions,
               const std::vector<std::string>& names, const std::vector<Edit>& edits);
  /// Throws Error{call} unless it was named, and the position given.
  Row row(const std::string& name, int64_t position) const;
  /// At the first of the positions.
  Row row(const std::string& name) const { return row(name, positions_.front()); }

 private:
  const std::string& own(const std::string& name) const;
  const Graph& graph_;
  std::vector<int64_t> positions_;
  RunResult result_;
};

}  // namespace limpid

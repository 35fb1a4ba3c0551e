// Attention weights to be drawn: of a run, or somebody's own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "draw/figures/matrix.h"
#include "limpid/draw.h"
#include "trace/edits.h"
#include "trace/reading.h"

namespace limpid::draw {

/// Trace or weights must outlive it.
class WeightMaps {
 public:
  explicit WeightMaps(const Trace&);
  /// Throws Error{call} as heads_pages says.
  explicit WeightMaps(const OwnWeights&);

  /// Those whose weights there are.
  const std::vector<int64_t>& layers() const { return layers_; }
  int64_t heads(int64_t layer) const;
  std::optional<Matrix> weights(int64_t layer, int64_t head) const;
  /// What takes cells away from them.
  std::optional<Matrix> mask(int64_t layer, int64_t head) const;
  void require(int layer, int head) const;

  const std::vector<std::string>& rows() const { return rows_; }
  const std::vector<std::string>& columns() const { return columns_; }
  const std::string& thing() const { return thing_; }
  const std::string& title() const { return title_; }  // the sentence in quotes, or a name
  /// What is to be said of the weights; may be empty.
  std::string note() const;
  /// Whether the weights of a head, or the scores they are made of, were edited in the run.
  bool edited(int64_t layer, int64_t head) const;
  /// The run that they are of, or null.
  const Trace* trace() const { return reading_ ? &reading_->trace() : nullptr; }
  const Edits* edits() const { return edits_ ? &*edits_ : nullptr; }

 private:
  std::optional<Reading> reading_;
  std::optional<Edits> edits_;
  const OwnWeights* own_ = nullptr;
  bool sums_ = true;     // of one's own: rows add up to 1
  bool causal_ = false;  // of one's own: everything above the diagonal is 0
  std::vector<int64_t> layers_;
  std::vector<std::string> rows_, columns_;
  std::string thing_, title_;
};

}  // namespace limpid::draw

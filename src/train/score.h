// How well a network does on examples, from what its runs computed.
#pragma once

#include "limpid/train.h"
#include "train/task_data.h"

namespace limpid {

/// Adds up over batches.  What is measured follows from the network: classes or tokens (a "logits"), or
/// numbers (a "prediction").
class Score {
 public:
  explicit Score(const Graph&);
  /// The values that a run must keep.
  const std::vector<std::string>& keeps() const { return keeps_; }
  void add(const Batch&, const RunResult&);
  /// What all ranks have measured.
  void sum_over(Ranks&);
  Trainer::Evaluation result() const;

 private:
  void add_classes(const Batch&, const RunResult&);
  void add_numbers(const Batch&, const RunResult&);

  bool classes_ = true;
  bool sequences_ = false;  // a class at every place
  std::vector<std::string> keeps_;
  double loss_ = 0;
  int64_t counted_ = 0, right_ = 0;
  int64_t examples_ = 0, whole_ = 0;  // examples, and those of which every place is right
  int64_t outputs_ = 0;
  std::vector<int64_t> confusion_;  // [true, said]
  double squares_ = 0, distances_ = 0;
};

}  // namespace limpid

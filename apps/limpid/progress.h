// What a training run shows: a heading, a bar in a terminal, one row an epoch, and the result.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "limpid/terminal.h"
#include "limpid/train.h"

namespace limpid::command {

/// What is learned, from what, and how.
std::string heading_of(const Trainer&, const TrainingData&, bool resumed);
/// A line: how well the model does on what `of` says ("held out", "test").
std::string summary_of(const Trainer::Evaluation&, const Recipe&, const std::string& of);

/// Rows go to standard output; the bar to standard error, where that is a terminal.
class Progress {
 public:
  Progress(const Terminal&, const Trainer&);
  /// The rows' heads, and the rows that a resumed run has behind it.
  void begin();
  void step(double loss);
  void row(const Epoch&);
  /// Takes the bar away.
  void end();

 private:
  using Clock = std::chrono::steady_clock;
  void draw_bar(double loss);
  std::string row_text(const Epoch&) const;
  bool numbers() const;  // are predicted, not classes or words

  const Terminal terminal_;
  const Trainer* trainer_;
  const int64_t first_step_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_{};
  bool shown_ = false;
};

}  // namespace limpid::command

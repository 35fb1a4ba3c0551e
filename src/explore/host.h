// What the explorer asks of the program around it, which alone knows files, sockets and clocks: models by
// their names, and a training run.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "limpid/model.h"

namespace limpid::explore {

/// What is open: a model; a network that is made for each text; or a run that was kept.
struct Subject {
  std::shared_ptr<const Model> model;
  Tensor input = {};  // of a model of images or series, what it reads, as Model::trace takes it; empty: texts
  std::string input_name = "";
  /// The network for a text (the textbook's, which has a row for each of its words), in place of `model`.
  std::function<std::shared_ptr<const Model>(const std::string& text)> made_for = {};
  uint64_t seed = 0;  // of its runs
  /// A run whose network is not at hand, in place of `model`: it is shown as it was stored (stored.h).
  std::shared_ptr<const Trace> stored = {};
};

/// A sentence that a training run watched, as it was at one of its reports.
struct WatchedStep {
  int64_t step = 0, text = 0;
};

/// How far a training run is.
struct TrainingProgress {
  int64_t steps = 0;     // that its recipe asks for; 0: not known
  bool finished = true;  // whether its log grows no more
  /// No process works on it, and it is not finished; at which step, and by which command it goes on where
  /// that is known.
  bool stopped = false;
  int64_t step = 0;
  std::string command;
};

/// Every function may throw Error; what cannot be done is one that says so.
class Host {
 public:
  virtual ~Host() = default;
  /// Names that subject() takes, the first the one to begin with; never none.
  virtual std::vector<std::string> models() const = 0;
  virtual Subject subject(const std::string& model) = 0;
  /// Whether subject() would now give another model of that name: one that is being trained.
  virtual bool changed(const std::string& /*model*/) { return false; }

  /// The lines of a training run's log; empty: there is no run.
  virtual std::string training_log() { return ""; }
  virtual std::string training_title() { return ""; }
  virtual TrainingProgress training_progress() { return {}; }
  virtual std::vector<WatchedStep> watched() { return {}; }
  virtual Trace watched_trace(const WatchedStep&) { fail_call("there is no training run"); }

  /// Called again and again while a question is worked on, on its thread; throws to end it.
  virtual void check() {}
};

}  // namespace limpid::explore

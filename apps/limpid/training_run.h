// The folder of a training run as the explorer sees it, while the run goes on and when it is done.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "explore/host.h"
#include "limpid/run_folder.h"

namespace limpid::command {

/// What a file or folder is called, without where it lies.
std::string name_of_file(const std::string& path);
/// Whether a folder of that name holds the log of a training run.
bool is_training_run(const std::string& path);

class TrainingRun {
 public:
  /// Throws Error{work} where there is no such folder, or no log in it.
  explicit TrainingRun(const std::string& path);

  std::string title() const;
  std::string log() const;
  explore::TrainingProgress progress() const;
  std::vector<explore::WatchedStep> watched() const;
  Trace watched_trace(const explore::WatchedStep&) const;
  /// The first sentence that it watched; empty where it watched none.
  std::string first_watched() const;

  /// The model of a run that is done, else that of its checkpoint; `text` names what a model of images or of
  /// series reads.
  explore::Subject subject(const std::string& text);
  bool has_model() const;
  /// Whether there is another one than subject() gave last.
  bool model_changed() const;

 private:
  /// The file that has the run's model now.
  std::string model_file() const;
  bool finished() const;

  RunFolder folder_;
  std::string read_file_;  // what subject() read last, and of when it was
  std::filesystem::file_time_type read_time_;
};

}  // namespace limpid::command

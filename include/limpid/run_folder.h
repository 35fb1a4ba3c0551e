// The folder of a training run, and what it holds: the checkpoint, a line a report, events that TensorBoard
// reads, and the attention of watched sentences (Recipe::watch) as it was at every report.
//
//   Trainer trainer(recipe, data);
//   RunFolder folder("sayings");
//   folder.begin(trainer);
//   trainer.run({.on_epoch = [&](const Epoch&) { folder.report(trainer); }});
//   trainer.keep_best();
//   trainer.model().save(folder.model());
//
// Files appear whole, by rename, but for the events, which grow by whole records.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "limpid/api.h"
#include "limpid/train.h"

namespace LIMPID_API limpid {

/// A watched sentence as it was at one report: watched/STEP-TEXT.safetensors.
struct WatchedFile {
  int64_t step = 0;
  int64_t text = 0;  // which of Recipe::watch, from 0
  std::string path;
};

class RunLock;

class RunFolder {
 public:
  /// Makes the folder where it is not there.  Throws Error{work} where that fails.
  explicit RunFolder(const std::string& path);

  const std::string& path() const { return path_; }
  std::string model() const;       // model.safetensors
  std::string checkpoint() const;  // checkpoint.safetensors
  std::string log() const;         // log.jsonl, a line a report
  std::string figure() const;      // training.svg
  std::string lock() const;        // run.lock: held by the process that writes here
  std::string watched(int64_t step, int64_t text) const;
  /// Those that are there, by text, then by step.
  std::vector<WatchedFile> watched() const;

  /// Takes away what a run that begins anew would mix with its own: events and watched sentences.
  void clear() const;
  /// Says that this process writes here, from now until it ends or the folder is gone, and keeps the command
  /// that goes on with the run.  Throws Error{call} where another process writes here.
  void hold(const std::string& command);
  /// Whether a process writes here now; the command that goes on with the run, empty where it is not known.
  bool held() const;
  std::string command() const;
  /// Before the run, and hold() where nobody does: goes on with the events after the trainer's last report,
  /// and with its watched sentences.
  void begin(Trainer&);
  /// After a report: keep(), the events and the watched sentences.
  void report(Trainer&);
  /// The checkpoint and the log alone.
  void keep(const Trainer&) const;

 private:
  void go_on_with_events(const Trainer&);
  void add_events(const Trainer&);
  void write_watched(Trainer&) const;

  std::string path_;
  std::shared_ptr<RunLock> lock_;
  std::string events_;                // the file's name; empty: not known yet
  std::vector<int64_t> event_steps_;  // of the reports in it, rising
};

}  // namespace LIMPID_API limpid

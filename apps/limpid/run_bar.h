// A bar for a run that takes long: how much of it is done, and which stage comes next.
#pragma once

#include <chrono>
#include <string>

#include "limpid/terminal.h"

namespace limpid::command {

/// On standard error, where that is a terminal, from half a second on; gone when the run is.
class RunBar {
 public:
  explicit RunBar(const Terminal& terminal) : terminal_(terminal) {}
  ~RunBar();
  RunBar(const RunBar&) = delete;
  RunBar& operator=(const RunBar&) = delete;
  /// `done` from 0 to 1.
  void show(double done, const std::string& next);

 private:
  using Clock = std::chrono::steady_clock;
  const Terminal terminal_;
  const Clock::time_point start_ = Clock::now();
  bool shown_ = false;
};

}  // namespace limpid::command

// Who writes into the folder of a run: a file that its process holds locked as long as it lives, however it
// ends.
#pragma once

#include <memory>
#include <string>

namespace limpid {

class RunLock {
 public:
  /// Writes `command` into the file and holds it.  Throws Error{call} where another process does.
  RunLock(const std::string& path, const std::string& command);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// Whether a process holds it now; false where there is no such file.
  static bool held(const std::string& path);

 private:
  int file_ = -1;
};

}  // namespace limpid

#include "train/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "limpid/error.h"

namespace limpid {

namespace {

// Who asks whether it is held takes it for a moment.
constexpr int k_tries = 20;
constexpr unsigned k_between = 50000;  // microseconds

bool locked_by_other() { return errno == EWOULDBLOCK; }

}  // namespace

RunLock::RunLock(const std::string& path, const std::string& command) {
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0) fail_work(path, ": cannot be written: ", std::strerror(errno));
  for (int i = 0; flock(file_, LOCK_EX | LOCK_NB) != 0; ++i) {
    // A file system that has no locks: nobody can be told that the run goes on.
    if (!locked_by_other()) break;
    if (i == k_tries) {
      close(file_);
      fail_call(path, ": another process trains into this folder; wait for its end, or give another with -o");
    }
    usleep(k_between);
  }
  const bool written = ftruncate(file_, 0) == 0 && pwrite(file_, command.data(), command.size(), 0) ==
                                                       static_cast<ssize_t>(command.size());
  if (written) return;
  close(file_);
  fail_work(path, ": cannot be written; is the disk full?");
}

RunLock::~RunLock() { close(file_); }

bool RunLock::held(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool held = flock(file, LOCK_SH | LOCK_NB) != 0 && locked_by_other();
  close(file);
  return held;
}

}  // namespace limpid

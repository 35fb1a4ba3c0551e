#include "core/threads.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/pool.h"
#include "limpid/error.h"

#if __has_include(<sched.h>)
#include <sched.h>
#endif
#ifdef LIMPID_THREADS
#include <thread>
#endif

namespace limpid {

namespace {

std::atomic<int> chosen{0};  // 0: not set
thread_local int scoped = 0;

int checked(int count) {
  if (count < 1) fail_call("threads: ", count, " given, expected 1 or more");
  if (count > k_most_threads) fail_call("threads: ", count, " given, expected at most ", k_most_threads);
  return count;
}

#ifdef LIMPID_THREADS

// The cores that this process may use, which taskset and containers make fewer than the machine has.
int usable_cores() {
#ifdef CPU_COUNT
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0 && CPU_COUNT(&mask) > 0) return CPU_COUNT(&mask);
#endif
  const unsigned cores = std::thread::hardware_concurrency();
  return cores > 0 ? static_cast<int>(cores) : 1;
}

// OMP_NUM_THREADS: a number, or one for each depth of nesting ("4,2"), of which the first is ours.
int from_environment() {
  const char* text = std::getenv("OMP_NUM_THREADS");
  if (!text || !*text) return 0;
  char* end = nullptr;
  const long count = std::strtol(text, &end, 10);
  while (*end == ' ') ++end;
  if (end != text && (*end == 0 || *end == ',') && count >= 1)
    return static_cast<int>(count < k_most_threads ? count : k_most_threads);
  std::fprintf(stderr,
               "limpid: OMP_NUM_THREADS is '%s', expected a number from 1; it is passed over, and all cores "
               "are used\n",
               text);
  return 0;
}

int by_default() {
  static const int count = [] {
    const int wanted = from_environment();
    const int cores = usable_cores();
    return wanted > 0 ? wanted : cores < k_most_threads ? cores : k_most_threads;
  }();
  return count;
}

#else

int by_default() { return 1; }

#endif

}  // namespace

int threads() {
#ifdef LIMPID_THREADS
  if (inside_task()) return 1;
  if (scoped > 0) return scoped;
  const int count = chosen.load(std::memory_order_relaxed);
  return count > 0 ? count : by_default();
#else
  return by_default();
#endif
}

void set_threads(int count) { chosen = checked(count); }

ScopedThreads::ScopedThreads(int count) : before_(scoped) { scoped = checked(count); }
ScopedThreads::~ScopedThreads() { scoped = before_; }

void run_tasks(int64_t count, int team, const TaskCall& task) {
#ifdef LIMPID_THREADS
  if (count < team) team = static_cast<int>(count);
  if (team > 1 && !inside_task()) return run_on_pool(count, team, task);
#else
  (void)team;
#endif
  for (int64_t i = 0; i < count; ++i) task.call(task.task, i, 0);
}

}  // namespace limpid

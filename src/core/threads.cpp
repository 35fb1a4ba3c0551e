#include "core/threads.h"

#include "limpid/error.h"

// ThreadSanitizer cannot see how GCC's OpenMP library waits (it reports races where a team has long ended),
// so under it a team is made of plain threads, whose start and end it does see.  The tasks are the same.
#if defined(__SANITIZE_THREAD__)
#include <algorithm>
#include <thread>
#include <vector>
#elif defined(_OPENMP)
#include <omp.h>
#endif

namespace limpid {

#if defined(__SANITIZE_THREAD__)

namespace {
int chosen = 0;  // 0: not set, the machine's cores
thread_local bool inside = false;
}  // namespace

int threads() {
  return chosen > 0 ? chosen : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void set_threads(int count) {
  if (count < 1) fail_call("threads: ", count, " given, expected 1 or more");
  chosen = count;
}

void parallel_for(int64_t count, const std::function<void(int64_t, int)>& task) {
  const int team = static_cast<int>(std::min<int64_t>(count, threads()));
  if (team <= 1 || inside) {  // as in OpenMP, a loop inside a loop is run by the one thread that meets it
    for (int64_t i = 0; i < count; ++i) task(i, 0);
    return;
  }
  // Dealt out in turn, so that every thread has tasks however short they are: a race is seen by what is not
  // ordered, not by what happened to coincide.
  const auto work = [&](int thread) {
    inside = true;
    for (int64_t i = thread; i < count; i += team) task(i, thread);
    inside = false;
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < team; ++thread) others.emplace_back(work, thread);
  work(0);
  for (std::thread& other : others) other.join();
}

#elif defined(_OPENMP)

namespace {
int chosen = 0;  // 0: not set, OpenMP decides
}

int threads() { return chosen > 0 ? chosen : omp_get_max_threads(); }

void set_threads(int count) {
  if (count < 1) fail_call("threads: ", count, " given, expected 1 or more");
  chosen = count;
}

void parallel_for(int64_t count, const std::function<void(int64_t, int)>& task) {
  const int team = static_cast<int>(count < threads() ? count : threads());
  if (team <= 1) {
    for (int64_t i = 0; i < count; ++i) task(i, 0);
    return;
  }
#pragma omp parallel for schedule(dynamic, 1) num_threads(team)
  for (int64_t i = 0; i < count; ++i) task(i, omp_get_thread_num());
}

#else

int threads() { return 1; }

void set_threads(int count) {
  if (count < 1) fail_call("threads: ", count, " given, expected 1 or more");
}

void parallel_for(int64_t count, const std::function<void(int64_t, int)>& task) {
  for (int64_t i = 0; i < count; ++i) task(i, 0);
}

#endif

}  // namespace limpid

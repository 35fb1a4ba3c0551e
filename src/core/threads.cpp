#include "core/threads.h"

#include "limpid/error.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace limpid {

#ifdef _OPENMP

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

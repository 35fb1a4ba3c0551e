// One way to run tasks on several threads.  How work is divided changes no bit of a result (law 3): it is
// divided by shape, never by thread count, but that one thread alone may take it in one piece
// (docs/decisions/0009-one-thread-one-task.md).
#pragma once

#include <cstdint>
#include <functional>

namespace limpid {

/// How many threads parallel_for may use: set_threads' last value, at first the machine's cores
/// (or OMP_NUM_THREADS).  1 where limpid is built without threads.
int threads();

/// Throws Error{call} unless count >= 1.
void set_threads(int count);

/// Calls task(index, thread) for every index in [0, count), each once, in any order; thread is in
/// [0, threads()), so a task can own scratch by thread.  `task` must not throw.
void parallel_for(int64_t count, const std::function<void(int64_t index, int thread)>& task);

}  // namespace limpid

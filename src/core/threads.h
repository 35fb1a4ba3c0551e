// One way to run tasks on several threads.  How work is divided changes no bit of a result (law 3): it is
// divided by shape, never by thread count, but that one thread alone may take it in one piece
// (docs/decisions/0009-one-thread-one-task.md).  The threads are those of core/pool.cpp.
#pragma once

#include <cstdint>

#include "limpid/threads.h"

namespace limpid {

/// What parallel_for calls for each index: a function and the object it belongs to, so that no call
/// allocates.
struct TaskCall {
  void (*call)(const void* task, int64_t index, int thread);
  const void* task;
};

/// parallel_for without its types.
void run_tasks(int64_t count, int team, const TaskCall&);

/// Calls task(index, thread) for every index in [0, count), each once, in any order, on at most `team`
/// threads; thread is in [0, team), so a task can own scratch by thread.  The first exception of a task is
/// thrown here, after all running tasks have ended; tasks not yet begun are left out.  Inside a task of a
/// loop that is shared by several threads, threads() is 1 and a parallel_for runs on that thread alone.
template <class Task>
void parallel_for(int64_t count, int team, const Task& task) {
  run_tasks(count, team,
            {[](const void* which, int64_t index, int thread) {
               (*static_cast<const Task*>(which))(index, thread);
             },
             &task});
}

template <class Task>
void parallel_for(int64_t count, const Task& task) {
  parallel_for(count, threads(), task);
}

}  // namespace limpid

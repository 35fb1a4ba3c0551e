// The threads behind parallel_for (docs/decisions/0011-a-pool-of-our-own.md).
#pragma once

#include "core/threads.h"

namespace limpid {

/// Whether this thread is running a task.
bool inside_task();

/// As run_tasks, for 2 <= team <= count, from outside of any task.
void run_on_pool(int64_t count, int team, const TaskCall&);

}  // namespace limpid

// Runs a kernel for a public call: as kernels::launch, but nothing is allocated on the way once the thread's
// scratch is large enough (a task handed on by value would be copied to the heap), and a lack of memory is
// Error{work}.
#pragma once

#include <functional>
#include <new>

#include "core/threads.h"
#include "kernels/kernel.h"
#include "limpid/error.h"

namespace limpid {

template <kernels::Kernel K>
void launch_call(const K& kernel) {
  try {
    if (kernel.work() < kernels::k_worth_threads || threads() == 1) return kernels::launch(kernel);
    kernels::choose_isa();
    const int64_t each = (kernel.scratch() + 63) / 64 * 64;
    std::byte* const scratch = each > 0 ? kernels::launch_scratch(each * threads()) : nullptr;
    const auto task = [&](int64_t index, int thread) {
      kernel.run(index, scratch ? scratch + thread * each : nullptr);
    };
    parallel_for(kernel.tasks(), std::ref(task));
  } catch (const std::bad_alloc&) {
    fail_work("attention: no memory for ", kernel.scratch(), " bytes of scratch a thread");
  }
}

}  // namespace limpid

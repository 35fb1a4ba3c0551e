// What a kernel is, and the one way to run it.
//
// A kernel knows pointers, sizes and strides, nothing of graphs or models.  It says how many tasks it has and
// how much scratch one task needs, both from the shape alone; run(task, scratch) allocates nothing and throws
// nothing.  Tasks write to different places, so they may run in any order, on any thread: a result's bits
// never depend on the number of threads (law 3).  Checking the arguments is the caller's business.
//
// A kernel may also have run_all(scratch): all its tasks by one thread, undivided, where that is faster
// (docs/decisions/0009).  It writes the same bits as the tasks one by one, and needs no more scratch than
// scratch() says, which is enough for either.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "core/threads.h"
#include "kernels/isa.h"

namespace limpid::kernels {

template <class K>
concept Kernel = requires(const K& kernel, int64_t task, std::byte* scratch) {
  { kernel.tasks() } noexcept -> std::same_as<int64_t>;
  { kernel.scratch() } noexcept -> std::same_as<int64_t>;  // bytes for one task, or run_all; 64-byte aligned
  { kernel.run(task, scratch) } noexcept;
  { kernel.work() } noexcept -> std::same_as<int64_t>;  // about how many operations, all tasks together
};

/// `bytes` for every thread of the next launch on this thread, 64-byte aligned; kept and reused.
std::byte* launch_scratch(int64_t bytes);

/// Below so many operations a kernel runs on the calling thread: waking others takes longer, much longer on a
/// busy machine (gpt-nano-sort's 4,374 runs: 0.6 s of CPU instead of 18 s).
inline constexpr int64_t k_worth_threads = 1 << 18;

/// A kernel that does better by not dividing its work, where one thread has all of it.
template <class K>
concept UndividedKernel = Kernel<K> && requires(const K& kernel, std::byte* scratch) {
  { kernel.run_all(scratch) } noexcept;
};

/// Every task on this thread.
template <Kernel K>
void run_here(const K& kernel, std::byte* scratch) {
  if constexpr (UndividedKernel<K>) {
    kernel.run_all(scratch);
  } else {
    for (int64_t task = 0; task < kernel.tasks(); ++task) kernel.run(task, scratch);
  }
}

/// Runs every task of the kernel.  Called from inside a task it runs there, on that thread alone.
template <Kernel K>
void launch(const K& kernel) {
  choose_isa();
  const int team = threads();  // once: another thread may set it meanwhile
  if (kernel.work() < k_worth_threads || team == 1)
    return run_here(kernel, kernel.scratch() > 0 ? launch_scratch(kernel.scratch()) : nullptr);
  const int64_t each = (kernel.scratch() + 63) / 64 * 64;
  std::byte* scratch = each > 0 ? launch_scratch(each * team) : nullptr;
  parallel_for(kernel.tasks(), team, [&](int64_t task, int thread) {
    kernel.run(task, scratch ? scratch + thread * each : nullptr);
  });
}

}  // namespace limpid::kernels

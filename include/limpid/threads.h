// Threads: on how many limpid computes, and what may be called from several threads at once.
//
//   limpid::set_threads(4);                 // for every call of this process
//   {
//     limpid::ScopedThreads one(1);         // for the calls that this thread makes in this block
//     out = limpid::fused::forward(a);
//   }
//
// How many.  A call computes on threads() threads: its own and, for work worth sharing, others of one pool
// that all callers of the process share.  The pool's threads start when first needed, stay, and sleep between
// calls: after work has run out they look for more for a few microseconds, no longer.  Outputs have the same
// bits at any number of threads.  The pool's threads take no signals, and compute in the caller's
// floating-point environment (rounding, subnormals).
//
// Calls from several threads at once:
//
//   functions of fused::    yes; two calls may read the same memory, no call may write what another reads
//
//   Engine::run             yes, on one engine too: each run has working memory of its own (kept for the next
//                           run, so an engine holds as much as the most runs it has had at once)
//
//   Model                   trace, run, generate and all that is const: yes, on one model too.  Not beside a
//                           call that changes the model: parameters() of a model that is not const, set_title
//
//   Tokenizer               everything const: yes
//
//   Trainer, Optimizer      one thread at a time; different ones beside each other: yes
//
//   Tensor, Graph, Trace,   as containers of the standard library: reading together: yes; writing: alone
//   Scene
//
//   set_threads             yes; a call that is running keeps the number that it began with
//
// fork().  The child has the calling thread alone, and may use limpid from there as the parent does: it makes
// a pool of its own at its first call.  Engines, models and memory are copied and stay usable, unless another
// thread was inside a call on them at that moment.  Not to be called from inside a call (a callback of a
// Trainer is outside).
//
// Where limpid is built without threads (LIMPID_THREADS=OFF) threads() is 1, and everything runs on the
// caller's thread.
#pragma once

#include "limpid/api.h"

namespace LIMPID_API limpid {

/// The most that set_threads and ScopedThreads take.
inline constexpr int k_most_threads = 1024;

/// On how many threads a call made here computes: what the innermost ScopedThreads of this thread says, else
/// set_threads, else OMP_NUM_THREADS from the environment (read once; a value that is no number from 1 is
/// complained of on standard error, once, and passed over), else the cores that this process may use.
int threads();

/// For every call of the process from now on.  Throws Error{call} unless count is 1 to k_most_threads.
void set_threads(int count);

/// For the calls that this thread makes while the object lives; the innermost one counts.  It belongs on the
/// stack of the thread that makes the calls.
class ScopedThreads {
 public:
  /// Throws Error{call} unless count is 1 to k_most_threads.
  explicit ScopedThreads(int count);
  ~ScopedThreads();
  ScopedThreads(const ScopedThreads&) = delete;
  ScopedThreads& operator=(const ScopedThreads&) = delete;

 private:
  int before_;
};

}  // namespace LIMPID_API limpid

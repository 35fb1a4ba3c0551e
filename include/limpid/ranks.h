// Ranks: processes, on one machine or several, that train one model together, each on its part of every
// batch.
//
//   Ranks& ranks = own_ranks();          // one process, or what mpirun started
//   trainer.share_with(ranks);
//   trainer.run();
//
// Every rank makes the same calls in the same order.  Numbers that a sum or a broadcast leaves behind have
// the same bits on all ranks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "limpid/api.h"

namespace LIMPID_API limpid {

/// A single process; what runs on several overrides everything.
class Ranks {
 public:
  Ranks() = default;
  virtual ~Ranks() = default;
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  virtual int rank() const { return 0; }
  virtual int size() const { return 1; }
  bool alone() const { return size() == 1; }
  bool writes() const { return rank() == 0; }  // files and lines of text: one rank alone

  /// Begins to add up numbers over all ranks, in place; it goes on while the caller computes.  The memory is
  /// not touched until wait() has returned.
  virtual void begin_sum(float*, int64_t) {}
  virtual void begin_sum(double*, int64_t) {}
  /// Until everything that was begun is done.
  virtual void wait() {}
  /// Rank 0's bytes, on all ranks.
  virtual void broadcast(void*, size_t) {}

  /// Every rank has failed in the same way, and says so within `seconds`: true on all of them.  False: this
  /// one failed alone.
  virtual bool all_failed(double) { return true; }
  /// Ends all ranks at once.
  virtual void abandon(int) {}
  /// The last call: no rank is waited for any more.
  virtual void leave() {}

  /// Called now and then while wait() lasts, with the seconds that it has lasted.
  std::function<void(double seconds)> while_waiting;

  struct Times {
    double summing = 0;  // seconds in which a sum was under way
    double waited = 0;   // of these, seconds in which wait() had nothing else to do
    int64_t bytes = 0;   // of the numbers summed
  };
  /// Since the start; zeros of a single process.
  virtual Times times() const { return {}; }
};

/// One double, added up over all ranks.
double sum_over(Ranks&, double);
/// Throws Error{work} on every rank unless `digest` is rank 0's everywhere.  `what` says what it is of.
void require_same(Ranks&, uint64_t digest, const std::string& what);

/// The ranks that this process is one of.  Started by mpirun, or srun, it joins the others through the module
/// limpid_mpi.so, which lies beside the program or the library, or in its lib/limpid; else it is alone.
/// Throws Error{work} for a launcher without the module or of another MPI.  The same object at every call.
Ranks& own_ranks();

}  // namespace LIMPID_API limpid

// Timing on a machine that is not quiet: everything that will be compared runs in turn, round after round, so
// that what disturbs one disturbs all; the best round is the claim, the median beside it says how noisy it
// was.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace limpid::bench {

class Rounds {
 public:
  /// Something to time: called on `threads` threads (core/threads.h) and the instruction set `isa` ("": the
  /// best). Returns its number.
  size_t add(int threads, std::string isa, std::function<void()> run);

  /// Runs all of them in turn, `rounds` times, each long enough to last about `least` seconds (once where one
  /// call takes longer).  Shows progress on a terminal.
  void run(int rounds, double least = 0.001);

  /// Seconds a call.
  double best(size_t entry) const;
  double median(size_t entry) const;

 private:
  struct Entry {
    int threads;
    std::string isa;
    std::function<void()> run;
    int64_t calls = 1;  // a round
    std::vector<double> seconds;
  };
  double sample(Entry& entry) const;

  std::vector<Entry> entries_;
};

}  // namespace limpid::bench

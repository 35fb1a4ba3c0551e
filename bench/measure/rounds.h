// Timing on a machine that is not quiet: everything that will be compared runs in turn, round after round, so
// that what disturbs one disturbs all; the best round is the claim, the median beside it says how noisy it
// was.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace limpid::bench {

/// Makes so many calls one after another; returns the seconds they took together.
using Sample = std::function<double(int64_t calls)>;

/// Samples of a function of this process, on `threads` threads (core/threads.h) and the instruction set `isa`
/// ("": the one in use).
Sample timed(int threads, std::string isa, std::function<void()> run);

class Rounds {
 public:
  /// Something to time.  Returns its number.
  size_t add(Sample sample);

  struct Options {
    int rounds = 9;
    double least =
        0.002;  // seconds that a sample lasts: so many calls are made; one where a call takes longer
    double at_most = 1e30;  // seconds: no round begins later (the first always does)
    std::function<void(double share, double seconds_left)> progress;  // after every sample
  };
  /// Runs all of them in turn, round after round.  Threads and instruction set are then as before.
  void run(const Options& options);

  /// How many rounds there were.
  int rounds() const;
  /// Seconds a call.
  double best(size_t entry) const;
  double median(size_t entry) const;

 private:
  struct Entry {
    Sample sample;
    int64_t calls = 1;  // a round
    std::vector<double> seconds;
  };
  static double prepare(Entry& entry, double least);

  std::vector<Entry> entries_;
};

}  // namespace limpid::bench

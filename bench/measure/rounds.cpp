#include "bench/measure/rounds.h"

#include <algorithm>
#include <chrono>

#include "core/threads.h"
#include "kernels/isa.h"

namespace limpid::bench {

namespace {

using Clock = std::chrono::steady_clock;

// What a sample finds in the caches is what the sample before left there.  Where that counts, one call goes
// ahead of it, for limits, kernels and peers alike.
constexpr double k_short = 0.025;  // seconds of a sample

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

Sample timed(int threads, std::string isa, std::function<void()> run) {
  return [threads, isa = std::move(isa), run = std::move(run)](int64_t calls) {
    set_threads(threads);
    if (!isa.empty()) kernels::force_isa(isa);
    const Clock::time_point start = Clock::now();
    for (int64_t i = 0; i < calls; ++i) run();
    return since(start);
  };
}

size_t Rounds::add(Sample sample) {
  entries_.push_back({std::move(sample), 1, {}});
  return entries_.size() - 1;
}

// Touches its memory, wakes its threads, and finds how many calls a round needs.  Returns the seconds of a
// round.
double Rounds::prepare(Entry& entry, double least) {
  double took = entry.sample(1);
  if (took >= 50 * least) return took;  // long enough to show no trace of a first time
  constexpr int64_t k_most = 1 << 30;
  for (took = entry.sample(entry.calls); took < least && entry.calls < k_most;
       took = entry.sample(entry.calls)) {
    const double factor = std::clamp(1.2 * least / std::max(took, 1e-9), 1.0, 8.0);
    entry.calls = std::max(entry.calls + 1, static_cast<int64_t>(static_cast<double>(entry.calls) * factor));
  }
  return took;
}

void Rounds::run(const Options& options) {
  const int threads_before = threads();
  const std::string isa_before = kernels::isa_name();
  const Clock::time_point start = Clock::now();
  std::vector<double> cost;  // of one sample of each
  double round_costs = 0, done = 0;
  // Until all have been called once nobody knows how long a round takes: the preparation is shown as round 0.
  for (Entry& entry : entries_) {
    cost.push_back(prepare(entry, options.least));
    round_costs += cost.back();
    if (options.progress)
      options.progress(
          static_cast<double>(cost.size()) / static_cast<double>(entries_.size()) / (options.rounds + 1), -1);
  }
  for (int round = 0; round < options.rounds; ++round) {
    if (round > 0 && since(start) + round_costs > options.at_most) break;
    for (size_t i = 0; i < entries_.size(); ++i) {
      Entry& entry = entries_[i];
      if (cost[i] < k_short) entry.sample(1);
      entry.seconds.push_back(entry.sample(entry.calls) / static_cast<double>(entry.calls));
      done += cost[i];
      const double left = std::min(options.rounds * round_costs - done, options.at_most - since(start));
      if (options.progress)
        options.progress((1 + done / round_costs) / (options.rounds + 1), std::max(0.0, left));
    }
  }
  set_threads(threads_before);
  kernels::force_isa(isa_before);
}

int Rounds::rounds() const {
  return entries_.empty() ? 0 : static_cast<int>(entries_.front().seconds.size());
}

double Rounds::best(size_t entry) const {
  return *std::min_element(entries_[entry].seconds.begin(), entries_[entry].seconds.end());
}

double Rounds::median(size_t entry) const {
  std::vector<double> sorted = entries_[entry].seconds;
  std::sort(sorted.begin(), sorted.end());
  const size_t half = sorted.size() / 2;
  return sorted.size() % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

}  // namespace limpid::bench

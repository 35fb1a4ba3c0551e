#include "bench/rounds.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core/threads.h"
#include "kernels/isa.h"

namespace limpid::bench {

size_t Rounds::add(int threads, std::string isa, std::function<void()> run) {
  entries_.push_back({threads, std::move(isa), std::move(run), 1, {}});
  return entries_.size() - 1;
}

double Rounds::sample(Entry& entry) const {
  set_threads(entry.threads);
  if (!entry.isa.empty()) kernels::force_isa(entry.isa);
  const auto start = std::chrono::steady_clock::now();
  for (int64_t i = 0; i < entry.calls; ++i) entry.run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void Rounds::run(int rounds, double least) {
  const int threads_before = threads();
  const std::string isa_before = kernels::isa_name();
  for (Entry& entry : entries_) {
    sample(entry);  // touches its memory, wakes its threads
    for (double took = sample(entry); took < least; took = sample(entry))
      entry.calls =
          std::max(entry.calls + 1, static_cast<int64_t>(static_cast<double>(entry.calls) *
                                                         std::min(8.0, 1.2 * least / std::max(took, 1e-9))));
  }
  const bool shown = isatty(2) != 0;
  for (int round = 1; round <= rounds; ++round) {
    if (shown) std::fprintf(stderr, "\rround %d of %d ", round, rounds);
    for (Entry& entry : entries_) entry.seconds.push_back(sample(entry) / static_cast<double>(entry.calls));
  }
  if (shown) std::fprintf(stderr, "\r%40s\r", "");
  set_threads(threads_before);
  kernels::force_isa(isa_before);
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

#include "limpid/ranks_call.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "limpid/error.h"
#include "limpid/threads.h"

namespace limpid::command {

namespace {

constexpr double k_failing = 3;  // seconds within which ranks fail together

// Ranks of one machine share its cores; OMP_NUM_THREADS or --threads says otherwise.
void share_cores(const Ranks& ranks) {
  const char* local = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  if (ranks.alone() || !local || std::getenv("OMP_NUM_THREADS") || std::atoi(local) < 2) return;
  set_threads(std::max(1, threads() / std::atoi(local)));
}

int status_of(const Error& error) { return error.kind() == Error::Kind::call ? 2 : 1; }

// A rank's failure.  True: it is every rank's, and rank 0 says it.
bool shared_failure(Ranks& ranks, const std::string& what, int status) {
  if (ranks.all_failed(k_failing)) {
    ranks.leave();
    return true;
  }
  std::fprintf(stderr, "limpid: rank %d of %d: %s\n", ranks.rank(), ranks.size(), what.c_str());
  std::fflush(stderr);
  ranks.abandon(status);
  return false;
}

}  // namespace

void on_ranks(const Terminal& terminal, const std::function<void(const Terminal&, Ranks&)>& work) {
  Ranks& ranks = own_ranks();
  if (ranks.alone()) return work(terminal, ranks);
  // A launcher hands the output on, and may make each rank a terminal of its own.
  Terminal own = terminal;
  own.output = own.progress = own.colour = own.true_colour = false;
  share_cores(ranks);
  try {
    work(own, ranks);
  } catch (const Error& error) {
    if (shared_failure(ranks, error.what(), status_of(error)) && ranks.writes()) throw;
    return;
  } catch (const std::exception& error) {
    if (shared_failure(ranks, error.what(), 1) && ranks.writes()) throw;
    return;
  } catch (...) {  // a closed pipe: nobody reads what rank 0 says
    ranks.abandon(0);
    throw;
  }
  ranks.leave();
}

std::string launcher_of(const Ranks& ranks) {
  return ranks.alone() ? "" : join("mpirun -n ", ranks.size(), " ");
}

std::string summing_of(const Ranks& ranks) {
  if (ranks.alone()) return "";
  const Ranks::Times times = ranks.times();
  char line[200];
  std::snprintf(line, sizeof line,
                "%-16s%.1f MB summed in %.2f s, of which %.2f s (%.0f%%) were waited for\n",
                join(ranks.size(), " ranks").c_str(), static_cast<double>(times.bytes) / 1e6, times.summing,
                times.waited, 100 * times.waited / std::max(1e-9, times.summing));
  return line;
}

void say_waiting(int64_t step, int64_t saved_step, const std::string& command) {
  const std::string saved = saved_step < 0 ? std::string("this run has saved no checkpoint")
                                           : join("the checkpoint of step ", saved_step,
                                                  " is whole; go on with `", command, " --resume`");
  std::fprintf(stderr,
               "limpid: asked to end after step %lld, waiting for the other ranks; if one is lost, %s\n",
               static_cast<long long>(step), saved.c_str());
  std::fflush(stderr);
}

void remove_left_over(const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    int process = 0, number = 0, end = 0;
    const std::string name = entry.path().filename().string();
    if (std::sscanf(name.c_str(), ".limpid-%d-%d.tmp%n", &process, &number, &end) != 2 ||
        end != static_cast<int>(name.size()))
      continue;
    if (process > 0 && ::kill(process, 0) != 0 && errno == ESRCH) std::filesystem::remove(entry, error);
  }
}

}  // namespace limpid::command

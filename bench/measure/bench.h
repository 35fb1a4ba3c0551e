// `limpid bench`: this machine's limits, how close the kernels come, and, beside them, other programs
// (peer.h), all in the same rounds.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace limpid::bench {

struct Request {
  std::vector<std::string> only;  // patterns (catalogue.h); empty: everything
  bool quick = false;             // the quick cases, and no round begins after 40 seconds
  bool limits_only = false;       // no kernels
  std::vector<int> threads;       // empty: 1, and as many as core/threads.h says
  std::vector<std::string> isas;  // empty: the one in use
  int rounds = 9;
  std::vector<std::string> peers;  // commands
};

struct LimitRow {
  std::string name, type, unit, isa;  // "multiply-adds", "f32", "operations"
  int threads = 1;
  double best = 0, median = 0;  // units a second
};

struct Row {
  std::string what, shape, type, mask, layout, isa;
  int threads = 1;
  double best = 0, median = 0;  // seconds
  double share = 0;             // of the limit, both at their best
  std::string peer, version;    // "" for limpid
};

struct Results {
  int rounds = 0;
  std::vector<LimitRow> limits;
  std::vector<Row> rows;                                     // a peer's follow the one they are held against
  std::vector<std::pair<std::string, int64_t>> peak_memory;  // bytes, of this process and each peer's
};

/// Called now and then: how much is done (0..1), and about how many seconds are left (negative: not known
/// yet).
using Progress = std::function<void(double share, double seconds_left)>;

/// Throws Error{call} for a request that nothing can answer, Error{work} where a peer fails.
Results measure(const Request& request, const Progress& progress);

/// For people: the limits, then a table for every kind of work.
std::string table_of(const Results& results);
/// For programs: an array, an object a row.
std::string json_of(const Results& results);
/// For bench/results: the machine, the command, limits and rows.
void write_results(const std::string& path, const Results& results);

}  // namespace limpid::bench

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "bench/measure/bench.h"
#include "bench/measure/program.h"
#include "limpid/error.h"

namespace limpid::bench {
namespace {

using nlohmann::ordered_json;

std::string percent(double share) { return fixed(100 * share, 0) + "%"; }

// Three digits and no more: 0.0123, 1.23, 12.3, 123.
std::string short_number(double value) {
  const double size = std::abs(value);
  return fixed(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4);
}

// ---- the limits ----------------------------------------------------------------------------------

std::string unit_text(const std::string& unit) {
  return unit == "operations" ? "GFLOP/s" : unit == "bytes" ? "GB/s" : "G elements/s";
}

std::vector<int> counts_of(const auto& rows) {
  std::vector<int> counts;
  for (const auto& row : rows)
    if (std::find(counts.begin(), counts.end(), row.threads) == counts.end()) counts.push_back(row.threads);
  std::sort(counts.begin(), counts.end());
  return counts;
}

std::string threads_text(int count) { return count == 1 ? "1 thread" : join(count, " threads"); }

// The same limit on several numbers of threads is one line.  Blocks that grow with the threads are lines of
// their own.
std::string limits_table(const Results& results) {
  const std::vector<int> counts = counts_of(results.limits);
  using Line = std::tuple<std::string, std::string, std::string, std::string>;  // isa, name, type, unit
  std::vector<std::pair<Line, std::map<int, const LimitRow*>>> lines;
  for (const LimitRow& row : results.limits) {
    const Line line{row.isa, row.name, row.type, row.unit};
    auto found = std::find_if(lines.begin(), lines.end(), [&](const auto& l) { return l.first == line; });
    if (found == lines.end()) found = lines.insert(lines.end(), {line, {}});
    found->second[row.threads] = &row;
  }
  Table table;
  std::vector<std::string> head = {"What this machine can do at most", "", ""};
  for (int count : counts) head.insert(head.end(), {threads_text(count), "(median)"});
  table.add(head);
  for (const auto& [line, cells] : lines) {
    const auto& [isa, name, type, unit] = line;
    std::vector<std::string> row = {join("  ", name, type.empty() ? "" : ", ", type), isa, unit_text(unit)};
    for (int count : counts) {
      const auto cell = cells.find(count);
      if (cell == cells.end())
        row.insert(row.end(), {"", ""});
      else
        row.insert(row.end(), {short_number(cell->second->best / 1e9),
                               "(" + short_number(cell->second->median / 1e9) + ")"});
    }
    table.add(row);
  }
  return table.text();
}

// ---- the kernels ---------------------------------------------------------------------------------

using Line = std::tuple<std::string, std::string, std::string, std::string, std::string, std::string>;
Line line_of(const Row& r) { return {r.shape, r.type, r.mask, r.layout, r.isa, r.peer}; }

std::string kind_table(const std::vector<Row>& rows) {
  const std::vector<int> counts = counts_of(rows);
  std::vector<std::pair<Line, std::map<int, const Row*>>> lines;
  for (const Row& row : rows) {
    auto found =
        std::find_if(lines.begin(), lines.end(), [&](const auto& l) { return l.first == line_of(row); });
    if (found == lines.end()) {
      // A peer's line goes below the one it is held against, whatever it runs on.
      auto place = lines.end();
      if (!row.peer.empty())
        for (auto at = lines.begin(); at != lines.end(); ++at) {
          const Row& other = *at->second.begin()->second;
          if (std::tie(other.shape, other.type, other.mask, other.layout) ==
              std::tie(row.shape, row.type, row.mask, row.layout))
            place = at + 1;
        }
      found = lines.insert(place, {line_of(row), {}});
    }
    found->second[row.threads] = &row;
  }
  Table table;
  const bool one_isa =
      std::all_of(rows.begin(), rows.end(), [&](const Row& r) { return r.isa == rows.front().isa; });
  std::vector<std::string> head = {rows.front().what + ", ms", "", "", ""};
  if (one_isa)
    head[0] += " on " + rows.front().isa;
  else
    head.emplace_back("");
  for (int count : counts) head.insert(head.end(), {threads_text(count), "(median)", "share"});
  table.add(head);
  for (const auto& [line, cells] : lines) {
    const Row& first = *cells.begin()->second;
    std::vector<std::string> row = {"  " + first.shape, first.type, first.mask, first.layout};
    if (!one_isa) row.push_back(first.isa);
    if (!first.peer.empty()) row[0] = join("    ", first.peer, " ", first.version);
    for (int count : counts) {
      const auto cell = cells.find(count);
      if (cell == cells.end())
        row.insert(row.end(), {"", "", ""});
      else
        row.insert(row.end(),
                   {short_number(1e3 * cell->second->best),
                    "(" + short_number(1e3 * cell->second->median) + ")", percent(cell->second->share)});
    }
    table.add(row);
  }
  return table.text();
}

ordered_json json_row(const Row& r) {
  ordered_json row = {{"what", r.what},
                      {"shape", r.shape},
                      {"type", r.type},
                      {"mask", r.mask},
                      {"layout", r.layout},
                      {"threads", r.threads},
                      {"isa", r.isa},
                      {"ms_best", 1e3 * r.best},
                      {"ms_median", 1e3 * r.median},
                      {"share_of_limit", r.share}};
  if (!r.peer.empty()) row["peer"] = r.peer, row["version"] = r.version;
  return row;
}

ordered_json json_rows(const Results& results) {
  auto rows = ordered_json::array();
  for (const Row& row : results.rows) rows.push_back(json_row(row));
  return rows;
}

}  // namespace

std::string table_of(const Results& results) {
  std::string text = join(machine_text(), "; the best of ", results.rounds,
                          results.rounds == 1 ? " round" : " rounds, everything in turn", "\n\n");
  text += limits_table(results);
  std::vector<std::string> kinds;
  for (const Row& row : results.rows)
    if (std::find(kinds.begin(), kinds.end(), row.what) == kinds.end()) kinds.push_back(row.what);
  for (const std::string& kind : kinds) {
    std::vector<Row> rows;
    for (const Row& row : results.rows)
      if (row.what == kind) rows.push_back(row);
    text += '\n' + kind_table(rows);
  }
  if (!results.rows.empty())
    text += "\nshare: of the time that the slowest of its limits would take, both at their best.\n";
  return text;
}

std::string json_of(const Results& results) {
  std::string text = "[";
  for (const Row& row : results.rows) text += (text.size() > 1 ? ",\n " : "") + json_row(row).dump();
  return text + "]\n";
}

void write_results(const std::string& path, const Results& results) {
  auto limits = ordered_json::array();
  for (const LimitRow& l : results.limits)
    limits.push_back({{"name", l.name},
                      {"type", l.type},
                      {"unit", l.unit + " a second"},
                      {"isa", l.isa},
                      {"threads", l.threads},
                      {"best", l.best},
                      {"median", l.median}});
  ordered_json memory = ordered_json::object();
  for (const auto& [who, bytes] : results.peak_memory) memory[who] = bytes;
  write_result(path, {{"rounds", results.rounds},
                      {"peak_memory_bytes", std::move(memory)},
                      {"limits", std::move(limits)},
                      {"rows", json_rows(results)}});
}

}  // namespace limpid::bench

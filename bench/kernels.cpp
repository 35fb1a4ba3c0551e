// bench_kernels: what this machine can do at most, and what the kernels reach of it.
//   products, attention   a share of the multiply-adds a second that a loop on registers alone reaches
//   norm, softmax, ...    bytes a second, beside a plain copy of as many bytes
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/program.h"
#include "bench/rounds.h"
#include "bench/works.h"
#include "core/threads.h"
#include "kernels/isa.h"
#include "limpid/error.h"

namespace limpid::bench {
namespace {

struct Call {
  int rounds = 60;
  std::string isa, only, json;
};

struct Result {
  double best = 0, median = 0;              // G a second
  double share_best = 0, share_median = 0;  // of the ceiling's best, and median
};

using Results = std::vector<std::vector<Result>>;  // by work, by thread count

Results measure(const std::vector<Work>& works, const std::vector<int>& counts, int rounds) {
  Rounds timed;
  for (const Work& work : works)
    for (int count : counts) timed.add(count, work.isa, work.run);
  timed.run(rounds);
  Results results(works.size());
  for (size_t w = 0; w < works.size(); ++w)
    for (size_t c = 0; c < counts.size(); ++c) {
      // The peak's amount is that of one thread; every thread does as much.
      const bool every_thread = works[w].ceiling < 0 && !works[w].bytes;
      const double amount = works[w].amount * (every_thread ? counts[c] : 1) / 1e9;
      const size_t entry = w * counts.size() + c;
      results[w].push_back({amount / timed.best(entry), amount / timed.median(entry)});
    }
  for (size_t w = 0; w < works.size(); ++w)
    for (size_t c = 0; works[w].ceiling >= 0 && c < counts.size(); ++c) {
      const Result& top = results[static_cast<size_t>(works[w].ceiling)][c];
      results[w][c].share_best = results[w][c].best / top.best;
      results[w][c].share_median = results[w][c].median / top.median;
    }
  return results;
}

std::string percent(double share) { return fixed(100 * share, 0) + "%"; }

void print(const std::vector<Work>& works, const std::vector<int>& counts, const Results& results) {
  std::vector<std::string> groups;
  for (const Work& work : works)
    if (std::find(groups.begin(), groups.end(), work.group) == groups.end()) groups.push_back(work.group);
  Table table;
  for (const std::string& group : groups) {
    const auto first =
        std::find_if(works.begin(), works.end(), [&](const Work& w) { return w.group == group; });
    table.add({"\n" + group});
    std::vector<std::string> head = {first->bytes ? "  GB/s" : "  GFLOP/s"};
    for (int count : counts) {
      head.push_back(count == 1 ? "1 thread" : join(count, " threads"));
      head.insert(head.end(), {first->ceiling < 0 ? "" : "share", "(median)"});
    }
    table.add(head);
    for (size_t w = 0; w < works.size(); ++w) {
      if (works[w].group != group) continue;
      std::vector<std::string> row = {"  " + works[w].name};
      for (const Result& r : results[w]) {
        row.push_back(fixed(r.best, 1));
        if (works[w].ceiling < 0)
          row.insert(row.end(), {"", "(" + fixed(r.median, 1) + ")"});
        else
          row.insert(row.end(), {percent(r.share_best), "(" + percent(r.share_median) + ")"});
      }
      table.add(row);
    }
  }
  std::fputs(table.text().c_str(), stdout);
}

nlohmann::ordered_json json_of(const std::vector<Work>& works, const std::vector<int>& counts,
                               const Results& results) {
  auto list = nlohmann::ordered_json::array();
  for (size_t w = 0; w < works.size(); ++w)
    for (size_t c = 0; c < counts.size(); ++c) {
      const Result& r = results[w][c];
      nlohmann::ordered_json row = {{"group", works[w].group}, {"name", works[w].name},
                                    {"threads", counts[c]},    {"unit", works[w].bytes ? "GB/s" : "GFLOP/s"},
                                    {"best", r.best},          {"median", r.median}};
      if (works[w].ceiling >= 0) {
        row["ceiling"] = works[static_cast<size_t>(works[w].ceiling)].name;
        row["share_best"] = r.share_best;
        row["share_median"] = r.share_median;
      }
      list.push_back(std::move(row));
    }
  return list;
}

void run(const Call& call, int argc, char** argv) {
  if (call.rounds < 1) fail_call("--rounds is ", call.rounds, ", expected 1 or more");
  if (!call.isa.empty()) kernels::force_isa(call.isa);
  const std::string isa = kernels::isa_name();
  std::vector<int> counts = {1};
  if (threads() > 1) counts.push_back(threads());
  std::printf("%s; the best of %d rounds\n", machine_text().c_str(), call.rounds);
  const std::vector<Work> all = works(isa, call.only);
  const Results results = measure(all, counts, call.rounds);
  print(all, counts, results);
  std::printf(
      "\nshare: of the ceiling above, multiply-adds on %s or a copy of as many bytes; in brackets the\n"
      "median's share of the ceiling's median.\n",
      isa.c_str());
  if (!call.json.empty())
    write_result(call.json, argc, argv,
                 {{"rounds", call.rounds}, {"kernels", json_of(all, counts, results)}});
}

}  // namespace
}  // namespace limpid::bench

int main(int argc, char** argv) {
  limpid::bench::Call call;
  CLI::App app("This machine's limits, and how close the kernels come.", "bench_kernels");
  app.add_option("--rounds", call.rounds, "how often everything is run in turn")->capture_default_str();
  app.add_option("--isa", call.isa, "the instruction set of the kernels (default: the best, or LIMPID_ISA)");
  app.add_option("--only", call.only, "only what has these letters in its name");
  app.add_option("--json", call.json, "also write the result to this file");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) ? 2 : 0;
  }
  return limpid::bench::guarded("bench_kernels", [&] { limpid::bench::run(call, argc, argv); });
}

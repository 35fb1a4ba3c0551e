// limpid bench: this machine's limits, and how close the kernels come.
#include "bench/measure/bench.h"

#include <cmath>
#include <cstdio>

#include "bench/measure/peer.h"
#include "limpid/commands.h"
#include "limpid/error.h"

namespace limpid::command {

namespace {

struct BenchCall {
  bench::Request request;
  std::string output;
  bool json = false, serve = false;
};

// One line of standard error, drawn over and over, where that is a terminal.
class Meter {
 public:
  explicit Meter(const Terminal& terminal) : shown_(terminal.progress) {}
  ~Meter() {
    if (shown_) std::fputs("\r\x1b[K", stderr);
  }
  void show(double share, double seconds_left) const {
    if (!shown_) return;
    std::string line = join("measuring: ", std::lround(100 * share), "%");
    if (seconds_left >= 0) line += join(", about ", std::lround(std::ceil(seconds_left)), " s left");
    std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
    std::fflush(stderr);
  }

 private:
  const bool shown_;
};

bench::Results measured(const BenchCall& call, const Terminal& terminal) {
  const Meter meter(terminal);
  return bench::measure(call.request, [&](double share, double left) { meter.show(share, left); });
}

void run(const BenchCall& call, const Terminal& terminal) {
  if (call.serve) return bench::serve_limpid();
  const bench::Results results = measured(call, terminal);
  if (!call.output.empty()) bench::write_results(call.output, results);
  print(call.json ? bench::json_of(results) : bench::table_of(results));
}

}  // namespace

Work add_bench(CLI::App& app) {
  auto call = std::make_shared<BenchCall>();
  CLI::App* sub = app.add_subcommand(
      "bench", "Measures what this machine can do at most, and what the kernels reach of it.");
  sub->add_option("--only", call->request.only,
                  "What is timed, in words of its row, such as \"attention_forward c causal\"; may be given "
                  "several times.")
      ->type_name("WORDS")
      ->allow_extra_args(false);
  sub->add_flag("--quick", call->request.quick, "The most important rows, in less than a minute.");
  sub->add_flag("--limits", call->request.limits_only, "The machine's limits alone.");
  sub->add_option("--rounds", call->request.rounds,
                  "How often everything is run in turn; the best of each is reported (9).")
      ->type_name("N");
  sub->add_option("--threads", call->request.threads,
                  "The numbers of threads it runs on (1, and all of the machine's cores).")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("N,...");
  sub->add_option("--isa", call->request.isas,
                  "The instruction sets: avx512, avx2, neon, plain (the best there is, or LIMPID_ISA).")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("NAME,...");
  sub->add_option(
         "--peer", call->request.peers,
         "A program to measure in the same rounds; bench/README.md says how it answers. May be given "
         "several times.")
      ->type_name("COMMAND")
      ->allow_extra_args(false);
  CLI::Option* json = sub->add_flag("--json", call->json, "An array with an object for every row.");
  sub->add_option("-o,--output", call->output,
                  "Also writes rows, limits and the machine to this file, as JSON.")
      ->type_name("FILE");
  sub->add_flag("--serve", call->serve,
                "Is a peer itself: answers on standard output what standard input asks.")
      ->excludes(json);
  sub->footer(
      "Examples:\n"
      "  limpid bench --quick\n"
      "  limpid bench --only \"attention_forward c\" --threads 1 --rounds 30\n"
      "  limpid bench --only matmul --isa avx512,avx2 --json\n");
  return [call](const Terminal& terminal) { run(*call, terminal); };
}

}  // namespace limpid::command

// bench_train: how fast a recipe trains on this machine, as a share of what the machine can do, and where the
// time of a step goes.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/measure/loops.h"
#include "bench/measure/made_text.h"
#include "bench/measure/program.h"
#include "bench/measure/rounds.h"
#include "bench/profile.h"
#include "core/threads.h"
#include "limpid/files.h"

namespace limpid::bench {
namespace {

struct Call {
  std::string data;
  std::vector<std::string> recipes = {"recipes/shakespeare_char.json", "recipes/builtin.json"};
  int steps = 8;
  std::string json;
};

// ---- measuring -----------------------------------------------------------------------------------

using Parts = std::map<std::string, StepProfile::Part>;

double seconds_of(const Parts& parts) {
  double sum = 0;
  for (const auto& [kind, part] : parts) sum += part.seconds;
  return sum;
}

struct Result {
  std::string recipe;
  int64_t parameters = 0, batch = 0, positions = 0;  // examples or windows; tokens or patches of the batch
  bool packed = false;
  // Where it packs: seconds of the same examples side by side, and how many times as long a token takes in a
  // run whose padded batches are sorted by length.
  double padded_best = 0, padded_median = 0, sorted_share = 0;
  double operations = 0;                                        // a step
  double best = 0, median = 0, peak_best = 0, peak_median = 0;  // seconds a step, operations a second
  Parts parts;                                                  // of the fastest step

  double tokens() const { return static_cast<double>(positions); }
  double share_best() const { return operations / best / peak_best; }
  double share_median() const { return operations / median / peak_median; }
};

void show_progress(double share, double) { std::fprintf(stderr, "\r%3.0f%% ", 100 * share); }

// Of texts what is learned makes no difference, so that no data has to be there.
TrainingData data_of(const Recipe& recipe, const std::string& folder) {
  if (recipe.task == Task::next_word) return std::vector<std::string>{made_text(400000)};
  if (recipe.task != Task::algorithm && folder.empty())
    fail_call("the recipe of the task '", name(recipe.task), "' needs its data: --data FOLDER");
  return read_training_data(recipe, folder);
}

Recipe unpacked(Recipe recipe) {
  recipe.pack = false;
  return recipe;
}

// A run of which each batch has another number of tokens: so many in the mean.
class CountedRun {
 public:
  CountedRun(const Recipe& recipe, const TrainingData& data, const Given& given, bool packed)
      : trainer_(recipe, data), task_(prepare(trainer_.recipe(), data, given)), packed_(packed) {}
  void step() { trainer_.step(); }
  double positions() const {
    int64_t all = 0;
    for (int64_t step = 0; step < trainer_.steps_done(); ++step)
      all += task_.data->batch(step, packed_).positions;
    return static_cast<double>(all) / static_cast<double>(trainer_.steps_done());
  }

 private:
  Trainer trainer_;
  PreparedTask task_;
  bool packed_;
};

// Beside texts one behind another: the same examples side by side, and whole runs of either, of which the
// padded one's batches are sorted by length.
struct Padded {
  StepProfile same;
  CountedRun packed, sorted;
  Padded(const Recipe& recipe, const TrainingData& data, const PreparedTask& task, const Given& given,
         const std::map<std::string, Tensor>& parameters)
      : same(task.recipe, parameters, task.data->batch(0, false)),
        packed(recipe, data, given, true),
        sorted(unpacked(recipe), data, given, false) {}
};

Result measure(const std::string& file, const Call& call) {
  Recipe recipe = recipe_from_json(read_file(file));
  if (recipe.examples != Examples::stream)
    fail_call(file, ": the recipe learns line by line, expected a stream");
  const TrainingData data = data_of(recipe, call.data);
  recipe.steps = 100 * call.steps;  // the rate's schedule; nothing is evaluated
  Trainer trainer(recipe, data);
  const std::map<std::string, Tensor>& parameters = trainer.model().parameters();
  const Given given = {{std::shared_ptr<const Tokenizer>(), trainer.model().tokenizer()},
                       trainer.model().tasks().writing};
  const PreparedTask task = prepare(trainer.recipe(), data, given);
  const bool packed = task.data->packs() && packs_texts(task.recipe);
  const Batch batch = task.data->batch(0, packed);
  StepProfile profile(task.recipe, parameters, batch, packed);
  std::optional<Padded> padded;
  if (packed) padded.emplace(recipe, data, task, given, parameters);

  std::vector<Parts> seen;
  constexpr int64_t k_peak_steps = 1000000;
  const auto peak = static_cast<double>(multiply_adds(1) * k_peak_steps * threads());
  Rounds rounds;
  const size_t ceiling = rounds.add(timed(
      threads(), "", [&] { parallel_for(threads(), [](int64_t, int) { multiply_adds(k_peak_steps); }); }));
  const size_t profiled = rounds.add(timed(threads(), "", [&] {
    profile.step();
    seen.push_back(profile.parts());
  }));
  const auto added = [&](auto&& run) {
    return padded ? rounds.add(timed(threads(), "", [&padded, run] { run(*padded); })) : profiled;
  };
  const size_t beside = added([](Padded& p) { p.same.step(); }),
               packed_run = added([](Padded& p) { p.packed.step(); }),
               sorted_run = added([](Padded& p) { p.sorted.step(); });
  // A trainer's batches of texts have other numbers of tokens each; the profile's batch stays.
  const size_t step = padded ? profiled : rounds.add(timed(threads(), "", [&] { trainer.step(); }));
  Rounds::Options options;
  options.rounds = call.steps;
  if (isatty(2)) options.progress = show_progress;
  rounds.run(options);
  if (isatty(2)) std::fprintf(stderr, "\r%40s\r", "");

  Result r{.recipe = file,
           .parameters = trainer.model().parameter_count(),
           .batch = batch.examples,
           .positions = batch.positions,
           .packed = packed,
           .operations = profile.operations()};
  r.best = rounds.best(step), r.median = rounds.median(step);
  r.padded_best = rounds.best(beside), r.padded_median = rounds.median(beside);
  if (padded)
    r.sorted_share = rounds.median(sorted_run) / padded->sorted.positions() /
                     (rounds.median(packed_run) / padded->packed.positions());
  r.peak_best = peak / rounds.best(ceiling), r.peak_median = peak / rounds.median(ceiling);
  r.parts = *std::min_element(seen.begin(), seen.end(),
                              [](const auto& a, const auto& b) { return seconds_of(a) < seconds_of(b); });
  return r;
}

// ---- showing -------------------------------------------------------------------------------------

std::string percent(double share) { return fixed(100 * share, 0) + "%"; }

std::vector<std::pair<std::string, StepProfile::Part>> slowest_first(const Result& r) {
  std::vector<std::pair<std::string, StepProfile::Part>> parts(r.parts.begin(), r.parts.end());
  std::stable_sort(parts.begin(), parts.end(),
                   [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  return parts;
}

void print(const Result& r) {
  std::printf("\n%s: %s parameters, %s examples of %s tokens or patches in all\n", r.recipe.c_str(),
              grouped(r.parameters).c_str(), grouped(r.batch).c_str(), grouped(r.positions).c_str());
  std::printf("  a step %s ms (%s), %s tokens/s (%s), %s GFLOP/s, %s of the peak (%s)\n\n",
              fixed(1e3 * r.best, 1).c_str(), fixed(1e3 * r.median, 1).c_str(),
              grouped(static_cast<int64_t>(r.tokens() / r.best)).c_str(),
              grouped(static_cast<int64_t>(r.tokens() / r.median)).c_str(),
              fixed(r.operations / r.best / 1e9, 1).c_str(), percent(r.share_best()).c_str(),
              percent(r.share_median()).c_str());
  if (r.packed)
    std::printf(
        "  the same texts side by side, padded to the longest: %s times as long (%s); in batches sorted by\n"
        "  length, a token: %s times as long\n\n",
        fixed(r.padded_best / r.best, 2).c_str(), fixed(r.padded_median / r.median, 2).c_str(),
        fixed(r.sorted_share, 2).c_str());
  Table table;
  table.add({"  where the time goes", "ms", "share", "calls", "of the peak", ""});
  const double sum = seconds_of(r.parts);
  for (const auto& [kind, part] : slowest_first(r))
    table.add({"  " + kind, fixed(1e3 * part.seconds, 2), fixed(100 * part.seconds / sum, 1) + "%",
               grouped(part.calls),
               part.operations > 0 ? percent(part.operations / part.seconds / r.peak_best) : "",
               part.plain ? "plain loops" : ""});
  table.add({"  all of them", fixed(1e3 * sum, 2), "100.0%", "", "", ""});
  std::fputs(table.text().c_str(), stdout);
}

nlohmann::ordered_json json_of(const Result& r) {
  auto parts = nlohmann::ordered_json::array();
  for (const auto& [kind, part] : slowest_first(r))
    parts.push_back({{"kind", kind},
                     {"seconds", part.seconds},
                     {"calls", part.calls},
                     {"operations", part.operations},
                     {"plain", part.plain}});
  return {{"recipe", r.recipe},
          {"parameters", r.parameters},
          {"examples", r.batch},
          {"positions", r.positions},
          {"packed", r.packed},
          {"padded_seconds_best", r.padded_best},
          {"padded_seconds_median", r.padded_median},
          {"sorted_share", r.sorted_share},
          {"operations", r.operations},
          {"seconds_best", r.best},
          {"seconds_median", r.median},
          {"tokens_per_second_best", r.tokens() / r.best},
          {"tokens_per_second_median", r.tokens() / r.median},
          {"peak_gflops_best", r.peak_best / 1e9},
          {"peak_gflops_median", r.peak_median / 1e9},
          {"share_best", r.share_best()},
          {"share_median", r.share_median()},
          {"parts", std::move(parts)}};
}

void run(const Call& call) {
  if (call.steps < 1) fail_call("--steps is ", call.steps, ", expected 1 or more");
  std::printf("%s; threads: %d; the best of %d steps (the median)\n", machine_text().c_str(), threads(),
              call.steps);
  auto list = nlohmann::ordered_json::array();
  for (const std::string& recipe : call.recipes) {
    const Result result = measure(recipe, call);
    print(result);
    list.push_back(json_of(result));
  }
  std::fputs(
      "\npeak: multiply-adds on the registers of as many threads, measured between the steps.  A step's\n"
      "operations: 6 a weight and token, and attention's products on the cells that are seen; rebuilding is\n"
      "not counted.  The stages are those of the fastest step that was watched.\n",
      stdout);
  if (!call.json.empty())
    write_result(call.json, {{"threads", threads()}, {"steps", call.steps}, {"training", list}});
}

}  // namespace
}  // namespace limpid::bench

int main(int argc, char** argv) {
  limpid::bench::Call call;
  CLI::App app("How fast recipes train, and where the time of a step goes.", "bench_train");
  app.add_option("--recipe", call.recipes, "the recipes")->capture_default_str();
  app.add_option("--data", call.data, "the folder of the data, for tasks other than the next word");
  app.add_option("--steps", call.steps, "how many steps of each are timed")->capture_default_str();
  app.add_option("--json", call.json, "also write the result to this file");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) ? 2 : 0;
  }
  return limpid::bench::guarded("bench_train", [&] { limpid::bench::run(call); });
}

// limpid train: learns from text by a recipe, says how it goes, and can stop and go on.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>

#include "core/json.h"
#include "limpid/commands.h"
#include "limpid/draw.h"
#include "limpid/files.h"
#include "limpid/progress.h"
#include "limpid/ranks_call.h"
#include "limpid/recipe_data.h"
#include "limpid/run_folder.h"
#include "limpid/train.h"

namespace limpid::command {

namespace {

namespace fs = std::filesystem;

struct TrainCall {
  std::string recipe, out;
  std::vector<std::string> data;
  std::string from;
  bool resume = false, overwrite = false, json = false;
  std::optional<uint64_t> seed;
  std::optional<int64_t> steps;
  double save_every = 600;  // seconds
  DType dtype = DType::f32;
  BlockType blocks = BlockType::none;
};

volatile std::sig_atomic_t g_asked_to_stop = 0;

void ask_to_stop(int) { g_asked_to_stop = 1; }

// From now on Ctrl-C and a polite kill end the run after its current step; a second one ends it at once.
// SIGUSR1 too: mpirun passes it on, and a cluster's queue sends it some time before the end.
void listen_to_signals() {
  struct sigaction action{};
  action.sa_handler = ask_to_stop;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGUSR1, &action, nullptr);
}

// ---- what the call names --------------------------------------------------------------------------

Recipe recipe_of(const TrainCall& call) {
  Recipe recipe = read_recipe(call.recipe);
  if (call.seed) recipe.seed = *call.seed;
  if (!(call.save_every >= 0)) fail_call("--save-every is ", call.save_every, ", expected 0 or more");
  if (call.steps && *call.steps < 1) fail_call("--steps is ", *call.steps, ", expected at least 1");
  if (call.steps) recipe.steps = *call.steps;
  return recipe;
}

// ---- the folder of a run ----------------------------------------------------------------------------

RunFolder folder_of(const TrainCall& call) {
  return RunFolder(call.out.empty() ? fs::path(call.recipe).stem().string() : call.out);
}

// No run is thrown away by forgetting --resume.
void check_free(const RunFolder& folder, const std::string& command) {
  if (!fs::exists(folder.checkpoint())) return;
  const auto info = inspect_safetensors(folder.checkpoint());
  const auto found = info.metadata.find("limpid.checkpoint");
  if (found == info.metadata.end()) return;
  const JsonSource source{folder.checkpoint() + ": the checkpoint cannot be read"};
  const Json document = parse_json(found->second, source);
  const JsonValue json(document, source), recipe = json.at("recipe");
  const int64_t step = json.at("step").integer(0);
  if (step >= recipe.at("steps").integer(0) || recipe.at("patience").integer(0) > 0)
    fail_call(folder.path(), " holds a run that is done; go on with `", command,
              " --resume --steps N`, give another folder with -o, or --overwrite it");
  fail_call(folder.path(), " holds a run that stopped at step ", step, "; go on with `", command,
            " --resume`, give another folder with -o, or --overwrite it");
}

// Without what is filled in from the data.
Recipe as_written(Recipe recipe) {
  set_vocabulary(recipe.network, 0);
  set_outputs(recipe.network, 0);
  if (auto* parts = std::get_if<Architecture>(&recipe.network)) {
    if (parts->patches) parts->patches->channels = parts->patches->height = parts->patches->width = 0;
    if (parts->series) parts->series->channels = parts->series->length = 0;
  }
  return recipe;
}

void check_same(const TrainCall& call, const Recipe& given, const Trainer& trainer,
                const std::string& checkpoint) {
  const auto then = Json::parse(to_json(as_written(trainer.recipe()))),
             wanted = Json::parse(to_json(as_written(given)));
  const auto may_differ = [&](const std::string& setting) {
    if (setting == "steps") return call.steps.has_value();
    return !call.from.empty() && (setting == "network" || setting == "context");  // the model's
  };
  for (const auto& [name, value] : wanted.items())
    if (!may_differ(name) && value != then.at(name))
      fail_call(checkpoint, " was begun with '", name, "' ", then.at(name).dump(), ", now it is ",
                value.dump(), "; go on with the same recipe, or begin again in another folder with -o");
}

// ---- the run ------------------------------------------------------------------------------------------

std::string again(const TrainCall& call) {
  std::string command = launcher_of(own_ranks()) + "limpid train " + shell_word(call.recipe);
  for (const std::string& data : call.data) command += " --data " + shell_word(data);
  if (!call.out.empty()) command += " -o " + shell_word(call.out);
  if (call.seed) command += join(" --seed ", *call.seed);
  if (!call.from.empty()) command += " --from " + shell_word(call.from);
  if (call.steps) command += join(" --steps ", *call.steps);
  if (call.blocks != BlockType::none)
    command += " --dtype q8_0";
  else if (call.dtype != DType::f32)
    command += join(" --dtype ", name(call.dtype));
  return command;
}

// Enough of the first text to try the model on; empty where it reads none.
std::string first_words(const TrainingData& data) {
  const std::string* text = nullptr;
  if (const auto* texts = std::get_if<std::vector<std::string>>(&data)) text = &texts->front();
  if (const auto* texts = std::get_if<Parts<LabelledTexts>>(&data)) text = &texts->training.texts.front();
  if (const auto* pairs = std::get_if<Parts<TextPairs>>(&data)) text = &pairs->training.source.front();
  if (!text) return "";
  constexpr int k_words = 3;
  std::istringstream lines(*text);
  std::string line, out;
  while (out.empty() && std::getline(lines, line)) {
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < k_words && words >> word; ++i) out += (i ? " " : "") + word;
  }
  return out;
}

// What the finished model is for.
std::string commands_for(const Recipe& recipe, const std::string& text, const std::string& model) {
  switch (recipe.task) {
    case Task::next_word:
      return join("limpid trace ", text, " --model ", model, "\nlimpid generate ", text, " --model ", model,
                  "\n");
    case Task::classes:
      return join("limpid classify ", text, " --model ", model, "\nlimpid trace ", text, " --model ", model,
                  "\n");
    case Task::translation:
      return join("limpid translate ", text, " --model ", model, "\nlimpid trace ", text, " --model ", model,
                  "\n");
    case Task::images:
      return join("limpid classify IMAGE.png --model ", model, "\n");
    case Task::algorithm:
      return join("limpid trace \"1 0 1 =\" --model ", model, "\n");
    case Task::forecast:
      return join("limpid predict TABLE.csv --model ", model, "\n");
  }
  return "";
}

// The curves of the reports, as limpid draw training draws them.
std::string training_figure(const RunFolder& folder, const Trainer& trainer) {
  std::string lines;
  for (const Epoch& epoch : trainer.history()) lines += to_json(epoch) + "\n";
  const std::string name = fs::absolute(folder.path()).lexically_normal().filename().string();
  return to_svg(training_scene(training_reports(lines), "Training of " + name));
}

void finish(const TrainCall& call, const RunFolder& folder, Trainer& trainer, const TrainingData& data,
            const Ranks& ranks) {
  trainer.keep_best();
  trainer.model().round(call.dtype, call.blocks);  // what is reported is true of the file
  const Trainer::Evaluation seen = trainer.evaluate();
  std::optional<Trainer::Evaluation> test;
  if (trainer.has_test()) test = trainer.evaluate_test();
  if (!ranks.writes()) return;
  trainer.model().save(folder.model(), call.dtype, call.blocks);
  write_file_whole(folder.figure(), training_figure(folder, trainer));
  const Recipe& recipe = trainer.recipe();
  if (call.json) {
    nlohmann::ordered_json done = json_of(seen);
    done["model"] = folder.model();
    done["held_out"] = trainer.history().front().validation.has_value();
    if (test) done["test"] = json_of(*test);
    return print(done.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  }
  print("\n" + summing_of(ranks));
  print(summary_of(seen, recipe, trainer.history().front().validation ? "held out" : "learned from"));
  if (test) print(summary_of(*test, recipe, "test"));
  const std::string model = shell_word(folder.model());
  print(join("model           ", folder.model(), "\n\n",
             commands_for(recipe, shell_word(first_words(data)), model)));
}

// The checkpoint stays as the last report wrote it; the best parameters become the model.  Says so.
std::string keep_last_good(const TrainCall& call, const RunFolder& folder, Trainer& trainer) {
  const auto& history = trainer.history();
  const auto best = std::find_if(history.rbegin(), history.rend(), [](const Epoch& e) { return e.best; });
  if (best == history.rend()) return "";
  trainer.keep_best();
  trainer.model().save(folder.model(), call.dtype, call.blocks);
  return join("; the parameters of epoch ", best->number, ", the best, are kept in ", folder.model());
}

// What is called while a rank waits is not, once the run is over.
struct StillWaiting {
  Ranks& ranks;
  ~StillWaiting() { ranks.while_waiting = nullptr; }
};

// One rank's run; `ranks` are those that share it.
void train(const TrainCall& call, const Terminal& terminal, Ranks& ranks) {
  const Recipe recipe = recipe_of(call);
  const TrainingData data = read_recipe_data(recipe, call.recipe, call.data);
  RunFolder folder = folder_of(call);
  if (call.resume && !fs::exists(folder.checkpoint()))
    fail_call("there is no ", folder.checkpoint(), " to go on from; begin without --resume");
  if (!call.resume && !call.overwrite) check_free(folder, again(call));
  std::optional<Model> base;
  if (!call.from.empty()) base = Model::load(call.from);
  const Model* begins = base ? &*base : nullptr;
  Trainer trainer = call.resume ? Trainer(folder.checkpoint(), data, begins) : Trainer(recipe, data, begins);
  if (call.resume) {
    check_same(call, recipe, trainer, folder.checkpoint());
    if (call.steps) trainer.set_steps(*call.steps);
  }
  base.reset();  // its memory
  trainer.share_with(ranks);
  if (ranks.writes()) {
    folder.hold(again(call) + " --resume");
    remove_left_over(folder.path());
    if (!call.resume) folder.clear();
    folder.begin(trainer);
  }
  Progress progress(terminal, trainer);
  listen_to_signals();
  auto saved = std::chrono::steady_clock::now();
  int64_t saved_step = -1;  // none
  const auto keep = [&] {
    if (!ranks.writes()) return;
    folder.keep(trainer);
    saved = std::chrono::steady_clock::now();
    saved_step = trainer.steps_done();
  };
  const StillWaiting ends{ranks};
  ranks.while_waiting = [&, told = false](double seconds) mutable {
    constexpr double k_patience = 0.3;  // mpirun kills a second after it has asked to end
    if (told || !g_asked_to_stop || seconds < k_patience || !ranks.writes()) return;
    told = true;
    say_waiting(trainer.steps_done(), saved_step, again(call));
  };
  try {
    if (!call.json && ranks.writes()) {
      for (const std::string& note : skipped_rows(data)) print("note: " + note + "\n");
      print(heading_of(trainer, data, call.resume));
      progress.begin();
    }
    trainer.run({.on_step = [&](int64_t, int64_t, double loss) { progress.step(loss); },
                 .on_epoch =
                     [&](const Epoch& epoch) {
                       if (ranks.writes()) folder.report(trainer);
                       saved = std::chrono::steady_clock::now();
                       saved_step = trainer.steps_done();
                       if (!ranks.writes()) return;
                       if (!call.json) return progress.row(epoch);
                       progress.end();
                       print(to_json(epoch) + "\n");
                       flush_output();
                     },
                 .stop = [] { return g_asked_to_stop != 0; },
                 .between =
                     [&] {
                       const std::chrono::duration<double> since = std::chrono::steady_clock::now() - saved;
                       if (since.count() >= call.save_every && saved_step != trainer.steps_done()) keep();
                     }});
  } catch (const ClosedPipe&) {
    keep();
    throw;
  } catch (const Error& error) {
    progress.end();
    if (!trainer.not_finite()) throw;
    const std::string kept = ranks.writes() ? keep_last_good(call, folder, trainer) : "";
    sum_over(ranks, 0);  // no rank ends the others while the model is being written
    fail_work(error.what(), kept);
  }
  progress.end();
  if (saved_step != trainer.steps_done()) keep();
  if (trainer.stopped() && trainer.steps_done() < trainer.recipe().steps)
    fail_work("stopped at step ", trainer.steps_done(), " of ", trainer.recipe().steps, "; go on with `",
              again(call), " --resume`");
  finish(call, folder, trainer, data, ranks);
}

}  // namespace

Work add_train(CLI::App& app) {
  auto call = std::make_shared<TrainCall>();
  CLI::App* sub = app.add_subcommand(
      "train", "Learns from text by a recipe, and reports loss and accuracy once an epoch.");
  sub->add_option("RECIPE", call->recipe, "The recipe, a JSON file; docs/recipes.md lists its settings.")
      ->required()
      ->type_name("");
  sub->add_option(
         "--data", call->data,
         "The folder that holds the recipe's texts (its own folder), or the files to learn from instead.")
      ->type_name("PATH ...");
  sub->add_option(
         "-o", call->out,
         "The folder of the run (the recipe's name): model, checkpoint, log.jsonl, events for TensorBoard, "
         "training.svg, and what is watched.")
      ->type_name("FOLDER");
  sub->add_option(
         "--from", call->from,
         "The model to begin from, of any kind that limpid reads: all of it learns, or adapters (the "
         "recipe's lora).")
      ->type_name("MODEL");
  sub->add_flag("--overwrite", call->overwrite, "Begins again in a folder that holds a run.");
  sub->add_flag("--resume", call->resume,
                "Goes on from the folder's checkpoint, to the same bits as a run that never stopped.");
  sub->add_flag(
      "--json", call->json,
      "Prints an object an epoch instead, as log.jsonl keeps them, and one of the model at the end.");
  sub->add_option("--seed", call->seed, "Another seed than the recipe's.")->type_name("N");
  sub->add_option("--steps", call->steps,
                  "Another number of steps than the recipe's; with --resume a run that is done goes on.")
      ->type_name("N");
  sub->add_option_function<std::string>(
         "--dtype",
         [call](const std::string& name) {
           call->blocks = name == "q8_0" ? BlockType::q8_0 : BlockType::none;
           call->dtype = name == "q8_0" ? DType::f16 : dtype_named(name);
         },
         "How the model file keeps its numbers: f32, half the size as f16 or bf16, or a quarter as q8_0, "
         "whole "
         "numbers of 8 bits with a scale for every 32 (f32).")
      ->check(CLI::IsMember({"f32", "f16", "bf16", "q8_0"}).description(""))
      ->type_name("f32|f16|bf16|q8_0");
  sub->add_option("--save-every", call->save_every,
                  "Seconds after which a checkpoint is written within an epoch, too (600); 0: every step.")
      ->type_name("SECONDS");
  sub->footer(
      "A checkpoint is written every epoch and every --save-every seconds, and on\nCtrl-C, which stops after "
      "the "
      "current step.  Started by mpirun, the processes\nshare every step's batch.\n\n"
      "Examples:\n"
      "  limpid train recipes/textbook.json\n"
      "  limpid train recipes/shakespeare_char.json --data input.txt -o shakespeare\n"
      "  limpid train recipes/builtin.json --data ../shared/data/text --resume\n"
      "  limpid train recipes/mnist.json --data ../shared/data -o mnist\n"
      "  mpirun -n 4 limpid train recipes/multi30k.json --data ../shared/data\n"
      "  limpid train own.json --from FOLDER --data texts.csv -o tuned\n");
  return [call](const Terminal& terminal) {
    on_ranks(terminal, [&](const Terminal& own, Ranks& ranks) { train(*call, own, ranks); });
  };
}

}  // namespace limpid::command

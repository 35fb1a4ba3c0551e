// limpid eval: how well a model predicts a text, or does what a recipe trained it for.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/label.h"
#include "core/number_text.h"
#include "core/width.h"
#include "limpid/commands.h"
#include "limpid/files.h"
#include "limpid/input.h"
#include "limpid/progress.h"
#include "limpid/recipe_data.h"
#include "limpid/run_bar.h"

namespace limpid::command {

namespace {

struct EvalCall {
  std::optional<std::string> text;
  std::string file;
  ModelCall model;
  EvaluateOptions options;
  std::string recipe;
  std::vector<std::string> data;
  TaskEvaluationOptions task;
  bool json = false;
};

std::string number(double value, int decimals) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

// How the text was cut, in a sentence.
std::string windows_text(const Evaluation& e) {
  if (e.windows == 1) return join("one window; each token is predicted from all before it");
  return join(e.windows, " windows of ", e.window, " tokens, each ", e.stride,
              " further on; after the first, a token is "
              "predicted from ",
              e.window - e.stride, " to ", e.window - 1, " before it");
}

void print_for_people(const std::string& title, const Evaluation& e) {
  const auto line = [](const char* name, const std::string& value) {
    print(join(pad_to_width(name, 12), value, "\n"));
  };
  line("model", visible_line(title));
  line("predicted", join(e.tokens, e.tokens == 1 ? " token (" : " tokens (", e.characters, " characters, ",
                         e.bytes, " bytes): all but the first"));
  line("windows", windows_text(e));
  line("loss", number(e.nats_per_token(), 4) + " nats a token");
  line("", number(e.nats_per_character(), 4) + " nats a character");
  line("", number(e.bits_per_byte(), 4) + " bits a byte");
  line("perplexity", number(e.perplexity(), 2) + " a token");
  line("likeliest", join(number(100.0 * static_cast<double>(e.likeliest) / static_cast<double>(e.tokens), 1),
                         "% of the tokens were the one that the model found likeliest"));
}

void print_json(const std::string& title, const Evaluation& e) {
  const auto finite = [](double value) -> nlohmann::ordered_json {
    if (std::isfinite(value)) return value;
    return number_text(value);
  };
  const nlohmann::ordered_json json = {{"model", visible_line(title)},
                                       {"tokens", e.tokens},
                                       {"characters", e.characters},
                                       {"bytes", e.bytes},
                                       {"window", e.window},
                                       {"stride", e.stride},
                                       {"windows", e.windows},
                                       {"nats", finite(e.nats)},
                                       {"nats_per_token", finite(e.nats_per_token())},
                                       {"nats_per_character", finite(e.nats_per_character())},
                                       {"bits_per_byte", finite(e.bits_per_byte())},
                                       {"perplexity", finite(e.perplexity())},
                                       {"likeliest", e.likeliest}};
  print(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

nlohmann::ordered_json task_json(const std::string& title, const TaskEvaluation& e) {
  nlohmann::ordered_json json = {{"model", visible_line(title)}, {"part", e.part}};
  json.update(json_of(e.seen));
  if (e.bleu) json["bleu"] = *e.bleu;
  if (!e.seen.confusion.empty()) {
    const size_t count = e.classes.size();
    json["classes"] = e.classes;
    json["confusion"] = nlohmann::ordered_json::array();
    for (size_t i = 0; i < count; ++i)
      json["confusion"].push_back(
          std::vector<int64_t>(e.seen.confusion.begin() + static_cast<int64_t>(i * count),
                               e.seen.confusion.begin() + static_cast<int64_t>((i + 1) * count)));
  }
  for (const Baseline& rule : e.baselines)
    json["rules"].push_back({{"name", rule.name}, {"mse", rule.mse}, {"mae", rule.mae}});
  return json;
}

// The pairs of classes that are mistaken for one another most often.
void print_confusions(const TaskEvaluation& e) {
  struct Mistake {
    int64_t count;
    size_t is, said;
  };
  std::vector<Mistake> mistakes;
  const size_t count = e.classes.size();
  for (size_t i = 0; i < count * count && !e.seen.confusion.empty(); ++i)
    if (i / count != i % count && e.seen.confusion[i] > 0)
      mistakes.push_back({e.seen.confusion[i], i / count, i % count});
  std::stable_sort(mistakes.begin(), mistakes.end(),
                   [](const Mistake& a, const Mistake& b) { return a.count > b.count; });
  constexpr size_t k_shown = 5;
  for (size_t i = 0; i < std::min(k_shown, mistakes.size()); ++i)
    print(join(pad_to_width(i == 0 ? "mistaken" : "", 16), mistakes[i].count, " times ",
               visible_line(e.classes[mistakes[i].is]), " was called ",
               visible_line(e.classes[mistakes[i].said]), "\n"));
}

void print_task(const std::string& title, const Recipe& recipe, const TaskEvaluation& e) {
  print(join(pad_to_width("model", 16), visible_line(title), "\n"));
  print(summary_of(e.seen, recipe, e.part));
  if (e.bleu) print(join(pad_to_width("BLEU", 16), number(*e.bleu, 2), " (13a, cased)\n"));
  print_confusions(e);
  for (const Baseline& rule : e.baselines)
    print(join(pad_to_width(&rule == &e.baselines.front() ? "simple rules" : "", 16), number(rule.mse, 4),
               ", ", number(rule.mae, 4), "  ", rule.name, "\n"));
}

void eval_task(const EvalCall& call, const Terminal& terminal) {
  if (call.text || !call.file.empty()) fail_call("--recipe brings its own data; leave the text out");
  const Recipe recipe = read_recipe(call.recipe);
  const TrainingData data = read_recipe_data(recipe, call.recipe, call.data);
  const Model model = open_model(call.model);
  TaskEvaluationOptions options = call.task;
  std::optional<RunBar> bar(std::in_place, terminal);
  options.progress = [&](double done, const std::string& next) { bar->show(done, next); };
  const TaskEvaluation e = evaluate_task(model, recipe, data, options);
  bar.reset();  // gone before the result stands there
  if (!call.json) return print_task(model.title(), recipe, e);
  print(task_json(model.title(), e).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
        "\n");
}

void eval(const EvalCall& call, const Terminal& terminal) {
  if (!call.recipe.empty()) return eval_task(call, terminal);
  if (!call.data.empty())
    fail_call("--data is for --recipe, which says what the data is; give the recipe too");
  if (call.text && !call.file.empty()) fail_call("a text and --file exclude each other; leave one out");
  const std::string text = call.file.empty() ? text_of(call.text) : read_file(call.file);
  if (text.empty()) fail_work(call.file, " is empty; give a file with a text of at least two tokens");
  Model model = open_model(call.model);
  if (!model.tokenizer()) fail_call("this model has no tokenizer; give it as --tokenizer FILE");
  EvaluateOptions options = call.options;
  std::optional<RunBar> bar(std::in_place, terminal);
  options.progress = [&](double done, const std::string& next) { bar->show(done, next); };
  const Evaluation e = model.evaluate(text, options);
  bar.reset();  // gone before the result stands there
  call.json ? print_json(model.title(), e) : print_for_people(model.title(), e);
}

}  // namespace

Work add_eval(CLI::App& app) {
  auto call = std::make_shared<EvalCall>();
  CLI::App* sub =
      app.add_subcommand("eval", "How well a model predicts a text, or does the task of a recipe.");
  sub->add_option("TEXT", call->text,
                  "The text; @FILE reads it from a file, - or nothing from standard input.")
      ->type_name("");
  sub->add_option("--file", call->file, "The text is this file, every byte of it, its last line end too.")
      ->type_name("FILE");
  sub->add_option(
         "--window", call->options.window,
         "A text longer than this many tokens is cut into windows (as many as the model was trained on).")
      ->type_name("N");
  sub->add_option(
         "--stride", call->options.stride,
         "Tokens from one window to the next (half a window); fewer give each token more to be predicted "
         "from, and take longer.")
      ->type_name("N");
  sub->add_option("--recipe", call->recipe,
                  "The recipe whose test examples (or those held out) the model is tried on.")
      ->type_name("FILE");
  sub->add_option("--data", call->data, "The folder that holds the recipe's data, or its files; as of train.")
      ->type_name("PATH ...");
  sub->add_option("--beams", call->task.beams, "Translations: texts written side by side (the model's own).")
      ->type_name("N");
  sub->add_flag("--drop-last", call->task.drop_last,
                "Leaves the last batch out if it is not full: what published figures of forecasts that do so "
                "would claim.");
  sub->add_flag("--json", call->json, "Prints one JSON object instead.");
  add_model_options(*sub, call->model);
  sub->add_option("--heads", call->model.heads, "How many heads a model has that does not say so.")
      ->type_name("N");
  sub->footer(
      "Examples:\n"
      "  limpid eval \"Life is short, art is long\"\n"
      "  limpid eval --file book.txt --model my/model.safetensors\n"
      "  limpid eval --file book.txt --json\n"
      "  limpid eval --recipe recipes/mnist.json --data FOLDER --model own.safetensors\n");
  return [call](const Terminal& terminal) { eval(*call, terminal); };
}

}  // namespace limpid::command

// limpid eval: how well a model predicts a text.
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/label.h"
#include "core/number_text.h"
#include "core/width.h"
#include "limpid/commands.h"
#include "limpid/files.h"
#include "limpid/input.h"
#include "limpid/run_bar.h"

namespace limpid::command {

namespace {

struct EvalCall {
  std::optional<std::string> text;
  std::string file;
  ModelCall model;
  EvaluateOptions options;
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

void eval(const EvalCall& call, const Terminal& terminal) {
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
      app.add_subcommand("eval", "How well a model predicts a text: loss, bits a byte, perplexity.");
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
  sub->add_flag("--json", call->json, "Prints one JSON object instead.");
  add_model_options(*sub, call->model);
  sub->add_option("--heads", call->model.heads, "How many heads a model has that does not say so.")
      ->type_name("N");
  sub->footer(
      "Examples:\n"
      "  limpid eval \"Life is short, art is long\"\n"
      "  limpid eval --file book.txt --model my/model.safetensors\n"
      "  limpid eval --file book.txt --json\n");
  return [call](const Terminal& terminal) { eval(*call, terminal); };
}

}  // namespace limpid::command

// limpid generate: the text that the model goes on with, as it comes.
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/utf8.h"
#include "limpid/commands.h"
#include "limpid/input.h"
#include "limpid/model.h"

namespace limpid::command {

namespace {

struct GenerateCall {
  std::optional<std::string> text;
  ModelCall model;
  bool json = false, stats = false;
  GenerateOptions options;
};

using Json = nlohmann::ordered_json;

// JSON is UTF-8; bytes that are not are written as numbers.
Json text_json(const std::string& text) {
  if (is_utf8(text)) return text;
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

// When tokens came.
class Stopwatch {
 public:
  void token() { times_.push_back(std::chrono::steady_clock::now()); }
  void print(size_t prompt) const {
    flush_output();
    const auto seconds = [](auto from, auto to) { return std::chrono::duration<double>(to - from).count(); };
    if (times_.empty()) return;
    const auto count = static_cast<double>(times_.size() - 1);
    const double first = seconds(start_, times_.front()), rest = seconds(times_.front(), times_.back());
    std::fprintf(stderr, "limpid: %zu tokens read; the first token after %.3f s", prompt, first);
    if (count > 0 && rest > 0) std::fprintf(stderr, ", then %.1f tokens a second", count / rest);
    std::fputs("\n", stderr);
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::vector<std::chrono::steady_clock::time_point> times_;
};

// An object a token as it comes, and one of the whole at the end.
void generate_json(Model& model, const std::string& text, const GenerateOptions& options, Stopwatch& watch) {
  const auto line = [](const Json& json) {
    print(json.dump() + "\n");
    flush_output();
  };
  const std::string written = model.generate(text, options, [&](const GeneratedToken& token) {
    watch.token();
    line({{"token", token.id}, {"text", text_json(token.piece)}, {"probability", token.probability}});
  });
  line({{"prompt", text_json(text)},
        {"text", text_json(written)},
        {"tokens", options.tokens},
        {"temperature", options.sample.temperature},
        {"seed", options.seed}});
}

void generate(const GenerateCall& call, const Terminal& terminal) {
  const std::string text = text_of(call.text);
  Model model = open_model(call.model);
  if (!model.tokenizer()) fail_call("this model has no tokenizer; give it as --tokenizer FILE");
  Stopwatch watch;
  if (call.json) {
    generate_json(model, text, call.options, watch);
    if (call.stats) watch.print(model.encode(text).size());
    return;
  }
  const auto show = [&](const std::string& piece) {
    print(terminal.output ? tame(piece) : piece);
    flush_output();
  };
  bool begun = false;  // a call that is wrong is an error before anything is printed
  const bool goes_on = !reads_source(model.config());  // else what is written stands by itself
  const auto begin = [&] {
    if (!begun && goes_on) show(text);
    begun = true;
  };
  GenerateOptions options = call.options;
  int64_t outgrown = 0;
  options.on_slide = [&](int64_t context) { outgrown = context; };
  model.generate(text, options, [&](const std::string& piece) {
    watch.token();
    begin();
    show(piece);
  });
  begin();
  print("\n");
  if (call.stats) watch.print(model.encode(text).size());
  if (outgrown == 0) return;
  flush_output();
  std::fprintf(
      stderr,
      "limpid: note: the text outgrew the %lld tokens that the model reads at a time; it went on from "
      "the latest of them\n",
      static_cast<long long>(outgrown));
}

}  // namespace

Work add_generate(CLI::App& app) {
  auto call = std::make_shared<GenerateCall>();
  CLI::App* sub = app.add_subcommand("generate", "Goes on with a text, token by token.");
  sub->add_option("TEXT", call->text,
                  "The text to go on with; @FILE reads it from a file, - or nothing from standard input.")
      ->type_name("");
  sub->add_option("--tokens", call->options.tokens, "How many tokens to write (64).")->type_name("N");
  sub->add_option("--temperature", call->options.sample.temperature,
                  "0 always takes the likeliest token; 1 draws with the model's own probabilities; more is "
                  "wilder (0).")
      ->type_name("X");
  sub->add_option("--top-k", call->options.sample.top_k, "Draws among the K likeliest tokens alone (0: all).")
      ->type_name("K");
  sub->add_option("--top-p", call->options.sample.top_p,
                  "Draws among the likeliest tokens that together have the probability P (1: all).")
      ->type_name("P");
  sub->add_option("--min-p", call->options.sample.min_p,
                  "Draws among tokens at least P times as likely as the likeliest (0: all).")
      ->type_name("P");
  sub->add_option("--repetition-penalty", call->options.sample.repetition_penalty,
                  "Makes tokens that stand in the text less likely: positive logits are divided by X, others "
                  "multiplied (1: not).")
      ->type_name("X");
  sub->add_option("--stop", call->options.stop, "Ends the text before TEXT; may be given several times.")
      ->allow_extra_args(false)  // the text may come next; and "[END]" is no list
      ->type_name("TEXT");
  sub->add_flag(
      "--special", [call](int64_t) { call->options.specials = Specials::as_tokens; },
      "Names of special tokens in the text, such as <|im_start|>, are those tokens (else they are text).");
  sub->add_flag("--stats", call->stats,
                "Prints to standard error how long the first token took, and how many came in a second after "
                "it.");
  sub->add_flag("!--no-cache", call->options.cache,
                "Reads the whole text again for every token: the same tokens, later.");
  sub->add_option("--seed", call->options.seed,
                  "What the draws start from: the same seed gives the same text (0).")
      ->type_name("N");
  sub->add_flag("--json", call->json,
                "Prints an object a token instead, and one of the whole text at the end.");
  sub->add_flag("!--no-stop", call->options.stop_at_end,
                "Goes on past the token with which the model ends a text.");
  add_model_options(*sub, call->model);
  sub->add_option("--heads", call->model.heads, "How many heads a model has that does not say so.")
      ->type_name("N");
  sub->footer(
      "Examples:\n"
      "  limpid generate \"Life is short\"\n"
      "  limpid generate \"Life is short\" --temperature 0.8 --top-p 0.9 --seed 3\n"
      "  echo \"Life is short\" | limpid generate --model my/model.safetensors\n");
  return [call](const Terminal& terminal) { generate(*call, terminal); };
}

}  // namespace limpid::command

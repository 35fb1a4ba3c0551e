// limpid generate: the text that the model goes on with, as it comes.
#include <cstdio>

#include "limpid/commands.h"
#include "limpid/input.h"
#include "limpid/model.h"

namespace limpid::command {

namespace {

struct Call {
  std::optional<std::string> text;
  std::string model;
  GenerateOptions options;
};

void generate(const Call& call, const Terminal& terminal) {
  const std::string text = text_of(call.text);
  Model model = open_model(call.model);
  const auto show = [&](const std::string& piece) {
    print(terminal.output ? tame(piece) : piece);
    flush_output();
  };
  bool begun = false;  // a call that is wrong is an error before anything is printed
  const auto begin = [&] {
    if (!begun) show(text);
    begun = true;
  };
  GenerateOptions options = call.options;
  int64_t outgrown = 0;
  options.on_slide = [&](int64_t context) { outgrown = context; };
  model.generate(text, options, [&](const std::string& piece) {
    begin();
    show(piece);
  });
  begin();
  print("\n");
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
  auto call = std::make_shared<Call>();
  CLI::App* sub = app.add_subcommand("generate", "Goes on with a text, token by token.");
  sub->add_option("TEXT", call->text,
                  "The text to go on with; @FILE reads it from a file, - or nothing from standard input.")
      ->type_name("");
  sub->add_option("--tokens", call->options.tokens, "How many tokens to write (64).")->type_name("N");
  sub->add_option("--temperature", call->options.temperature,
                  "0 always takes the likeliest token; 1 draws with the model's own probabilities; more is "
                  "wilder (0).")
      ->type_name("X");
  sub->add_option("--seed", call->options.seed,
                  "What the draws start from: the same seed gives the same text (0).")
      ->type_name("N");
  sub->add_option("--model", call->model, "The model file; without it, the built-in model.")
      ->type_name("FILE");
  sub->footer(
      "Examples:\n"
      "  limpid generate \"Life is short\"\n"
      "  limpid generate \"Life is short\" --temperature 0.8 --seed 3 --tokens 200\n"
      "  echo \"Life is short\" | limpid generate --model my/model.safetensors\n");
  return [call](const Terminal& terminal) { generate(*call, terminal); };
}

}  // namespace limpid::command

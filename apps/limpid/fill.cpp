// limpid fill: what stands behind the masks of a text.
#include <algorithm>

#include "core/label.h"
#include "core/width.h"
#include "limpid/commands.h"
#include "limpid/run_bar.h"
#include "limpid/tasks.h"
#include "limpid/texts.h"

namespace limpid::command {

namespace {

struct FillCall : TaskCall {
  FillOptions options;
};

Json text_json(const FilledText& text) {
  Json masks = Json::array();
  for (const FilledMask& mask : text.masks) {
    Json guesses = Json::array();
    for (const TokenGuess& guess : mask.guesses)
      guesses.push_back({{"id", guess.id}, {"token", guess.label}, {"probability", guess.probability}});
    masks.push_back({{"token", mask.token},
                     {"begin", mask.place.begin},
                     {"end", mask.place.end},
                     {"guesses", std::move(guesses)}});
  }
  return {{"text", text.text}, {"filled", text.filled}, {"masks", std::move(masks)}};
}

void print_for_people(const FilledText& text) {
  print(visible_line(text.text) + "\n" + visible_line(text.filled) + "\n");
  size_t widest = 0;
  for (const FilledMask& mask : text.masks)
    for (const TokenGuess& guess : mask.guesses) widest = std::max(widest, display_width(guess.label));
  for (size_t n = 0; n < text.masks.size(); ++n) {
    if (text.masks.size() > 1) print(join("mask ", n + 1, ", token ", text.masks[n].token, "\n"));
    for (const TokenGuess& guess : text.masks[n].guesses)
      print("  " + pad_to_width(guess.label, widest) + "  " + probability_text(guess.probability) + "\n");
  }
}

void run(const FillCall& call, const Terminal& terminal) {
  const std::vector<std::string> texts = texts_of(call);
  const Model model = open_model(call.model);
  FillOptions options = call.options;
  std::optional<RunBar> bar(std::in_place, terminal);
  options.progress = [&](double done, const std::string& next) { bar->show(done, next); };
  const std::vector<FilledText> filled = fill(model, texts, options);
  bar.reset();  // gone before the result stands there
  TraceOptions traced;
  traced.specials = Specials::mask_as_token;
  save_trace(call, model, filled[0].text, traced, terminal);
  for (const FilledText& text : filled) print_notes(text.notes);
  if (call.json) {
    Json all = Json::array();
    for (const FilledText& text : filled) all.push_back(text_json(text));
    return print(json_text({{"model", visible_line(model.title())}, {"texts", std::move(all)}}));
  }
  for (size_t i = 0; i < filled.size(); ++i) {
    if (i > 0) print("\n");
    print_for_people(filled[i]);
  }
}

}  // namespace

Work add_fill(CLI::App& app) {
  auto call = std::make_shared<FillCall>();
  CLI::App* sub = app.add_subcommand("fill", "The likeliest words for each [MASK] of a text.");
  add_task_options(*sub, *call);
  sub->add_option("--top", call->options.top, "How many tokens are shown for each mask (5).")
      ->check(CLI::Range(1, 1000000).description(""))
      ->type_name("N");
  sub->footer(
      "A mask is written [MASK], or as the model's tokenizer calls it (<mask>).\n\n"
      "Examples:\n"
      "  limpid fill \"Paris is the [MASK] of France.\" --model bert-base-uncased\n"
      "  limpid fill --lines texts.txt --model roberta-base --top 10 --json\n");
  return [call](const Terminal& terminal) { run(*call, terminal); };
}

}  // namespace limpid::command

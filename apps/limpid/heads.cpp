// limpid heads: what kind each head is of, by where it looks in drawn texts.
#include "limpid/heads.h"

#include "limpid/commands.h"
#include "limpid/images.h"
#include "limpid/input.h"
#include "limpid/run_bar.h"

namespace limpid::command {

namespace {

struct HeadsCall {
  ModelCall model;
  MeasureHeadsOptions options;
  std::string tower = "texts";
  bool all = false, json = false;
};

void run_heads(const HeadsCall& call, const Terminal& terminal) {
  Model opened = open_model(call.model);
  if (call.tower == "images" && !has_towers(opened.config()))
    fail_call(
        "heads: --tower is of models of texts and images, and this one reads one of them; leave it out");
  const Model model = tower_for(std::move(opened), call.tower == "images");
  MeasureHeadsOptions options = call.options;
  std::optional<RunBar> bar(std::in_place, terminal);
  options.progress = [&](double done, const std::string& next) { bar->show(done, next); };
  const HeadReport report = measure_heads(model, options);
  bar.reset();  // gone before the table stands there
  if (call.json) return print(to_json(report));
  PageOptions page_options;
  page_options.columns = terminal.columns;
  print(page(report, page_options, call.all));
}

}  // namespace

Work add_heads(CLI::App& app) {
  auto call = std::make_shared<HeadsCall>();
  CLI::App* sub = app.add_subcommand(
      "heads", "What kind each head is of, by where it looks in drawn texts that say everything twice.");
  add_model_options(*sub, call->model);
  sub->add_option("--heads", call->model.heads, "How many heads a model has that does not say so.")
      ->type_name("N");
  sub->add_option("--tower", call->tower, "Of a model of texts and images: which of the two (texts).")
      ->check(CLI::IsMember({"texts", "images"}).description(""))
      ->type_name("texts|images");
  sub->add_option("--rows", call->options.rows, "How many texts are drawn (8).")->type_name("N");
  sub->add_option("--block", call->options.block,
                  "How many tokens the longest of them says twice (24); fewer where the model reads fewer.")
      ->type_name("N");
  sub->add_option("--seed", call->options.seed, "What they are drawn from (1).")->type_name("N");
  sub->add_flag("--all", call->all, "Shows every score of every head.");
  sub->add_flag("--json", call->json, "Prints one JSON object instead, with every score.");
  sub->footer(
      "Examples:\n"
      "  limpid heads\n"
      "  limpid heads --model FOLDER --all\n"
      "  limpid heads --model shakespeare/model.safetensors --json\n");
  return [call](const Terminal& terminal) { run_heads(*call, terminal); };
}

}  // namespace limpid::command

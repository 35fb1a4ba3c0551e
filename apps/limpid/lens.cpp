// limpid lens: what the model would say after each layer, and which parts a logit comes from.
#include "limpid/lens.h"

#include <climits>

#include "limpid/commands.h"
#include "limpid/input.h"

namespace limpid::command {

namespace {

struct LensCall {
  std::optional<std::string> text;
  NetworkCall network;
  std::optional<int64_t> position;
  std::string target;
  std::optional<int> decimals;
  int parts = 10;
  bool json = false, all = false;
};

// A token by its id, or by a text that is one token.
int64_t token_named(const std::string& given, const Model& model) {
  char* end = nullptr;
  const long long id = std::strtoll(given.c_str(), &end, 10);
  if (end != given.c_str() && *end == '\0') return id;
  if (!model.tokenizer()) fail_call("--target ", given, ": this model has no tokenizer; give the token's id");
  for (int64_t each = 0; each < model.tokenizer()->vocabulary(); ++each)
    if (model.tokenizer()->label(each) == given) return each;
  const std::vector<int64_t> ids = model.tokenizer()->encode(given);
  if (ids.size() != 1)
    fail_call("--target ", given, " is ", ids.size(),
              " tokens, expected one; give its id or label (limpid tokens)");
  return ids.front();
}

void run_lens(const CLI::App& sub, const LensCall& call, const Terminal& terminal) {
  if (call.decimals && (*call.decimals < 0 || *call.decimals > 17))
    fail_call("--decimals is ", *call.decimals, ", expected 0 to 17");
  if (call.parts < 1) fail_call("--parts is ", call.parts, ", expected at least 1");
  check_network_options(sub, call.network);
  const Input input = input_of(call.network, call.text);
  LensOptions options;
  options.position = call.position;
  if (!call.target.empty()) options.target = token_named(call.target, input.model);
  if (call.network.textbook())
    fail_call("lens: the textbook's network has one layer and no residual stream; give a decoder as --model");
  if (input.pixels.count() > 0)
    fail_call("lens: a model of images or series predicts no words; give one that does");
  const Lens seen =
      lens(input.model, input.tokens.empty() ? input.model.encode(input.text) : input.tokens, options);
  PageOptions page_options;
  page_options.columns = terminal.columns;
  page_options.decimals = call.decimals.value_or(4);
  page_options.most_rows = call.all ? INT_MAX : call.parts;
  print(call.json ? to_json(seen) : page(seen, page_options));
}

}  // namespace

Work add_lens(CLI::App& app) {
  auto call = std::make_shared<LensCall>();
  CLI::App* sub = app.add_subcommand(
      "lens", "What the model would say after each layer, and which parts a logit comes from.");
  sub->add_option("TEXT", call->text,
                  "The sentence; @FILE reads it from a file, - or nothing from standard input.")
      ->type_name("");
  add_network_options(*sub, call->network);
  sub->add_option("--token", call->position,
                  "The position after which the next token is asked for; -1 is the last (-1).")
      ->type_name("N");
  sub->add_option("--target", call->target,
                  "The token that is followed, by its id or label (the model's own next token).")
      ->type_name("TOKEN");
  sub->add_option("--parts", call->parts,
                  "How many parts of the logit are shown, the largest; the rest is added up (10).")
      ->type_name("N");
  sub->add_flag("--all", call->all, "Shows every part.");
  sub->add_option("--decimals", call->decimals, "Digits after the point (4).")->type_name("N");
  sub->add_flag("--json", call->json, "Prints one JSON object instead.");
  sub->footer(
      "The scale of every norm is held at what it was in this run; the parts then add\n"
      "up to the logit.\n\n"
      "Examples:\n"
      "  limpid lens \"Life is short\"\n"
      "  limpid lens \"Life is short\" --token 1 --all\n"
      "  limpid lens --tokens 3,4,5 --model FOLDER --target 17 --json\n");
  return [call, sub](const Terminal& terminal) { run_lens(*sub, *call, terminal); };
}

}  // namespace limpid::command

// limpid tokens: how a tokenizer cuts a text.
#include <algorithm>

#include "core/json.h"
#include "core/label.h"
#include "core/width.h"
#include "limpid/commands.h"
#include "limpid/error.h"
#include "limpid/input.h"
#include "limpid/text.h"

namespace limpid::command {

namespace {

struct TokensCall {
  std::optional<std::string> text, pair;
  ModelCall from;
  bool special = false, json = false, ids = false;
};

Json tokens_json(const Tokenizer& tokenizer, const ModelInput& input) {
  Json tokens = Json::array();
  for (size_t i = 0; i < input.ids.size(); ++i) {
    tokens.push_back({{"id", input.ids[i]},
                      {"piece", tokenizer.label(input.ids[i])},
                      {"begin", input.spans[i].begin},
                      {"end", input.spans[i].end},
                      {"text", input.text_of[i]},
                      {"type", input.type_ids[i]},
                      {"special", tokenizer.is_special(input.ids[i])}});
  }
  return {{"kind", tokenizer.kind()}, {"vocabulary", tokenizer.vocabulary()}, {"tokens", std::move(tokens)}};
}

void print_table(const Tokenizer& tokenizer, const ModelInput& input, bool pair) {
  size_t widest = 5, longest = 2;
  std::vector<std::string> labels;
  int64_t unknown = 0;
  for (const int64_t id : input.ids) {
    unknown += tokenizer.special_ids().unk == id;
    labels.push_back(tokenizer.label(id));
    widest = std::max(widest, display_width(labels.back()));
    longest = std::max(longest, std::to_string(id).size());
  }
  const auto right = [](const std::string& text, size_t width) {
    return std::string(width - std::min(width, text.size()), ' ') + text;
  };
  print(join("tokenizer ", tokenizer.kind(), ", ", tokenizer.vocabulary(), " tokens; the text is ",
             input.ids.size(), input.ids.size() == 1 ? " token" : " tokens",
             unknown > 0 ? join("; ", unknown, " that the tokenizer does not know\n") : "\n"));
  if (input.ids.empty()) return;
  print(join(right("id", longest), "  ", pad_to_width("piece", widest), "  bytes\n"));
  for (size_t i = 0; i < input.ids.size(); ++i) {
    const Span& span = input.spans[i];
    const std::string place = input.text_of[i] < 0 ? "added" : join(span.begin, "-", span.end);
    print(join(right(std::to_string(input.ids[i]), longest), "  ", pad_to_width(labels[i], widest), "  ",
               place, pair && input.text_of[i] == 1 ? " of the second text" : "", "\n"));
  }
}

// The names of special tokens that stand in the texts, which were read as any other text.
std::string note_of_specials(const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  constexpr size_t k_shown = 3;
  std::vector<std::string> names;
  for (const std::string& text : texts)
    for (const int64_t id : tokenizer.encode(text, Specials::as_tokens)) {
      const std::string name = tokenizer.is_special(id) ? tokenizer.token_bytes(id) : "";
      const bool stands_there =
          !name.empty() && text.find(name) != text.npos;  // <unk> may stand for any word
      if (stands_there && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  if (names.empty()) return "";
  std::string list;
  for (size_t i = 0; i < std::min(names.size(), k_shown); ++i)
    list += (list.empty() ? "" : ", ") + visible_line(names[i]);
  return join(list, names.size() > k_shown ? ", ..." : "", " in the text ",
              names.size() > 1 ? "are names of special tokens" : "is the name of a special token",
              ", read here as any other text; --special reads ",
              names.size() > 1 ? "them as tokens" : "it as one", "\n");
}

void run(const TokensCall& call) {
  const std::shared_ptr<const Tokenizer> tokenizer = open_tokenizer(call.from);
  const std::string text = text_of(call.text);
  const EncodeOptions options{call.special, call.special ? Specials::as_tokens : Specials::as_text};
  const std::optional<std::string> second = call.pair ? std::optional(text_of(call.pair)) : std::nullopt;
  const ModelInput input = second ? tokenizer->encode_for_model(text, *second, options)
                                  : tokenizer->encode_for_model(text, options);
  if (call.ids) {
    std::string line;
    for (const int64_t id : input.ids) line += (line.empty() ? "" : " ") + std::to_string(id);
    print(line + "\n");
  } else if (call.json) {
    print(tokens_json(*tokenizer, input).dump(2) + "\n");
  } else {
    print_table(*tokenizer, input, call.pair.has_value());
    if (!call.special) print(note_of_specials(*tokenizer, {text, second.value_or("")}));
  }
}

}  // namespace

Work add_tokens(CLI::App& app) {
  CLI::App* sub = app.add_subcommand(
      "tokens", "How a tokenizer cuts a text: the id, the piece and the bytes of each token.");
  const auto call = std::make_shared<TokensCall>();
  sub->add_option("TEXT", call->text,
                  "The text; @FILE reads it from a file, - or nothing from standard input.");
  sub->add_option("--model", call->from.model,
                  "A model file of limpid's, or a folder with a tokenizer; without it, the built-in model.")
      ->type_name("FILE");
  sub->add_option(
         "--tokenizer", call->from.tokenizer,
         "A tokenizer file, or a folder with one: tokenizer.json, vocab.json with merges.txt, vocab.txt, "
         "SentencePiece's .model, .tiktoken, llama2.c's tok*.bin, limpid's JSON, or what trace takes.")
      ->type_name("FILE");
  sub->add_option("--pair", call->pair, "A second text, for models that take two.")->type_name("TEXT");
  sub->add_flag(
      "--special", call->special,
      "As the model takes it: with its special tokens round the text; their names in the text are tokens.");
  sub->add_flag("--ids", call->ids, "The ids alone, on one line.");
  sub->add_flag("--json", call->json, "The same for programs.");
  sub->footer(
      "Examples:\n"
      "  limpid tokens \"Life is short\"\n"
      "  limpid tokens \"Life is short\" --tokenizer bert-base-uncased --special\n"
      "  limpid tokens @book.txt --tokenizer tokenizer.json --ids");
  return [call](const Terminal&) { run(*call); };
}

}  // namespace limpid::command

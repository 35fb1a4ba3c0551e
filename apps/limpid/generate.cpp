// limpid generate: the text that the model goes on with, as it comes.
#include <chrono>
#include <cstdio>

#include "core/json.h"
#include "core/utf8.h"
#include "limpid/chat.h"
#include "limpid/commands.h"
#include "limpid/generate.h"
#include "limpid/input.h"
#include "limpid/model.h"
#include "limpid/watch.h"

namespace limpid::command {

Written begun(const Model& model, const GenerateCall& call, const std::string& given) {
  Written w;
  if (call.chat) {
    std::vector<ChatMessage> messages;
    if (call.system) messages.push_back({"system", *call.system});
    messages.push_back({"user", given});
    w.prompt = w.text = chat_tokens(model, messages);
    return w;
  }
  w.prompt = model.encode(given, call.options.specials).ids;
  if (!reads_source(model.config())) {
    w.shown = given;
    w.text = w.prompt;
    return w;
  }
  w.source = w.prompt;
  if (model.tasks().writing) w.text = {model.tasks().writing->start};
  return w;
}

Json json_of_text(const std::string& text) {
  if (is_utf8(text)) return text;
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

Json settings_json(const GenerateOptions& options) {
  const SampleOptions& sample = options.sample;
  return {{"tokens", options.tokens}, {"temperature", sample.temperature},
          {"top_k", sample.top_k},    {"top_p", sample.top_p},
          {"min_p", sample.min_p},    {"repetition_penalty", sample.repetition_penalty},
          {"seed", options.seed}};
}

namespace {

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

using OnToken = std::function<void(const GeneratedToken&)>;

// An object a token as it comes, and one of the whole at the end.
void generate_json(const Model& model, const std::string& given, const Written& begun,
                   const GenerateOptions& options, const OnToken& on_token) {
  const auto line = [](const Json& json) {
    print(json.dump() + "\n");
    flush_output();
  };
  std::string written;
  model.generate(begun.prompt, options, [&](const GeneratedToken& token) {
    on_token(token);
    written += token.piece;
    Json json = {
        {"token", token.id}, {"text", json_of_text(token.piece)}, {"probability", token.probability}};
    if (options.watch > 0) json["heads"] = looks_json(token.looks);
    line(json);
  });
  Json whole = {{"prompt", json_of_text(given)}, {"text", json_of_text(written)}};
  whole.update(settings_json(options));
  line(whole);
}

// The text as it comes.
void generate_text(const Model& model, const Written& given, const GenerateOptions& options,
                   const Terminal& terminal, const OnToken& on_token) {
  const auto show = [&](const std::string& piece) {
    print(terminal.output ? tame(piece) : piece);
    flush_output();
  };
  bool begun = false;  // a call that is wrong is an error before anything is printed
  const auto begin = [&] {
    if (!std::exchange(begun, true)) show(given.shown);
  };
  model.generate(given.prompt, options, [&](const GeneratedToken& token) {
    on_token(token);
    begin();
    show(token.piece);
  });
  begin();
  print("\n");
}

// A line a token, and the text at the end.
void generate_watched(const Model& model, const Written& given, const GenerateOptions& options,
                      const Terminal& terminal, const OnToken& on_token) {
  WatchPrinter printer(model, terminal, given.text, given.source);
  std::string written;
  bool begun = false;
  model.generate(given.prompt, options, [&](const GeneratedToken& token) {
    on_token(token);
    if (!std::exchange(begun, true)) printer.print_head();
    printer.show(token);
    written += token.piece;
  });
  const std::string text = given.shown + written;
  print(join(begun ? "\n" : "", terminal.output ? tame(text) : text, "\n"));
}

DType cache_type(const std::string& word) {
  for (const auto& [type, name] :
       {std::pair{DType::f32, "f32"}, {DType::bf16, "bf16"}, {DType::f16, "f16"}, {DType::i8, "int8"}})
    if (word == name) return type;
  fail_call("--cache ", word, ": keys and values are kept as f32, bf16, f16 or int8");
}

void check(const GenerateCall& call) {
  if (!call.options.cache && cache_type(call.cache) != DType::f32)
    fail_call("--cache ", call.cache, ": with --no-cache none are kept; leave one of them out");
  if (!call.out.empty() && !call.out.ends_with(".safetensors") && !call.out.ends_with(".npz"))
    fail_call("-o ", call.out, ": a trace is kept as .safetensors or .npz; give a name that ends so");
  if (call.system && !call.chat) fail_call("--system is for --chat; add it, or leave --system out");
  if (!call.lines.empty()) {
    if (call.text) fail_call("--lines gives the texts; leave that of the call out");
    for (const auto& [given, option] : {std::pair{!call.out.empty(), "-o"},
                                        {call.watch, "--watch"},
                                        {call.stats, "--stats"},
                                        {call.samples != 1, "--samples"}})
      if (given) fail_call(option, " is of one text; leave it or --lines out");
  }
  if (call.samples == 1) return;
  if (call.options.sample.temperature == 0)
    fail_call("--samples ", call.samples,
              " without a temperature writes the same text each time; add --temperature 0.8 or so");
  for (const auto& [given, option] :
       {std::pair{!call.out.empty(), "-o"}, {call.watch, "--watch"}, {call.stats, "--stats"}})
    if (given) fail_call(option, " is of one text; leave it or --samples out");
}

void generate_one(const GenerateCall& call, const Model& model, const std::string& given,
                  GenerateOptions options, const Terminal& terminal) {
  Stopwatch watch;
  int64_t outgrown = 0;
  options.on_slide = [&](int64_t context) { outgrown = context; };
  constexpr int64_t k_weights = 3;
  if (call.watch) options.watch = k_weights;
  const Written first = begun(model, call, given);
  if (call.chat) options.ends = chat_ends(model);
  std::vector<int64_t> text = first.text;
  const size_t read = first.prompt.size();
  const auto on_token = [&](const GeneratedToken& token) {
    watch.token();
    text.push_back(token.id);
  };
  if (call.json)
    generate_json(model, given, first, options, on_token);
  else if (call.watch)
    generate_watched(model, first, options, terminal, on_token);
  else
    generate_text(model, first, options, terminal, on_token);
  if (!call.out.empty()) save(trace_of_written(model, first.source, text, terminal), call.out);
  if (call.stats) watch.print(read);
  if (outgrown == 0 || call.json) return;
  flush_output();
  std::fprintf(
      stderr,
      "limpid: note: the text outgrew the %lld tokens that the model reads at a time; it went on from "
      "the latest of them\n",
      static_cast<long long>(outgrown));
}

// Each sample's draws start from a seed of its own, the next number.
void generate(const GenerateCall& call, const Terminal& terminal) {
  check(call);
  const std::vector<std::string> lines =
      call.lines.empty() ? std::vector<std::string>{} : lines_of(call.lines);
  const std::string given = call.lines.empty() ? text_of(call.text) : "";
  const Model model = open_model(call.model);
  if (!model.tokenizer()) fail_call("this model has no tokenizer; give it as --tokenizer FILE");
  if (!call.lines.empty()) {
    GenerateOptions options = call.options;
    options.cache_type = cache_type(call.cache);
    return generate_lines(call, model, lines, options, terminal);
  }
  for (int64_t i = 0; i < call.samples; ++i) {
    GenerateOptions options = call.options;
    options.cache_type = cache_type(call.cache);
    options.seed += static_cast<uint64_t>(i);
    if (i > 0 && !call.json) print("\n");
    generate_one(call, model, given, std::move(options), terminal);
  }
}

}  // namespace

Work add_generate(CLI::App& app) {
  auto call = std::make_shared<GenerateCall>();
  CLI::App* sub = app.add_subcommand("generate", "Goes on with a text, token by token.");
  sub->add_option("TEXT", call->text,
                  "The text to go on with; @FILE reads it from a file, - or nothing from standard input.")
      ->type_name("");
  sub->add_option("--lines", call->lines,
                  "Each line of this file is a text to go on with (empty ones are skipped): as each alone, "
                  "but many side by side, which read the weights once; with --json an object a line.")
      ->type_name("FILE");
  sub->add_option("--batch", call->batch, "With --lines: so many texts side by side (16).")
      ->check(CLI::Range(1, 1 << 16).description(""))
      ->type_name("N");
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
  sub->add_flag("--chat", call->chat,
                "The text is what a user says to a model that was trained for conversations; what comes is "
                "its answer.");
  sub->add_option("--system", call->system,
                  "With --chat: the message that stands before (as the model's template has it).")
      ->type_name("TEXT");
  sub->add_flag(
      "--watch", call->watch,
      "Prints a line a token instead: its probability, how even the weights of the heads are (entropy, in "
      "nats), and the heads that look most sharply at a token; with --json every head.");
  sub->add_option(
         "-o", call->out,
         "Keeps the trace of the whole text as FILE.safetensors or FILE.npz: everything up to 256 tokens; "
         "beyond, the largest weights, the entropy and the pooled map of every head.")
      ->type_name("FILE");
  sub->add_flag("--stats", call->stats,
                "Prints to standard error how long the first token took, and how many came in a second after "
                "it.");
  sub->add_option("--cache", call->cache,
                  "How keys and values of the text so far are kept: f32, bf16, f16 (half of the memory), or "
                  "int8 with a scale for each row of a head (about a quarter) (f32).")
      ->type_name("TYPE");
  sub->add_flag("!--no-cache", call->options.cache,
                "Reads the whole text again for every token: the same tokens, later.");
  sub->add_option("--seed", call->options.seed,
                  "What the draws start from: the same seed gives the same text (0).")
      ->type_name("N");
  sub->add_option("--samples", call->samples,
                  "So many texts, drawn with this seed, the next number, and so on (1); needs a temperature.")
      ->check(CLI::Range(1, 1 << 20).description(""))
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
      "  limpid generate \"What is attention?\" --chat --model SmolLM2-135M-Instruct.gguf\n"
      "  limpid generate \"Life is short\" --watch -o written.safetensors\n"
      "  echo \"Life is short\" | limpid generate --model my/model.safetensors\n");
  return [call](const Terminal& terminal) { generate(*call, terminal); };
}

}  // namespace limpid::command

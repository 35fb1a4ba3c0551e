// limpid trace: a sentence from word to next-word probability, every stage of the way.
#include "limpid/trace.h"

#include <unistd.h>

#include <algorithm>
#include <climits>

#include "core/label.h"
#include "limpid/commands.h"
#include "limpid/explanation.h"
#include "limpid/input.h"
#include "limpid/run_bar.h"
#include "limpid/token.h"
#include "trace/before_after.h"

namespace limpid::command {

namespace {

struct TraceCall : PartCall {
  std::optional<std::string> argument;
  NetworkCall network;
  std::vector<std::string> observe, edit;
  bool plain = false, gradients = false, in_double = false, parameters = false, json = false, all = false,
       words = false;
  std::optional<int> layer, head, decimals;
  std::string token, out, explain, lines;
};

bool can_save(const std::string& path) { return path.ends_with(".safetensors") || path.ends_with(".npz"); }

void check(const CLI::App& sub, const TraceCall& call, bool stored) {
  if (!call.out.empty() && !can_save(call.out))
    fail_call("-o ", call.out, ": a trace is kept as .safetensors or .npz; give a name that ends so");
  if (call.decimals && (*call.decimals < 0 || *call.decimals > 17))
    fail_call("--decimals is ", *call.decimals, ", expected 0 to 17");
  if (!call.explain.empty() && !call.token.empty())
    fail_call("--explain shows one number and --token one token's way; leave one out");
  if (call.json && !call.token.empty()) fail_call("--json gives the whole trace; leave --token out");
  if (call.words && !(call.token.empty() && call.explain.empty()))
    fail_call(
        "--words shows whole words, and --token and --explain single numbers of tokens; leave one of them "
        "out");
  if (!call.lines.empty() && (call.argument || !call.network.tokens.empty() || !call.network.vectors.empty()))
    fail_call("--lines gives the sentences; leave ", call.argument ? "the text" : "--tokens and --vectors",
              " out");
  if (!stored) return check_network_options(sub, call.network);
  std::vector<std::string> running = network_options();
  running.insert(running.end(), {"--observe", "--edit", "--plain", "--double", "--params", "--gradients"});
  const std::string option = given_option(sub, running);
  if (!option.empty())
    fail_call(*call.argument, " is a stored trace, shown as it is; ", option,
              " needs a run, so give a text instead");
}

TraceOptions trace_options(const TraceCall& call) {
  TraceOptions options;
  options.plain = call.plain;
  options.gradients = call.gradients;
  if (call.in_double) options.real = DType::f64;
  if (call.network.textbook()) options.seed = call.network.seed;
  for (const std::string& text : call.observe) options.observe.push_back(observation_of(text));
  // The walk shows every number, and an explanation names the parameters it reads.
  options.parameters = call.parameters || call.network.textbook() || !call.explain.empty();
  return options;
}

// ---- showing --------------------------------------------------------------------------------------------

// A network with fewer parameters than this is read whole: every row, and a digit more.
constexpr int64_t k_read_whole = 1000;

PageOptions page_options(const Trace& trace, const TraceCall& call, const Terminal& terminal) {
  PageOptions page;
  const auto parameters = trace.numbers.find("parameters");
  if (parameters != trace.numbers.end() && parameters->second < k_read_whole) {
    page.decimals = 4;
    page.most_rows = INT_MAX;
  }
  page.columns = terminal.columns;
  page.colour = terminal.colour;
  page.true_colour = terminal.true_colour;
  if (call.decimals) page.decimals = *call.decimals;
  if (call.all) page.most_rows = INT_MAX;
  if (call.layer) page.layer = *call.layer;
  if (call.head) page.head = *call.head;
  return page;
}

// The run without its edits and the run with them, of what the two are compared by.
struct Compared {
  Trace before, after;
};

std::optional<Compared> compare(Input& input, const NamedEdits& edits, const TraceCall& call,
                                const Trace& seen) {
  if (call.edit.empty()) return std::nullopt;
  std::vector<std::string> chosen;
  for (const std::string& text : call.observe)
    if (const std::string pattern = observation_of(text).pattern; pattern != "*") chosen.push_back(pattern);
  TraceOptions options = trace_options(call);
  options.observe = compared(seen, chosen);
  if (options.observe.empty()) return std::nullopt;
  options.parameters = false;
  Compared out;
  options.edits = edits.edits;
  out.after = input.trace(options);
  edits.name(out.after);
  options.edits.clear();
  out.before = input.trace(options);
  return out;
}

void show(const Trace& whole, const std::optional<Compared>& runs, const TraceCall& call,
          const Terminal& terminal) {
  if (!call.explain.empty())
    return show_explanation(
        whole, {.cell = call.explain, .decimals = call.decimals, .all = call.all, .json = call.json},
        terminal);
  if (call.json && call.part.empty() && !call.words) {
    std::string text = to_json(whole);
    if (runs)
      text.replace(text.rfind('}'), 1,
                   ",\n\"before_after\":" + before_after_json(runs->before, runs->after) + "}");
    return print(text);
  }
  const std::optional<Trace> part = call.cut(whole);
  const Trace& shown = part ? *part : whole;
  if (call.words) {
    const Trace words = in_words(shown);
    return print(call.json ? to_json(words) : page(words, page_options(words, call, terminal)));
  }
  if (call.json) return print(to_json(shown));
  const PageOptions options = page_options(shown, call, terminal);
  if (call.token.empty())
    print(page(shown, options));
  else
    print(token_page(shown, call.layer.value_or(0), call.head.value_or(0), positions_of(shown, call.token),
                     options));
  if (runs) print("\n" + before_after(runs->before, runs->after, options));
}

// What a page reads of the run, or of the part of it, that is to come.
std::vector<Observation> read_of(const Trace& begun, const TraceCall& call, const Terminal& terminal) {
  if (call.words) return word_reads(*begun.graph);
  if (!call.token.empty())
    return token_page_reads(*begun.graph, call.layer.value_or(0), positions_of(begun, call.token));
  return page_reads(*begun.graph, static_cast<int64_t>(begun.tokens.size()),
                    page_options(begun, call, terminal));
}

// What is kept in a file or printed as JSON is everything; what is shown is read, and no more is computed.
Trace run(Input& input, const NamedEdits& edits, const TraceCall& call, const Terminal& terminal) {
  TraceOptions options = trace_options(call);
  options.edits = edits.edits;
  const bool shown_alone = call.observe.empty() && call.out.empty() && !call.json && call.explain.empty();
  if (shown_alone)
    options.reads = [&](const Trace& begun) {
      return call.reads(begun, [&](const Trace& shown) { return read_of(shown, call, terminal); });
    };
  RunBar bar(terminal);
  options.progress = [&](double done, const std::string& next) { bar.show(done, next); };
  Trace seen = input.trace(options);
  edits.name(seen);
  return seen;
}

// "traces.safetensors" -> "traces-07.safetensors", as many digits as the last has.
std::string numbered(const std::string& path, size_t n, size_t last) {
  const size_t dot = path.rfind('.');
  std::string digits = std::to_string(n);
  digits.insert(0, std::to_string(last).size() - digits.size(), '0');
  return path.substr(0, dot) + "-" + digits + path.substr(dot);
}

// Each line of a file by itself, so that no sentence changes another's numbers: pages one after another, with
// --json an object a line, with -o a file a line.
void trace_lines(const TraceCall& call, const Terminal& terminal) {
  const std::vector<std::string> lines = lines_of(call.lines);
  const bool own_means = std::any_of(call.edit.begin(), call.edit.end(), [](const std::string& edit) {
    return edit.ends_with("=mean:positions");
  });
  std::optional<Input> input;
  NamedEdits edits;
  for (size_t i = 0; i < lines.size(); ++i) {
    const bool anew = !input || call.network.textbook();  // whose network is made for its sentence
    if (anew) input.emplace(input_of_text(call.network, lines[i]));
    if (!anew) input->take(lines[i]);
    if (anew || own_means) edits = read_edits(call.edit, *input);
    const Trace seen = run(*input, edits, call, terminal);
    if (!call.out.empty()) save(seen, numbered(call.out, i + 1, lines.size()));
    if (call.json) {
      std::string json = to_json(seen);
      std::erase(json, '\n');  // between values; in texts they are escaped
      print(json + "\n");
    } else if (!call.out.empty()) {
      print(join(numbered(call.out, i + 1, lines.size()), "  ", visible_line(lines[i]), "\n"));
    } else {
      if (i > 0) print("\n");
      show(seen, compare(*input, edits, call, seen), call, terminal);
    }
  }
}

// --explain is `limpid explain`: without a text, and where none can be piped in, the sentence is the same.
std::optional<std::string> text_to_trace(const TraceCall& call) {
  const bool given = call.argument || !call.network.tokens.empty() || !call.network.vectors.empty();
  if (!given && !call.explain.empty() && isatty(STDIN_FILENO)) return "Life is short";
  return call.argument;
}

void trace(const CLI::App& sub, const TraceCall& call, const Terminal& terminal) {
  const bool stored = call.argument && is_trace_file(*call.argument);
  if (stored && is_model_file(*call.argument))
    fail_call(*call.argument, " is a model; trace a text with it: limpid trace \"Life is short\" --model ",
              shell_word(*call.argument));
  check(sub, call, stored);
  if (!call.lines.empty()) return trace_lines(call, terminal);
  Trace seen;
  std::optional<Compared> runs;
  if (stored) {
    seen = load_trace(*call.argument);
  } else {
    Input input = input_of(call.network, text_to_trace(call));
    const NamedEdits edits = read_edits(call.edit, input);
    seen = run(input, edits, call, terminal);
    runs = compare(input, edits, call, seen);
  }
  if (!call.out.empty()) save(seen, call.out);
  show(seen, runs, call, terminal);
}

constexpr const char* k_footer =
    R"(Observing: --observe keeps only what is asked for.  NAME is a stage's name, *
stands for anything; DEPTH is full (every number) or summary (shape, mean,
spread, extremes).  Attention weights have three more, which cost no memory
that grows with the square of the text: top:N (the largest of each row and their
keys), entropy (of each row) and map:N (pooled to at most N x N).
  --observe "blocks.*.attn.pattern"           the weights of every layer
  --observe "*:summary"                       one line for every stage
  --observe blocks.0.attn.q --observe logits  two stages
  --observe "*attn.pattern:top:8"             whom each token looks at most

Editing: --edit changes a stage's value as soon as it is computed; what follows
sees the change.  Brackets limit it to a part: one head, one token, and so on.
The end of the page says what it changed: the likeliest next tokens before and
after, and where each edited (or observed) stage moved most.
  --edit "blocks.0.attn.z[H=2]=zero"          switches head 2 off
  --edit "blocks.0.mlp_out=mean"              every number becomes their mean
  --edit "blocks.0.mlp_out=mean:positions"    each feature its own mean
  --edit "blocks.0.mlp_out=mean:lines.txt"    its mean over a file's sentences
  --edit "blocks.0.attn.v=scale:0.5"          halves the values
  --edit "blocks.1.attn.pattern=cut:3>0,3>1"  query 3 does not see keys 0 and 1
  --edit "embed=replace:other.safetensors"    takes the value of another trace
  --edit "embed=replace:array.npy"            or of a NumPy file, shaped as
                                              the stage, the part or its rows

Examples:
  limpid trace "Life is short"
  limpid trace "Life is short" --token short --layer 1 --head 2
  limpid trace "Life is short" --network textbook --seed 7
  limpid trace "Life is short" -o life.safetensors
  limpid trace life.safetensors --token short
  limpid trace "summarize: Life is short." --model flan-t5-small --part cross
  cat poem.txt | limpid trace --json > poem.json
)";

}  // namespace

Work add_trace(CLI::App& app) {
  auto call = std::make_shared<TraceCall>();
  CLI::App* sub =
      app.add_subcommand("trace", "Shows a sentence's way through a network, every number of it.");
  sub->add_option(
         "TEXT", call->argument,
         "The sentence; @FILE reads it from a file, - or nothing from standard input.  For a model that "
         "reads images, a PNG or JPEG file; for one that reads series, a table of numbers.  A stored trace, "
         "FILE.safetensors or FILE.npz, is shown again.")
      ->type_name("");
  add_network_options(*sub, call->network);
  sub->add_option(
         "--lines", call->lines,
         "Each line of this file is a sentence, traced by itself: pages one after another, with --json an "
         "object a line, with -o NAME-1, NAME-2 ... .")
      ->type_name("FILE");
  const std::string view = "What is shown";
  add_part_option(*sub, *call, view);
  sub->add_option("--layer", call->layer, "The layer to show in detail, from 0 (0).")
      ->type_name("L")
      ->check(from_zero())
      ->group(view);
  sub->add_option("--head", call->head, "The head to show in detail, from 0 (0).")
      ->type_name("H")
      ->check(from_zero())
      ->group(view);
  sub->add_option("--token", call->token,
                  "One token's way through a head: its query against every key, scores, weights, weighted "
                  "sum.  An index "
                  "from 0, a word, or WORD#2 for its second occurrence.")
      ->type_name("TOKEN")
      ->check(CLI::Validator(
          [](std::string& given) { return given.empty() ? "give an index or a word" : std::string(); }, ""))
      ->group(view);
  sub->add_option(
         "--explain", call->explain,
         "The arithmetic behind one number, NAME[PLACES]; more in `limpid explain --help`.  In a terminal "
         "the sentence is \"Life is short\" unless another is given.")
      ->type_name("CELL")
      ->group(view);
  sub->add_option("--decimals", call->decimals,
                  "Digits after the point (3; 4 for a network small enough to be shown whole).")
      ->type_name("N")
      ->group(view);
  sub->add_flag("--all", call->all, "Shows every row, however many there are.")->group(view);
  sub->add_flag(
         "--words", call->words,
         "Whole words where the tokenizer split them: attention between words, and what comes after each.")
      ->group(view);
  sub->add_flag("--json", call->json, "Prints the whole trace as JSON instead.")->group(view);
  const std::string run = "What is run and kept";
  sub->add_option("-o", call->out, "Keeps the trace as FILE.safetensors or FILE.npz.")
      ->type_name("FILE")
      ->group(run);
  sub->add_flag("--params", call->parameters, "Keeps the parameters in the trace too.")->group(run);
  sub->add_option("--observe", call->observe,
                  "Keeps only this stage, this closely; may be given several times.")
      ->expected(1)
      ->take_all()
      ->type_name("NAME[:DEPTH]")
      ->group(run);
  sub->add_option("--edit", call->edit, "Changes a stage's value on its way; may be given several times.")
      ->expected(1)
      ->take_all()
      ->type_name("NAME=ACTION")
      ->group(run);
  sub->add_flag("--gradients", call->gradients,
                "Goes backward too: the loss of predicting each next token, and how every value changes it "
                "(NAME.grad).")
      ->group(run);
  sub->add_flag("--plain", call->plain,
                "Runs every stage by its reference arithmetic: slower, and easy to check.")
      ->group(run);
  sub->add_flag("--double", call->in_double, "Computes in double precision, by the reference arithmetic.")
      ->group(run);
  sub->footer(k_footer);
  return [call, sub](const Terminal& terminal) { trace(*sub, *call, terminal); };
}

}  // namespace limpid::command

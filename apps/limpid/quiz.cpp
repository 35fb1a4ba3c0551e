// limpid quiz: questions about a run, asked and answered in the terminal.
#include "trace/quiz.h"

#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/width.h"
#include "limpid/commands.h"
#include "limpid/input.h"
#include "limpid/token.h"

namespace limpid::command {

namespace {

struct QuizCall {
  std::optional<std::string> argument;
  NetworkCall network;
  std::optional<int> layer, head;
  std::string token;
  bool answers = false, json = false;
};

// Scores and weights of longer texts are not kept whole: what is asked of them is left out.
constexpr size_t k_long_text = 1024;

// Of an encoder-decoder the decoder.
Trace asked_of(Trace trace) {
  std::optional<Trace> part = PartCall().cut(trace);
  return part ? std::move(*part) : std::move(trace);
}

Trace trace_of(const CLI::App& sub, const QuizCall& call) {
  if (call.argument && is_trace_file(*call.argument)) {
    if (is_model_file(*call.argument))
      fail_call(*call.argument,
                " is a model; ask about a text with it: limpid quiz \"Life is short\" --model ",
                shell_word(*call.argument));
    if (const std::string option = given_option(sub, network_options()); !option.empty())
      fail_call(*call.argument, " is a stored trace, asked about as it is; ", option,
                " needs a run, so give a text instead");
    return asked_of(load_trace(*call.argument));
  }
  check_network_options(sub, call.network);
  const bool given = call.argument || !call.network.tokens.empty() || !call.network.vectors.empty();
  Input input = input_of(call.network, given ? call.argument : std::optional<std::string>("Life is short"));
  TraceOptions options;
  if (call.network.textbook()) options.seed = call.network.seed;
  const size_t tokens = call.network.textbook() ? 0 : input.length();
  const Graph& graph = input.model.graph();
  const std::string layer = join("blocks.", call.layer.value_or(0), ".attn.");
  for (const char* stage :
       {"q", "k", "v", "rot_q", "rot_k", "raw_scores", "scaled_scores", "scores", "pattern"}) {
    const int id = graph.find(layer + stage);
    const bool square =
        id >= 0 && graph.value(id).shape.find(Axis::T) >= 0 && graph.value(id).shape.find(Axis::S) >= 0;
    if (id >= 0 && (!square || tokens <= k_long_text))
      options.observe.push_back({layer + stage, Depth::full});
  }
  for (const char* name : {"logits", "probs"})
    if (graph.find(name) >= 0) options.observe.push_back({name, Depth::full});
  return asked_of(input.trace(options));
}

// "blocks.0.attn.pattern[0,0,2,1]": the cell that a source names, without its format.
std::string cell_of(const std::string& source) { return source.substr(0, source.rfind(' ')); }

std::string json_of(const std::vector<Question>& questions) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const Question& q : questions) {
    nlohmann::ordered_json cells = nlohmann::ordered_json::array();
    for (const std::string& source : q.sources) cells.push_back(cell_of(source));
    out.push_back({{"question", q.text},
                   {"choices", q.choices},
                   {"right", q.right + 1},
                   {"answer", q.choices[q.right]},
                   {"explanation", q.explanation},
                   {"cells", cells}});
  }
  return out.dump(1) + "\n";
}

// Lines of at most `columns`, broken between words, each after `indent` spaces.
std::string wrapped(const std::string& text, int columns, size_t indent) {
  const size_t room = static_cast<size_t>(std::max(30, columns));
  std::string out, line;
  std::istringstream words(tame(text));
  for (std::string word; words >> word;) {
    if (!line.empty() && indent + display_width(line) + 1 + display_width(word) > room) {
      out += std::string(indent, ' ') + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return out + std::string(indent, ' ') + line + "\n";
}

class Asker {
 public:
  Asker(const std::vector<Question>& questions, const Terminal& terminal, bool answers)
      : questions_(questions), terminal_(terminal), reads_(!answers) {
    prompts_ = reads_ && terminal.output && isatty(STDIN_FILENO);
    if (isatty(STDIN_FILENO) && !terminal.output) reads_ = false;  // nobody sees what is asked
  }

  void run() {
    for (size_t i = 0; i < questions_.size() && !ended_; ++i) ask(i);
    if (answered_ > 0)
      print(join("\n", right_, " of ", answered_, answered_ == 1 ? " answer" : " answers", " right\n"));
  }

 private:
  void ask(size_t number) {
    const Question& q = questions_[number];
    if (number > 0) print("\n");
    print(wrapped(join("Question ", number + 1, " of ", questions_.size(), ": ", q.text), terminal_.columns,
                  0));
    for (size_t i = 0; i < q.choices.size(); ++i)
      print(wrapped(join(i + 1, "  ", q.choices[i]), terminal_.columns, 2));
    const std::optional<size_t> choice = read_choice(q);
    if (ended_) return;
    if (!choice) return print(told(q, "Answer"));
    ++answered_;
    right_ += *choice == q.right;
    print(told(q, *choice == q.right ? "Right" : "Wrong, the answer is"));
  }

  // "Right: 2. Because ...", and the cells that it speaks of.
  std::string told(const Question& q, const std::string& verdict) const {
    std::string out =
        wrapped(join(verdict, ": ", q.right + 1, "  ", q.choices[q.right]), terminal_.columns, 0);
    out += wrapped(q.explanation, terminal_.columns, 2);
    for (const std::string& source : q.sources) out += "  " + tame(cell_of(source)) + "\n";
    return out;
  }

  // Nothing where nobody answers: the answer is then shown.
  std::optional<size_t> read_choice(const Question& q) {
    while (reads_) {
      if (prompts_) print(join("Your answer, 1 to ", q.choices.size(), " (Enter shows it, q ends): "));
      flush_output();
      std::string line;
      int c = 0;
      while ((c = std::fgetc(stdin)) != EOF && c != '\n') line += static_cast<char>(c);
      if (c == EOF && line.empty()) {
        reads_ = false;
        if (prompts_) print("\n");
        break;
      }
      while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
      if (line.empty()) break;
      if (line == "q") {
        ended_ = true;
        break;
      }
      const int key = std::toupper(static_cast<unsigned char>(line[0]));
      const int choice = std::isdigit(key) ? key - '1' : key - 'A';
      if (line.size() == 1 && choice >= 0 && choice < static_cast<int>(q.choices.size()))
        return static_cast<size_t>(choice);
      if (!prompts_)
        fail_call("the answer '", tame(line), "' is none; expected 1 to ", q.choices.size(), " on each line");
    }
    return std::nullopt;
  }

  const std::vector<Question>& questions_;
  const Terminal& terminal_;
  bool reads_, prompts_ = false, ended_ = false;
  int answered_ = 0, right_ = 0;
};

void ask(const CLI::App& sub, const QuizCall& call, const Terminal& terminal) {
  const Trace trace = trace_of(sub, call);
  QuizOptions options;
  options.layer = call.layer.value_or(0);
  options.head = call.head.value_or(0);
  options.stages = true;
  if (!call.token.empty()) options.token = positions_of(trace, call.token).back();
  const std::vector<Question> questions = quiz(trace, options);
  if (questions.empty()) fail_call("nothing can be asked: the trace holds neither weights nor probabilities");
  if (call.json) return print(json_of(questions));
  // A text that came from standard input has used it up.
  const bool used = call.argument == "-";
  Asker(questions, terminal, call.answers || used).run();
}

}  // namespace

Work add_quiz(CLI::App& app) {
  auto call = std::make_shared<QuizCall>();
  CLI::App* sub = app.add_subcommand("quiz", "Asks questions about a run, and explains the answers.");
  sub->add_option("TEXT", call->argument,
                  "The sentence (Life is short); @FILE reads it from a file, - from standard input.  Or a "
                  "stored trace, FILE.safetensors or FILE.npz.")
      ->type_name("");
  sub->add_flag("--answers", call->answers, "Shows questions, answers and explanations; asks nothing.");
  sub->add_flag("--json", call->json, "The same as JSON.");
  const std::string which = "Which head is asked about";
  sub->add_option("--layer", call->layer, "The layer, from 0 (0).")
      ->type_name("L")
      ->check(from_zero())
      ->group(which);
  sub->add_option("--head", call->head, "The head, from 0 (0).")
      ->type_name("H")
      ->check(from_zero())
      ->group(which);
  sub->add_option(
         "--token", call->token,
         "The token that looks, as an index from 0, a word, or WORD#2 for its second occurrence (the last).")
      ->type_name("TOKEN")
      ->group(which);
  add_network_options(*sub, call->network);
  sub->footer(
      "Every question is made of this run's own numbers.  An answer is the number of a\nchoice; in a pipe "
      "answers "
      "are read from standard input, one a line, and where\nthere are none the right ones are "
      "shown.\n\nExamples:\n"
      "  limpid quiz \"Life is short\"\n"
      "  limpid quiz \"Life is short\" --network textbook --heads 2 --answers\n"
      "  limpid quiz \"Life is short\" --layer 1 --head 2 --token short --json\n"
      "  limpid quiz life.safetensors\n");
  return [call, sub](const Terminal& terminal) { ask(*sub, *call, terminal); };
}

}  // namespace limpid::command

// limpid explain: the arithmetic behind one number of a run.
#include "limpid/explain.h"

#include <algorithm>
#include <climits>

#include "limpid/commands.h"
#include "limpid/explanation.h"
#include "limpid/input.h"

namespace limpid::command {

void show_explanation(const Trace& trace, const ExplainCall& call, const Terminal& terminal) {
  const std::vector<Explanation> chain = explain(trace, cell_named(call.cell), call.depth);
  if (call.json) return print(to_json(trace, chain));
  PageOptions options;
  options.columns = terminal.columns;
  options.colour = terminal.colour;
  options.true_colour = terminal.true_colour;
  options.decimals = call.decimals.value_or(4);
  options.most_rows = call.all ? INT_MAX : call.terms;
  print(page(trace, chain, options));
}

namespace {

struct ExplainArguments {
  ExplainCall what;
  std::optional<std::string> argument, text;
  NetworkCall network;
  std::vector<std::string> edit;
  bool gradients = false, plain = false, in_double = false;
};

void check(const CLI::App& sub, const ExplainArguments& call, bool stored) {
  if (call.argument && call.text)
    fail_call("the text is given twice: as --text and after the cell; leave one out");
  if (call.what.decimals && (*call.what.decimals < 0 || *call.what.decimals > 17))
    fail_call("--decimals is ", *call.what.decimals, ", expected 0 to 17");
  if (call.what.depth < 1) fail_call("--depth is ", call.what.depth, ", expected at least 1");
  if (call.what.terms < 1) fail_call("--terms is ", call.what.terms, ", expected at least 1");
  if (!stored) return check_network_options(sub, call.network);
  std::vector<std::string> running = network_options();
  running.insert(running.end(), {"--text", "--edit", "--plain", "--double", "--gradients"});
  if (const std::string option = given_option(sub, running); !option.empty())
    fail_call(*call.argument, " is a stored trace, explained as it is; ", option,
              " needs a run, so give a text instead");
}

// Longer texts than this have their scores and weights rebuilt, one row, instead of kept whole.
constexpr size_t k_long_text = 1024;

// Whether the value is there only when the network is also run backward.
bool of_gradients(const Graph& graph, const std::string& name) {
  return graph.find(name) < 0 &&
         (name.find(".grad") != name.npos || name.starts_with("loss") || name == "targets");
}

Trace run(const ExplainArguments& call) {
  const CellName cell = cell_named(call.what.cell);
  const bool given =
      call.argument || call.text || !call.network.tokens.empty() || !call.network.vectors.empty();
  const std::optional<std::string> text = call.text ? call.text : call.argument;
  Input input = input_of(call.network, given ? text : std::optional<std::string>("Life is short"));
  const Graph& graph = input.model.graph();
  TraceOptions options;
  options.plain = call.plain;
  if (call.in_double) options.real = DType::f64;
  if (call.network.textbook()) options.seed = call.network.seed;
  const NamedEdits edits = read_edits(call.edit, input);
  options.edits = edits.edits;
  options.gradients = call.gradients || of_gradients(graph, cell.name);
  // Backward, what is read has names that only the run knows: everything is kept, and the parameters too.
  options.parameters = options.gradients || call.network.textbook();
  std::vector<std::string> learned;
  if (!options.gradients) {
    const bool fused = !call.network.textbook() && !call.plain && !call.in_double;
    const size_t tokens = fused ? input.length() : 0;
    for (const std::string& name :
         values_explaining(graph, cell.name, call.what.depth, tokens > k_long_text && call.edit.empty())) {
      if (graph.value(graph.require(name)).kind == Value::Kind::parameter)
        learned.push_back(name);
      else
        options.observe.push_back({name, Depth::full});
    }
    // A parameter alone is explained too: something must be looked at for a run to have an end.
    if (options.observe.empty()) options.observe.push_back({graph.values().front().name, Depth::full});
  }
  Trace trace = input.trace(options);
  edits.name(trace);
  for (const std::string& name : learned) trace.parameters.emplace(name, input.model.parameters().at(name));
  return trace;
}

void explain_call(const CLI::App& sub, const ExplainArguments& call, const Terminal& terminal) {
  const bool stored = call.argument && is_trace_file(*call.argument);
  if (stored && is_model_file(*call.argument))
    fail_call(*call.argument, " is a model; run a text with it: limpid explain ", shell_word(call.what.cell),
              " \"Life is short\" --model ", shell_word(*call.argument));
  check(sub, call, stored);
  show_explanation(stored ? load_trace(*call.argument) : run(call), call.what, terminal);
}

constexpr const char* k_footer =
    R"(CELL is the name of a stage's value (or of a parameter) and a place on each of
its axes: by their order, or by their letters.  The sentence's own axis B may be
left out; -1 is the last place; on T, S and V a token's label is a place too
(V="3" where it looks like a number).  TransformerLens names serve too.
  limpid explain "blocks.0.attn.pattern[0,2,2,1]"       head 2, token 2, token 1
  limpid explain "blocks.0.attn.pattern[H=2,T=2,S=1]"   the same
  limpid explain "logits[T=-1,V=312]"                   the last token's score
  limpid explain "logits[T=short,V=·of]"                a score, by labels
  limpid explain "blocks.0.attn.W_Q.grad[5,2,7]"        a gradient

Examples:
  limpid explain "blocks.0.attn.pattern[0,2,2,1]" --text "Life is short"
  limpid explain "probs[0,2,1]" --network textbook --depth 3
  limpid explain "blocks.0.attn.q[0,3,2,5]" --all
  limpid trace "Life is short" --params -o life.safetensors
  limpid explain "blocks.0.ln1.normalized[T=1,C=7]" life.safetensors
)";

}  // namespace

Work add_explain(CLI::App& app) {
  auto call = std::make_shared<ExplainArguments>();
  CLI::App* sub = app.add_subcommand("explain", "Shows the arithmetic behind one number of a run.");
  sub->add_option("CELL", call->what.cell, "Which number: NAME[PLACES], such as blocks.0.attn.q[0,3,2,5].")
      ->required()
      ->type_name("");
  sub->add_option("TEXT", call->argument,
                  "The sentence (Life is short); @FILE reads it from a file, - from standard input.  Or a "
                  "stored trace, FILE.safetensors or FILE.npz.")
      ->type_name("");
  sub->add_option("--text", call->text, "The sentence, by its name.")->type_name("TEXT");
  add_network_options(*sub, call->network);
  const std::string view = "What is shown";
  sub->add_option("--depth", call->what.depth,
                  "Explains the largest number that is read, too, and so on: N explanations (1).")
      ->type_name("N")
      ->group(view);
  sub->add_option("--terms", call->what.terms,
                  "How many terms of a long sum are shown, the largest; the rest is added up (8).")
      ->type_name("N")
      ->group(view);
  sub->add_flag("--all", call->what.all, "Shows every term, however many there are.")->group(view);
  sub->add_option("--decimals", call->what.decimals, "Digits after the point (4).")
      ->type_name("N")
      ->group(view);
  sub->add_flag("--json", call->what.json, "Prints the explanation, every term of it, as JSON instead.")
      ->group(view);
  const std::string run_group = "What is run";
  sub->add_flag("--gradients", call->gradients,
                "Goes backward too: numbers of NAME.grad, and the loss; implied by such a name.")
      ->group(run_group);
  sub->add_option("--edit", call->edit, "Changes a stage's value on its way, as in limpid trace.")
      ->expected(1)
      ->take_all()
      ->type_name("NAME=ACTION")
      ->group(run_group);
  sub->add_flag("--plain", call->plain, "Runs every stage by its reference arithmetic.")->group(run_group);
  sub->add_flag("--double", call->in_double, "Computes in double precision, by the reference arithmetic.")
      ->group(run_group);
  sub->footer(k_footer);
  return [call, sub](const Terminal& terminal) { explain_call(*sub, *call, terminal); };
}

}  // namespace limpid::command

// limpid diff: the first stage where two runs part, and what is different about it.
#include "limpid/diff.h"

#include <climits>

#include "limpid/commands.h"
#include "limpid/input.h"

namespace limpid::command {

namespace {

struct DiffCall {
  std::string a, b;
  DiffOptions options;
  bool json = false, all = false;
};

constexpr const char* k_diff_footer =
    R"(A is a trace of limpid's, which knows the order of its stages; B is another, or
numbers of another program: .safetensors, .npz, .npy or a folder of them, under
limpid's names, TransformerLens' (blocks.0.attn.hook_q) or Hugging Face's
(hidden_states.0, attentions.0, logits).  With everything kept in A (--observe
"*" --params) the stage to blame is run again in the ways in which it is usually
got wrong, and the one that gives B's numbers is named.

Exit status: 0 they agree, 1 they part (or a file could not be read), 2 the call
was wrong.

Examples:
  limpid trace "Life is short" --observe "*" --params -o a.safetensors
  limpid diff a.safetensors b.safetensors
  limpid diff a.safetensors reference/ --tolerance 1e-3
  limpid diff a.safetensors b.npz --json
)";

// What main() turns into status 1, with nothing more to say: the page has said it.
void run_diff(const DiffCall& call, const Terminal& terminal) {
  if (!is_trace_file(call.a))
    fail_call(call.a, " is no trace: A is one that limpid kept, FILE.safetensors or FILE.npz");
  const Trace a = load_trace(call.a);
  const Diff found = diff(a, load_activations(call.b), call.options);
  PageOptions options;
  options.columns = terminal.columns;
  options.colour = terminal.colour;
  options.true_colour = terminal.true_colour;
  options.decimals = 4;
  options.most_rows = call.all ? INT_MAX : 10;
  print(call.json ? to_json(a, found) : page(a, found, options));
  if (found.parts()) throw Parted{};
}

}  // namespace

Work add_diff(CLI::App& app) {
  auto call = std::make_shared<DiffCall>();
  CLI::App* sub =
      app.add_subcommand("diff", "The first stage where two runs part, and what is different about it.");
  sub->add_option("A", call->a, "A trace: FILE.safetensors or FILE.npz.")->required()->type_name("");
  sub->add_option("B", call->b, "Another trace, or a file or folder of another program's activations.")
      ->required()
      ->type_name("");
  sub->add_option("--tolerance", call->options.tolerance,
                  "How much may differ, as a share of max(|number|, the stage's scale, at most 1) (0.0001).")
      ->type_name("X");
  sub->add_flag("--all", call->all, "Shows every stage in the table.");
  sub->add_flag("--json", call->json, "Prints one JSON object instead.");
  sub->footer(k_diff_footer);
  return [call](const Terminal& terminal) { run_diff(*call, terminal); };
}

}  // namespace limpid::command

// The subcommands: each adds itself to the parser and returns what is to be done if the call asks for it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "limpid/terminal.h"

namespace limpid::command {

/// Runs after the whole call was read.  Throws Error; ClosedPipe when the reader has gone.
using Work = std::function<void(const Terminal&)>;

Work add_trace(CLI::App& app);
Work add_draw(CLI::App& app);
Work add_explain(CLI::App& app);
Work add_explore(CLI::App& app);
Work add_generate(CLI::App& app);
Work add_train(CLI::App& app);
Work add_info(CLI::App& app);
Work add_export(CLI::App& app);
Work add_quiz(CLI::App& app);
Work add_eval(CLI::App& app);
Work add_tokens(CLI::App& app);
Work add_embed(CLI::App& app);
Work add_fill(CLI::App& app);
Work add_translate(CLI::App& app);
Work add_classify(CLI::App& app);
Work add_predict(CLI::App& app);
Work add_bench(CLI::App& app);
Work add_diff(CLI::App& app);
Work add_lens(CLI::App& app);
Work add_heads(CLI::App& app);

/// Thrown by a command whose work is done and whose answer is no: status 1, and nothing more to say.
struct Parted {};

}  // namespace limpid::command

// What a call names: a text, a model or the textbook's network, a stored trace, edits.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "limpid/model.h"

namespace limpid::command {

/// Nothing or "-": standard input; "@FILE": that file; anything else: itself.  One line end at the end of a
/// file or of standard input is left out.  Throws Error{call} for a text that is empty, or only spaces.
std::string text_of(const std::optional<std::string>& argument);

/// The model file, or the built-in model where `path` is empty.
Model open_model(const std::string& path);

/// Whether an argument names a stored trace: it ends with .safetensors or .npz, and is a file.  Throws
/// Error{call} where it looks like one and is not there.
bool is_trace_file(const std::string& argument);

/// Whether the file is a model of limpid's.  False for whatever cannot be read.
bool is_model_file(const std::string& path);

/// Which network runs, on what: the options that trace and draw share.
struct NetworkCall {
  std::string model, network, positions = "none", mask = "none", output = "next-word", vectors;
  uint32_t seed = 7;
  int64_t heads = 1, width = 4, outputs = 0;
  bool add_norm = false;
  std::vector<int64_t> tokens;
  std::string words;  // what --tokens gave, where it is not a list of ids

  bool textbook() const { return network == "textbook" || !vectors.empty(); }
};

void add_network_options(CLI::App& sub, NetworkCall& call);
/// Throws Error{call} for options that do not go together: --heads with the built-in model, say.
void check_network_options(const CLI::App& sub, const NetworkCall& call);
/// The first of these options that the call gives; empty if none.
std::string given_option(const CLI::App& sub, const std::vector<std::string>& options);
/// Every option of add_network_options.
std::vector<std::string> network_options();

/// Of an option: a whole number, from 0.
CLI::Validator from_zero();

/// A model, and what goes through it: a text, token ids, or vectors.
struct Input {
  Model model;
  std::string text;
  std::vector<int64_t> tokens;

  Trace trace(const TraceOptions& options) {
    return tokens.empty() ? model.trace(text, options) : model.trace(tokens, options);
  }
};
/// `argument` as text_of has it; not read where --tokens or --vectors stand for it.
Input input_of(const NetworkCall& call, const std::optional<std::string>& argument);

/// "NAME=ACTION"; the tensor of "=replace:FILE" is read from that stored trace, by the stage's name, or that
/// .npy file.
Edit read_edit(const std::string& text);

}  // namespace limpid::command

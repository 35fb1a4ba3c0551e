// What a call names: a text, a model or the textbook's network, a stored trace, edits.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "limpid/model.h"
#include "limpid/series.h"

namespace limpid::command {

/// Nothing or "-": standard input; "@FILE": that file; anything else: itself.  One line end at the end of a
/// file or of standard input is left out, unless the text is nothing else.  Throws Error{call} for an empty
/// text.
std::string text_of(const std::optional<std::string>& argument);

/// Which model, and what its file does not say.
struct ModelCall {
  std::string model, tokenizer;
  std::optional<Activation> activation;
  std::optional<Weights> weights;
  std::optional<int64_t> heads;
};

/// --model, --tokenizer, --activation, --weights.  --heads is the caller's, which may have another use for
/// it.
void add_model_options(CLI::App& sub, ModelCall& call, const std::string& group = "Options");

/// The model file, or the built-in model where none is named.  What is to be known of it (a NaN among its
/// parameters) goes to standard error.
Model open_model(const ModelCall& call);
Model open_model(const std::string& path);

/// What --tokenizer names: a file or folder that load_tokenizer reads, a model of limpid's that has one,
/// characters:TEXT, words:TEXT, or bytes.
std::shared_ptr<const Tokenizer> read_tokenizer(const std::string& given);
/// The tokenizer that a call names by --tokenizer, else by --model (a model file, or a folder), else the
/// built-in model's.
std::shared_ptr<const Tokenizer> open_tokenizer(const ModelCall& call);

/// Whether an argument names a stored trace: it ends with .safetensors or .npz, and is a file.  Throws
/// Error{work} where it looks like one and is not there.
bool is_trace_file(const std::string& argument);

/// Whether the file is a model of limpid's.  False for whatever cannot be read.
bool is_model_file(const std::string& path);

/// Which network runs, on what: the options that trace and draw share.
struct NetworkCall : ModelCall {
  std::string network, positions = "none", mask = "none", output = "next-word", vectors, separator;
  uint32_t seed = 7;
  int64_t width = 4, outputs = 0;
  bool add_norm = false;
  std::vector<int64_t> tokens;
  std::string words;                  // what --tokens gave, where it is not a list of ids
  std::optional<std::string> target;  // of an encoder-decoder: a text, or token ids
  bool hold_back = false;             // of a series: the last moments, which are to be foretold

  bool textbook() const { return network == "textbook" || !vectors.empty(); }
};

void add_network_options(CLI::App& sub, NetworkCall& call);
/// Throws Error{call} for options that do not go together: --heads with the built-in model, say.
void check_network_options(const CLI::App& sub, const NetworkCall& call);
/// The first of these options that the call gives; empty if none.
std::string given_option(const CLI::App& sub, const std::vector<std::string>& options);
/// The textbook's network, as the options say; its context is each text's.
TextbookConfig textbook_config(const NetworkCall& call);
/// Every option of add_network_options.
std::vector<std::string> network_options();

/// "2,0,1", which that option was given.  Throws Error{call} naming what is no token id.
std::vector<int64_t> ids_of(const char* option, const std::string& list);

/// Of an option: a whole number, from 0.
CLI::Validator from_zero();

/// A model, and what goes through it: a text, token ids, vectors, an image, or a series.
struct Input {
  Model model;
  std::string text;  // of an image or a series: its name
  std::vector<int64_t> tokens;
  std::optional<std::vector<int64_t>> target = {};  // of an encoder-decoder: what its decoder reads
  Tensor pixels = {};  // of an image or a series, as the model reads it; else empty
  std::optional<SeriesRead> series = {};

  Trace trace(const TraceOptions& options) {
    if (pixels.count() > 0) return model.trace(pixels, options, text);
    TraceOptions beside = options;
    if (target) beside.target = target;
    return tokens.empty() ? model.trace(text, beside) : model.trace(tokens, beside);
  }
  /// Another text, or for a model that reads images or series the file of that name.
  void take(const std::string& given, bool hold_back = false);
  /// How many tokens, or rows of an image, go through the network.
  size_t length() const;
};

/// --part: which attention of an encoder-decoder is shown; other networks have none.
struct PartCall {
  std::string part;

  /// The part of a trace that is shown: as asked for, of an encoder-decoder else the decoder.  Nothing:
  /// another network is shown whole.
  std::optional<Trace> cut(const Trace&) const;
  /// What `reads` asks of that part of the run that is to come.
  std::vector<Observation> reads(const Trace& begun,
                                 const std::function<std::vector<Observation>(const Trace&)>& reads) const;

 private:
  std::optional<NetworkPart> of(const Trace&) const;
};
void add_part_option(CLI::App& sub, PartCall& call, const std::string& group = "Options");
/// `argument` as text_of has it, for a model that reads images or series the name of a file; not read where
/// --tokens or
/// --vectors stand for it.
Input input_of(const NetworkCall& call, const std::optional<std::string>& argument);
/// The same for a text that is here already.
Input input_of_text(const NetworkCall& call, const std::string& text);

/// Edits, and how a trace's list of them says each; empty: as the library has it.
struct NamedEdits {
  std::vector<Edit> edits;
  std::vector<std::string> texts;

  /// Puts the texts into a trace that was made with these edits.
  void name(Trace& trace) const {
    for (size_t i = 0; i < texts.size() && i < trace.edited.size(); ++i)
      if (!texts[i].empty()) trace.edited[i] = texts[i];
  }
};

/// Each "NAME=ACTION".  The tensor of "=replace:FILE" is read from that stored trace, by the stage's name, or
/// that .npy file.  "=mean:positions" is each feature's mean over the input's own positions, before any edit;
/// "=mean:FILE" that over the positions of a stored trace, or of the runs of a text file's lines through the
/// input's model.
NamedEdits read_edits(const std::vector<std::string>& texts, Input& input);

/// The lines of a text file, the empty ones too or not.  Throws Error{work} where there is none.
std::vector<std::string> lines_of(const std::string& file, bool empty_ones = false);

}  // namespace limpid::command

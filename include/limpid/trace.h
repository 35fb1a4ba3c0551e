// A trace: what was seen in one run, complete enough to be shown and drawn without the model.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "limpid/api.h"
#include "limpid/engine.h"
#include "limpid/files.h"

namespace LIMPID_API limpid {

/// One token of the sentence: what stands on axis T (and S).
struct Token {
  int64_t id = 0;
  std::string label;          // for people: valid UTF-8, one line
  size_t begin = 0, end = 0;  // the bytes of the text it covers
};

/// The first stage of a run whose value held a NaN or an infinity.  The -inf of masked scores is none.
struct NotFinite {
  std::string stage;
  double value = 0;           // NaN, or an infinity
  std::vector<int64_t> cell;  // the place of the first one in the stage's value; empty: not looked for
};

struct Trace {
  std::string engine_version;
  std::string title;          // "limpid's built-in model", "textbook network"
  std::string model_hash;     // of the configuration and parameters; empty if there is none
  std::string text;           // what was given, empty for vectors
  std::vector<Token> tokens;  // one a position; for input vectors X1, X2, ...
  std::string source_text;    // of an encoder-decoder: what its encoder read
  std::vector<Token> source;  // ... and its tokens: positions of the encoder's stages (counts_source)
  std::vector<Token> keys;    // what axis S counts, where that is not what axis T counts (part_of)
  std::vector<std::string> vocabulary;  // labels of axis V: words, or classes
  std::string token_word = "token";     // what a position is called: "word", "token", "vector", "patch"
  std::shared_ptr<const Graph> graph;
  std::map<std::string, Tensor> values;  // by stage name: whole values
  std::map<std::string, Summary> summaries;
  std::map<std::string, Tensor> parameters;   // only on request
  std::vector<std::string> observed, edited;  // as they were asked for
  std::vector<std::string> notes;
  std::map<std::string, int64_t> numbers;  // seeds and settings: "seed", "plain"
  std::map<std::string, double> metrics;   // "loss", ...
  std::optional<NotFinite> not_finite;     // where a value that was seen is not
  // Some word stands for several tokens (in_words): places are not those that the run, its edits and its
  // graph count by.
  bool words_of_pieces = false;

  bool has(const std::string& name) const;
  /// The value of that name (aliases accepted); throws Error{call} saying what the trace holds.
  const Tensor& operator[](const std::string& name) const;
};

/// The three attentions of an encoder-decoder: of what it writes to itself, of what it reads to itself, and
/// of what it writes to what it reads.
enum class NetworkPart { decoder, encoder, cross };
std::string_view name(NetworkPart);
/// Throws Error{call} listing the names.
NetworkPart part_named(std::string_view name);
/// That part as a trace of its own, which every page and figure shows as it shows any other network: its
/// attention is called blocks.N.attn, and Trace::keys are the source's tokens where it looks at them.  Throws
/// Error{call} for a network without an encoder.
Trace part_of(const Trace&, NetworkPart);
/// What `reads` asks of that part of a run, under the names of the whole.
std::vector<Observation> part_reads(const Trace& begun, NetworkPart,
                                    const std::function<std::vector<Observation>(const Trace&)>& reads);

/// Whether the network has an encoder (stages "encoder...") that reads a source.
bool has_encoder(const Graph&);
/// Whether positions on axis T or S of that value are those of the source of an encoder-decoder: in what its
/// encoder computes, and where cross-attention looks.
bool counts_source(std::string_view value, Axis);

/// Writes FILE.safetensors or FILE.npz (by ending), whole or not at all.  16-bit values are written as f32.
/// The file's layout is in docs/trace-file.md.
void save(const Trace&, const std::string& path);
/// The bytes that save() writes as .safetensors.
std::string trace_bytes(const Trace&);
/// Reads FILE.safetensors or FILE.npz; throws Error{work} naming what is missing or wrong.
Trace load_trace(const std::string& path);
/// The same from memory, of a .safetensors file; `name` stands for the path, in messages too.
Trace read_trace(Bytes bytes, const std::string& name);
/// Whether these bytes are a .safetensors file with a trace in it; false for whatever cannot be read.
bool is_trace(Bytes bytes);
/// The whole trace as one JSON document: metadata, and every value as nested lists.
std::string to_json(const Trace&);

// ---- the trace as a page of text -----------------------------------------------------------------

struct PageOptions {
  int columns = 80;
  bool colour = false;
  int decimals = 3;
  int most_rows = 8;  // tokens shown before a stage is cut short (the page says so); all is a large number
  int layer = -1;     // the layer to show in detail (the others are shown small); -1: the first
  int head = -1;      // the only head to show; -1: the attention of every head, the rest of the first
  bool true_colour = true;  // 24-bit colours; false: the nearest of the 256 that every terminal knows
};

/// What page() reads of a run over `length` tokens: with these observed (TraceOptions::observe), no more is
/// computed or kept than it shows.  A text that fits on the page is read whole.
std::vector<Observation> page_reads(const Graph&, int64_t length, const PageOptions&);
/// What token_page() reads.
std::vector<Observation> token_page_reads(const Graph&, int layer, const std::vector<int>& token_positions);

/// The same run by whole words, where a tokenizer split them: of the weights, a word's pieces are added where
/// it is looked at and averaged where it looks, in double; of the probabilities, its last piece's.  Other
/// values have no meaning for words and are left out; a note says what was done.  Throws Error{call} for a
/// trace that is not of a text.
Trace in_words(const Trace&);
/// What in_words() reads of a run.
std::vector<Observation> word_reads(const Graph&);
/// Tokens that hold a part of a character get its label and which part: "\u00f6 1/2", "\u00f6 2/2".
void name_split_characters(const std::string& text, std::vector<Token>& tokens);

/// Every stage from word to next-word probability, as a newcomer reads it.  No line is wider than
/// options.columns (at least 30).  Throws Error{call} when layer or head do not exist.
std::string page(const Trace&, const PageOptions&);

/// One token's way through one head: its query against every key, dot products, scaled, masked, softmax, each
/// weight times each value, their sum.  Throws Error{call} when layer, head or token do not exist.
std::string token_page(const Trace&, int layer, int head, const std::vector<int>& token_positions,
                       const PageOptions&);

/// One or two sentences computed from this run: which word looks where, how sharply, what that did to the
/// next word.
std::string key_insight(const Trace&);

}  // namespace LIMPID_API limpid

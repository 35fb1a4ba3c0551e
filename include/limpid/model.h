// A model: a network with its parameters and its tokenizer.
//
//   Model model = Model::builtin();
//   Trace trace = model.trace("Life is short");
//   const Tensor& pattern = trace["blocks.0.attn.pattern"];   // [B,H,T,S]
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
#include "limpid/network.h"
#include "limpid/text.h"
#include "limpid/trace.h"

namespace LIMPID_API limpid {

/// What a trace should keep, beside the engine's own options.
struct TraceOptions {
  bool plain = false;
  std::optional<DType> real;  // f32 or f64; left out: as the parameters are
  uint64_t seed = 0;
  std::vector<Observation> observe;  // empty: everything, in full (long texts: without the T x S stages)
  std::vector<Edit> edits;
  bool parameters = false;  // keep the parameters too
  bool gradients =
      false;  // also the loss of predicting each next token, and every stage's gradient (NAME.grad)
};

struct GenerateOptions {
  int64_t tokens = 64;
  double temperature = 0;  // 0: always the likeliest token
  uint64_t seed = 0;
};

/// What is const may be called from several threads at once, on one model (threads.h); what is not, alone.
class Model {
 public:
  /// The small language model that limpid trained and carries with it.
  static Model builtin();
  /// A model file: limpid's own, or minGPT's (docs/model-files.md).  Throws Error{work} naming what is wrong
  /// with it.
  static Model load(const std::string& path);
  /// The textbook network over the words of one sentence, with NumPy's random numbers from this seed, in
  /// double: every occurrence of a word has its own row.
  static Model textbook_walk(const std::string& text, TextbookConfig config, uint32_t seed);
  /// The same over given input vectors [T,C]; the head scores the vectors themselves unless config.outputs
  /// says otherwise.
  static Model textbook_walk(const Tensor& vectors, TextbookConfig config, uint32_t seed);
  /// An untrained model, its parameters drawn from this seed.
  static Model fresh(const NetworkConfig&, std::shared_ptr<const Tokenizer>, uint64_t seed);

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  /// Writes the model as one .safetensors file, whole or not at all; parameters as `dtype`.
  void save(const std::string& path, DType dtype = DType::f32) const;

  const NetworkConfig& config() const;
  const Graph& graph() const;
  const Tokenizer* tokenizer() const;  // nullptr when the input is vectors, or bare token ids
  const std::map<std::string, Tensor>& parameters() const;
  std::map<std::string, Tensor>& parameters();
  std::string title() const;
  void set_title(const std::string&);
  /// Hexadecimal digest of configuration and parameters.
  std::string hash() const;
  int64_t parameter_count() const;

  /// Token ids of a text; throws Error{call} for an empty one or one that the tokenizer cannot read.
  std::vector<int64_t> encode(const std::string& text) const;

  /// Runs one sentence and records what happened.
  Trace trace(const std::string& text, const TraceOptions& = {}) const;
  Trace trace(const std::vector<int64_t>& tokens, const TraceOptions& = {}) const;
  /// Runs a batch of token ids [B,T] (or vectors [B,T,C]) and returns the engine's result.
  RunResult run(const Tensor& input, const RunOptions&) const;

  /// The text that the model continues with; on_token is called with each piece as it comes.
  std::string generate(const std::string& text, const GenerateOptions&,
                       const std::function<void(const std::string&)>& on_token = {}) const;

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl>);
  static Model from_file(TensorFile, const std::string& path);
  std::unique_ptr<Impl> impl_;
};

}  // namespace LIMPID_API limpid

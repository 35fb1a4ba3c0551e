// What a model is made of.
#pragma once

#include <mutex>

#include "limpid/model.h"

namespace limpid {

class TextWriter;

struct LIMPID_LOCAL Model::Impl {
  Impl(NetworkConfig, std::shared_ptr<const Tokenizer>, std::string title);

  NetworkConfig config;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const Tokenizer> own_source;  // of what an encoder reads, where it is another
  const Tokenizer* source_tokenizer() const { return own_source ? own_source.get() : tokenizer.get(); }
  std::string title;
  std::vector<std::string> notes;  // what a user of the loaded model should know
  ModelTasks tasks;
  std::shared_ptr<Graph> graph;
  std::map<std::string, Tensor> parameters;  // but those that are kept as they are stored:
  std::map<std::string, StoredMatrix> stored;
  std::unique_ptr<Engine> engine;

  /// Puts in what is not yet stored; throws Error{work} naming a parameter that is missing, left over or of
  /// another shape.
  void set_parameters(Weights, std::map<std::string, Tensor> from, const std::string& path);
  /// Every parameter in f32, made when it is first asked for.  May be called from several threads.
  const std::map<std::string, Tensor>& expanded();
  /// Nothing is kept as it is stored from now on.
  void expand();
  std::mutex mutex;  // of expanded_ and towers
  std::map<std::string, Tensor> expanded_;

  /// A text that goes on from these tokens, or is written beside them.  Throws Error{call} for none.
  TextWriter writer(const std::vector<int64_t>& tokens, const GenerateOptions&,
                    std::function<void(const GeneratedToken&)> on_token) const;

  std::map<Tower, std::unique_ptr<Model>> towers;
  std::unique_ptr<Impl> make_tower(Tower, bool take);

  // The textbook walk's input: the words (each occurrence its own token), or the vectors.
  std::vector<std::string> words;
  Tensor vectors;                         // [1,T,C]
  std::vector<std::string> vector_names;  // empty: X1, X2, ...

  const char* input_name() const {
    return vectors.count() > 0    ? "vectors"
           : reads_images(config) ? "pixels"
           : reads_series(config) ? "values"
                                  : "tokens";
  }
  /// What a run reads: the parameters, the input, and what the network wants to know besides: lengths (all
  /// whole, unless given) and token types (all 0, unless given).
  struct Bound {
    std::map<std::string, ConstView> views;
    std::vector<Tensor> owned;
  };
  Bound bindings(const Tensor& input) const;
  /// The same of an encoder-decoder, beside sources [B,T].
  Bound bindings(const Tensor& input, const Tensor& source) const;
  Bound bound_to(const Tensor& input, const Tensor& source) const;
  /// The same of texts of different lengths.
  struct Batch {
    Bound bound;
    std::vector<Tensor> padded;  // the views point there
  };
  Batch batch_of(const TokenBatch&) const;
  /// The token that an encoder-decoder's text begins with; throws Error{call} where nothing says it.
  const Writing& writing() const;
  /// The matrices that are kept as they are stored are bound so.
  RunOptions with_stored(RunOptions options) const {
    options.stored = &stored;
    return options;
  }
  /// The tokens of a text, never none; throws Error{call} for an empty text and for what the tokenizer cannot
  /// read.  Cut to `longest` of them, as Model::encode() does.
  ModelInput input_of(const std::string& text, Specials = Specials::as_text,
                      int64_t longest = INT64_MAX) const;
  std::string hash() const;
  std::vector<std::string> candidates(const std::vector<Token>&) const;
  /// Runs and records.  Texts are empty for vectors and bare ids.
  struct Recorded {
    Tensor input;
    std::vector<Token> tokens;
    std::string text = "";
    Tensor source = {};  // of an encoder-decoder [1,T]
    std::vector<Token> source_tokens = {};
    std::string source_text = "";
  };
  Trace record(Recorded, const TraceOptions&) const;
  void set_tokens(const std::vector<int64_t>& ids, std::optional<int64_t> unsaid, Recorded& to) const;
  Trace record_beside(Recorded, const std::vector<int64_t>& source, const std::vector<int64_t>& target,
                      const TraceOptions&) const;
};

/// Token ids [1,T].
Tensor one_row(const std::vector<int64_t>& ids);

/// "its parameters hold 3 numbers that are not finite, ..."; empty if all are.
std::string note_on_parameters(const std::map<std::string, Tensor>&,
                               const std::map<std::string, StoredMatrix>&);
/// The first stage of this run whose value is not finite, if something that was `seen` is not: the run is
/// made again, looking at every stage.  `length`: tokens of the sentence.
std::optional<NotFinite> first_not_finite(Engine&, const Graph&,
                                          const std::map<std::string, ConstView>& bound, const RunOptions&,
                                          int64_t length, const RunResult& seen);
std::string note_on(const NotFinite&);

/// Zeros, ones or normal numbers as the graph says, from this seed and each parameter's name.
std::map<std::string, Tensor> fresh_parameters(const Graph&, uint64_t seed);
/// NumPy's np.random.seed(seed), np.random.rand in the walk's order: embeddings, W_Q, W_K, W_V, W_out, then
/// the rest.
std::map<std::string, Tensor> numpy_parameters(const Graph&, uint32_t seed);

}  // namespace limpid

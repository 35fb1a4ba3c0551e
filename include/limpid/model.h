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
#include "limpid/image.h"
#include "limpid/network.h"
#include "limpid/stored.h"
#include "limpid/text.h"
#include "limpid/trace.h"

namespace LIMPID_API limpid {

/// What a trace should keep, beside the engine's own options.
struct TraceOptions {
  /// What the names of special tokens mean where they stand in the text.
  Specials specials = Specials::as_text;
  int64_t longest = 0;  // tokens: a longer text is cut to these, with a note; 0: it is run whole
  bool plain = false;
  std::optional<DType> real;  // f32 or f64; left out: as the parameters are
  uint64_t seed = 0;
  std::vector<Observation> observe;  // empty: everything, in full (long texts: without the T x S stages)
  /// In place of `observe`: asked before anything runs, with a trace that has its tokens, its graph and no
  /// values.
  std::function<std::vector<Observation>(const Trace&)> reads;
  std::function<void(double done, const std::string& next)> progress;  // as RunOptions'
  std::vector<Edit> edits;
  bool parameters = false;  // keep the parameters too
  bool identify = true;     // say the model's hash, for which every parameter is read
  /// Of an encoder-decoder, beside its source: what its decoder reads, from the start token on; nothing: what
  /// the model itself writes.
  std::optional<std::vector<int64_t>> target;
  bool gradients =
      false;  // also the loss of predicting each next token, and every stage's gradient (NAME.grad)
};

/// How the large matrices of a model that is loaded are kept: those that are only multiplied by, and tables
/// of embeddings.  All others are f32 in any case, and so are sums.
enum class Weights {
  stored,  // as the file has them: f32, bf16, f16, Q8_0, Q4_0, Q4_1, Q4_K; other quantised numbers as bf16,
           // rounded
  bf16,    // f32 rounded to bf16; smaller ones as the file has them
  f32,     // all expanded to f32, exactly
};
std::string_view name(Weights);
/// Throws Error{call} listing the names.
Weights weights_named(std::string_view name);

/// What a model file does not say itself: a state dict of minGPT's or nanoGPT's may come without its
/// configuration, and never has a tokenizer.  For a file that says it, another value is an Error{call}.
struct LoadOptions {
  Weights weights = Weights::stored;
  std::optional<int64_t> heads;          // shapes do not tell
  std::optional<Activation> activation;  // gelu (nanoGPT) or gelu_tanh (minGPT, GPT-2)
  std::shared_ptr<const Tokenizer> tokenizer;
};

/// Which of a text's last hidden states stand for the text, as sentence-transformers has it: their mean, the
/// first's ([CLS]), the largest of each feature, the last's.
enum class Pooling { mean, cls, max, last };
std::string_view name(Pooling);
/// Throws Error{call} listing the names.
Pooling pooling_named(std::string_view name);

/// How an encoder-decoder begins and ends the text that it writes, as its folder says
/// (generation_config.json).
struct Writing {
  int64_t start = 0;             // the token that stands before the text
  std::optional<int64_t> first;  // the text's first token in any case (mBART: the language)
  std::vector<int64_t> ends;     // the text ends with any of these
  std::vector<int64_t> never;    // tokens that are never written
  int64_t beams = 1;             // see TranslateOptions
  double length_penalty = 1;
};

/// How the columns of a table of series are brought to the size that a network was trained on: (x - mean) /
/// deviation.
struct SeriesScale {
  std::vector<std::string> columns;
  std::vector<double> mean, deviation;
};

/// What a model's folder says, beside its network, of what the model is for (tasks.h).
struct ModelTasks {
  /// The names of a classifier's classes, by their number; empty: it is none.
  std::vector<std::string> classes;
  /// Each class is true or not by itself (several labels a text, or one class alone), so that probabilities
  /// do not add up to 1; else one class is.
  bool independent_classes = false;
  /// How a text becomes one vector; nothing: not said.
  std::optional<Pooling> pooling;
  bool normalize = false;          // ... which is then scaled to length 1
  int64_t longest_text = 0;        // tokens of a text that a vector is made of; 0: the network's context
  std::string pooling_problem;     // why what the folder says of it cannot be done; empty: it can
  std::optional<Writing> writing;  // of an encoder-decoder
  std::string chat_template;       // the program that writes conversations (chat.h); empty: it has none
  /// How an image becomes what the network reads; nothing: the network reads none, or it is not known how
  /// (image_problem says why).
  std::optional<ImageProcessor> image;
  std::string image_problem;
  std::optional<SeriesScale> series;  // of a network that reads series
  /// Texts are filled up with `padding` to so many tokens, which count as the text's (SigLIP); 0: they are
  /// not.
  int64_t text_length = 0;
  int64_t padding = 0;
};

struct ForeignModel;  // another program's, as it was read

/// Texts of different lengths, as token ids, that are run at once.
struct TokenBatch {
  std::vector<std::vector<int64_t>> ids;           // none empty
  std::vector<std::vector<int64_t>> types;         // of the tokens, where the network has types; empty: all 0
  std::vector<std::vector<int64_t>> sources = {};  // of an encoder-decoder: what each text is written beside
};

/// How the next token is chosen.  In this order, as transformers does: the penalty, the temperature, top_k,
/// top_p, min_p.
struct SampleOptions {
  double temperature = 0;  // 0: always the likeliest token; else it is drawn
  int64_t top_k = 0;       // of the so many likeliest; 0: of all
  double top_p = 1;        // of the likeliest that together have this probability (Holtzman 2019)
  double min_p = 0;        // of those at least min_p times as likely as the likeliest
  double repetition_penalty =
      1;  // logits of tokens that stand in the text: positive ones divided by it, others multiplied
};

struct GenerateOptions {
  int64_t tokens = 64;
  SampleOptions sample = {};
  uint64_t seed = 0;
  std::vector<std::string> stop = {};     // the text ends before the first of these
  Specials specials = Specials::as_text;  // what names of special tokens mean in the text that is given
  /// Keys and values of the text so far are kept, where the network allows it: the same tokens with the same
  /// bits, and each costs what one token costs.  false: the text is read from its beginning for every token.
  bool cache = true;
  /// Of the keys and values that are kept.  f32: the bits of a run of the whole text.  bf16 and f16 take half
  /// of the memory, i8 with a scale for each row of a head about a quarter: each number is rounded once, and
  /// the same call gives the same bits, however the text is cut into runs.
  DType cache_type = DType::f32;
  /// So many of the largest weights of every head are gathered at each step, by the kernel while it runs; 0:
  /// none.
  int64_t watch = 0;
  std::vector<int64_t> ends = {};  // the text ends at any of these tokens too
  bool stop_at_end = true;         // at the token with which the tokenizer ends a text, where it has one
  /// Called once when the text outgrows the `context` tokens that the model reads at a time, and it goes on
  /// from the latest of them.
  std::function<void(int64_t context)> on_slide;
};

/// Where one head looks from the latest token of a text.
struct HeadLook {
  std::string
      attention;  // its stages' name: "blocks.3.attn"; of an encoder-decoder "blocks.3.cross_attn" too
  int64_t head = 0;
  double entropy = 0;         // of its weights, in nats
  std::vector<int64_t> keys;  // places in the text (cross_attn: in the source), the largest weight first
  std::vector<double> weights;
};

/// A token that the model wrote.
struct GeneratedToken {
  int64_t id = 0;
  // What it adds to the text: never half a character, so the first tokens of one may add nothing.
  std::string piece;
  double probability = 0;            // that the model gave it, at temperature 1
  std::vector<HeadLook> looks = {};  // of every head when it was chosen, with GenerateOptions::watch
};

/// A text that grows.  Keys and values of the tokens read so far are kept, so that a token costs what one
/// token costs however many came before.  Made by Model::session; the model must outlive it and not change.
class Session {
 public:
  explicit Session(std::unique_ptr<struct SessionState>);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// Reads these tokens behind those read so far, and returns the logits [V] after the last of them: the bits
  /// are those of a run of the whole text.  Throws Error{call} for none, for ids that the vocabulary does not
  /// have, and for more tokens than the network has positions.
  Tensor extend(const std::vector<int64_t>& tokens);
  /// The same, and where every head looks from the last of them: its `watch` largest weights.
  Tensor extend(const std::vector<int64_t>& tokens, int64_t watch, std::vector<HeadLook>& looks);
  /// Tokens read so far.
  int64_t length() const;
  /// Bytes that keys and values take.
  size_t bytes() const;
  /// Forgets all tokens.
  void clear();

 private:
  std::unique_ptr<struct SessionState> state_;
};

/// A text is scored in windows: the first has `window` tokens; each later one begins `stride` tokens after
/// the one before it, and only the tokens that no window before it has scored count.
struct EvaluateOptions {
  int64_t window = 0;  // tokens; 0: as many as the model was trained on (networks without a context: 1,024)
  int64_t stride = 0;  // tokens; 0: half a window
  /// As RunOptions', over all windows: `done` from 0 to 1, and which window is read.
  std::function<void(double done, const std::string& next)> progress;
};

/// How well a model predicts a text: each token but the first, from those before it.
struct Evaluation {
  int64_t tokens = 0;      // predicted
  int64_t characters = 0;  // code points that these cover (bytes that are no UTF-8 count as one each)
  int64_t bytes = 0;
  int64_t window = 0, stride = 0, windows = 0;
  double nats = 0;        // the sum of -log probability
  int64_t likeliest = 0;  // tokens that the model found likeliest

  double nats_per_token() const { return nats / static_cast<double>(tokens); }
  double nats_per_character() const { return nats / static_cast<double>(characters); }
  double bits_per_byte() const;
  double perplexity() const;  // exp(nats per token)
};

/// What is const may be called from several threads at once, on one model (threads.h); what is not, alone.
class Model {
 public:
  /// The small language model that limpid trained and carries with it.
  static Model builtin();
  /// A model file: limpid's own; a folder of the hub (config.json, tensors, tokenizer); llama.cpp's .gguf;
  /// state dicts of minGPT, nanoGPT and llama2.c, out of PyTorch's checkpoints too (docs/model-files.md).
  /// Throws Error{work} naming what is wrong with it, Error{call} naming what it does not say and the option
  /// that does.
  static Model load(const std::string& path, const LoadOptions& = {});
  /// The same from memory: one file, or the files of a folder by their names in it.  `name` and `folder`
  /// stand for the path, in messages too.
  static Model read(Bytes bytes, const std::string& name, const LoadOptions& = {});
  static Model read(const std::map<std::string, Bytes>& files, const std::string& folder,
                    const LoadOptions& = {});
  /// The textbook network over the words of one sentence, with NumPy's random numbers from this seed, in
  /// double: every occurrence of a word has its own row.
  static Model textbook_walk(const std::string& text, TextbookConfig config, uint32_t seed);
  /// The same over given input vectors [T,C]; the head scores the vectors themselves unless config.outputs
  /// says otherwise.
  static Model textbook_walk(const Tensor& vectors, TextbookConfig config, uint32_t seed);
  /// What input vectors are called in a trace (X1, X2, ...).  Throws Error{call} unless it is one name a
  /// vector.
  void set_vector_names(std::vector<std::string> names);
  /// An untrained model, its parameters drawn from this seed.
  static Model fresh(const NetworkConfig&, std::shared_ptr<const Tokenizer>, uint64_t seed);

  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;
  ~Model();

  /// Writes the model as one .safetensors file, whole or not at all; parameters as `dtype` (f32, bf16 or
  /// f16).  With blocks of Q8_0 the matrices whose size allows it are i8 numbers beside f16 scales
  /// ("NAME.scale"), one for 32 numbers along the axis that a product adds up over: a quarter of f32's size.
  /// Throws Error{call} for other types.
  void save(const std::string& path, DType dtype = DType::f32, BlockType blocks = BlockType::none) const;
  /// Rounds every parameter to what save() keeps of it.
  void round(DType dtype, BlockType blocks = BlockType::none);

  const NetworkConfig& config() const;
  const Graph& graph() const;
  const Tokenizer* tokenizer() const;  // nullptr when the input is vectors, or bare token ids
  /// Of the text that an encoder reads, where it has a vocabulary of its own (Marian's); else tokenizer().
  const Tokenizer* source_tokenizer() const;
  /// Every parameter.  Those that are kept as the file has them (stored()) are expanded to f32 when this is
  /// first called, and take that memory too from then on; of a model that may be changed they are f32 alone
  /// from then on.
  const std::map<std::string, Tensor>& parameters() const;
  std::map<std::string, Tensor>& parameters();
  /// One of them, a copy; throws Error{call} if there is none of that name.
  Tensor parameter(const std::string& name) const;
  /// Matrices that are kept, and multiplied by, as the file has them (LoadOptions::weights).
  const std::map<std::string, StoredMatrix>& stored() const;
  /// Bytes that all parameters take.
  size_t parameter_bytes() const;
  std::string title() const;
  void set_title(const std::string&);
  /// Hexadecimal digest of configuration and parameters, as they are kept.
  std::string hash() const;
  int64_t parameter_count() const;
  /// What a user of the loaded model should know: a NaN among its parameters, a setting that had to be
  /// guessed.
  const std::vector<std::string>& notes() const;
  const ModelTasks& tasks() const;
  void set_tasks(ModelTasks);

  /// Token ids of a text (of an encoder-decoder: one that it reads); throws Error{call} for an empty one or
  /// one that the tokenizer cannot read.
  std::vector<int64_t> encode(const std::string& text) const;
  /// The same with everything that is known of the tokens, cut to `longest` of them where there are more: the
  /// text's last ones go, those that the tokenizer adds stay.
  ModelInput encode(const std::string& text, Specials, int64_t longest = INT64_MAX) const;

  /// An image u8 [Y,X,K] (read_image) as the network reads it, [1,channels,height,width]: what
  /// tasks().image says.  Throws Error{call} for a network that reads no images, Error{work} where the
  /// model's folder asks for what limpid does not have, or gives another size than the network reads.
  Tensor image_input(const ConstView& image) const;

  /// Of a network of texts and images (CLIP) the one that reads texts, or the one that reads images, as a
  /// model of its own, which ends in its vector.  Made at the first call: its parameters take memory again
  /// from then on.  Throws Error{call} for any other network.
  const Model& tower(Tower) const;
  /// The same, taking the parameters: nothing else can be done with this model then.
  Model take_tower(Tower) &&;

  /// Runs one sentence and records what happened.
  Trace trace(const std::string& text, const TraceOptions& = {}) const;
  Trace trace(const std::vector<int64_t>& tokens, const TraceOptions& = {}) const;
  /// One image [1,channels,height,width], already normalised as the model was trained, of a network that
  /// reads images: its patches are called by line and column.  Or one series [1,length,channels], as it is,
  /// of one that reads series: its patches are called by their moments.  `name` stands for it in the trace.
  Trace trace(const Tensor& input, const TraceOptions& = {}, const std::string& name = "") const;
  /// Runs a batch of token ids [B,T] (or vectors [B,T,C], images [B,channels,height,width], series
  /// [B,length,channels]) and returns the engine's result.  Throws Error{call} for an encoder-decoder, which
  /// reads a source too (TokenBatch).
  RunResult run(const Tensor& input, const RunOptions&) const;
  /// Runs texts of different lengths at once: rows [B,T] as long as the longest; what a value holds behind a
  /// text's end means nothing.  A text's own rows are those that it has alone.
  RunResult run(const TokenBatch&, const RunOptions&) const;
  /// The same of a network of texts and images: `pixels` [B,channels,height,width], of another count than the
  /// texts.  One of the two may be empty where nothing is asked for that reads it.
  RunResult run(const TokenBatch&, const Tensor& pixels, const RunOptions&) const;

  /// The text that the model continues with (an encoder-decoder: that it writes beside this one); on_token is
  /// called with each piece as it comes.
  std::string generate(const std::string& text, const GenerateOptions&,
                       const std::function<void(const std::string&)>& on_token = {}) const;
  std::string generate(const std::string& text, const GenerateOptions&,
                       const std::function<void(const GeneratedToken&)>& on_token) const;

  /// The tokens that the model continues these with, or writes beside them; needs no tokenizer.
  std::vector<int64_t> generate(const std::vector<int64_t>& tokens, const GenerateOptions&,
                                const std::function<void(const GeneratedToken&)>& on_token = {}) const;

  /// The same of several texts of any lengths, `at_once` of them side by side: the weights are read once for
  /// all.  Each has the tokens, with the bits, that it has alone.  Texts of an encoder-decoder, with `watch`,
  /// or of a network that cannot keep keys and values, are written one after another.  `on_token` may be
  /// called for any text that is being written.
  std::vector<std::vector<int64_t>> generate_batch(
      const std::vector<std::vector<int64_t>>& texts, const GenerateOptions&, int64_t at_once = 16,
      const std::function<void(size_t text, const GeneratedToken&)>& on_token = {}) const;

  /// Can keys and values be kept?  A causal network of tokens can, but for rotary angles that change with the
  /// text's length (dynamic scaling) and relative keys.
  bool can_extend() const;
  /// An empty text that grows; throws Error{call} unless can_extend().
  Session session() const;
  /// The same of an encoder-decoder, beside a source: its encoder runs once.  The first token to extend by is
  /// Writing::start.
  Session session(const std::vector<int64_t>& source) const;
  /// Either, with keys and values of a type of the caller's (GenerateOptions::cache_type).
  Session session_in(DType cache_type, const std::vector<int64_t>& source = {}) const;

  /// Throws Error{call} for a text of fewer than two tokens, a network that does not predict the next token,
  /// or one that sees the tokens it would predict.
  Evaluation evaluate(const std::string& text, const EvaluateOptions& = {}) const;
  Evaluation evaluate(const std::vector<int64_t>& tokens, const EvaluateOptions& = {}) const;

 private:
  struct Impl;
  std::vector<int64_t> target_of(const std::vector<int64_t>& source, const TraceOptions&) const;
  friend struct SessionState;
  explicit Model(std::unique_ptr<Impl>);
  static Model from_file(TensorFile, const std::string& path, const LoadOptions& = {});
  static Model from_foreign(ForeignModel, const std::string& path, const LoadOptions&);
  std::unique_ptr<Impl> impl_;
};

/// Writes the model as a folder of the Hugging Face hub, whole or not at all, so that other programs open it:
/// config.json, model.safetensors (f32, bf16 or f16), tokenizer.json.  Of the family gpt2, gpt_neox, llama or
/// bert, whichever has the network's parts; biases that it has not are zeros there.  Returns what should be
/// known of the folder: the class it is of, and that it has no tokenizer.  Throws Error{call} for a network
/// of none of these, saying what each lacks, and for a folder that is there already.
std::vector<std::string> write_hub_folder(const Model&, const std::string& path, DType dtype = DType::f32);

}  // namespace LIMPID_API limpid

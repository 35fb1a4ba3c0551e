// Any self-attention network as data: inputs, a stack of blocks, a head.  build() (network.h) turns the data
// into a graph; a family of real models (model/families) is how a config.json reads into this data.
//
//   Architecture a;
//   a.inputs = {.vocabulary = 100, .width = 32};
//   a.stack.layers = 2;
//   a.stack.blocks = {BlockOptions{...}};
//   a.head = {.kind = Head::next_word, .tied = true};
//   Graph graph(operations());
//   build(graph, a);
#pragma once

#include <optional>
#include <vector>

#include "limpid/api.h"
#include "limpid/ops.h"

namespace LIMPID_API limpid {

/// How a network learns where a word stands.
enum class Positions {
  none,
  learned,
  sinusoidal,
  rotary,
  alibi,
  relative_bias,
  relative_keys,
  patch_bias,
  disentangled
};
std::string_view name(Positions);
/// Over the width of a row, but for batch: over what was learned from, by running statistics.
enum class Norm { layer, rms, batch };
std::string_view name(Norm);
/// What the feed-forward layer bends by; swiglu is a gated silu.
enum class Activation { gelu, gelu_tanh, relu, silu, swiglu, tanh, quick_gelu, relu_squared };
std::string_view name(Activation);
/// What stands at the end: the next word or the hidden word at every place, classes or numbers a sequence,
/// classes a token, a vector a sequence, nothing (the last hidden state is what the network gives), or what
/// comes next in a series.
enum class Head { next_word, classes, regression, masked_word, token_classes, embedding, none, forecast };
std::string_view name(Head);

/// (x - mean) / scale * w + b, or x / scale * w (rms), over the width; scale = sqrt(variance + epsilon).
struct NormOptions {
  Norm kind = Norm::layer;
  double epsilon = 1e-5;
  bool bias = true;  // of a layer norm
  bool gain = true;  // w; false: all ones, and no parameter (OLMo; layer and rms)
};

// ---- attention -----------------------------------------------------------------------------------

/// Disentangled attention (DeBERTa, He 2020): what a token is and how far away another stands are compared
/// apart, q . k + q . k_pos[t - s] + k . q_pos[t - s], and the sum is scaled by 1 / sqrt(3 D) (2 D with one
/// of the two terms).  One table of distances, "rel_embed.W_rel" [2 span,C], serves all layers.
struct DisentangledOptions {
  bool content_to_position = true, position_to_content = true;  // the second term, the third
  // k_pos and q_pos are made of the table by W_K and W_Q; else by W_K_pos and W_Q_pos of each layer.
  bool shared = true;
  PositionBuckets buckets = {.span = 128};
  std::optional<NormOptions> norm = {};  // of the table's rows
};

struct AttentionOptions {
  int64_t heads = 1;
  int64_t kv_heads = 0;   // 0: as many as heads
  int64_t width = 0;      // of a head
  int64_t out_width = 0;  // of the joining projection; 0: no projection, the joined heads come back
  Mask mask = Mask::none;
  int64_t window = 0;  // keys at most window - 1 before the query; alone it hides nothing that comes after
  // Keys at most so many after the query (with a window and no causal mask: a symmetric one); none: no limit.
  std::optional<int64_t> window_after = {};
  // The position of query 0 among the keys: row t of x stands at first_query + t, row s of memory at s.  0:
  // the first row of each is the same place, whatever their lengths (fused::forward counts from S - T).  With
  // 4 rows of x that follow 10 kept in memory: 10.  Not with rotary positions, which turn both alike.
  int64_t first_query = 0;
  // Keys and values stand behind those that runs before have kept, in inputs in/k_room and in/v_room
  // [B,S,G,D] (append); RunContext::first_position says how many these are.
  bool appends = false;
  // Keys and values of memory are inputs in/k and in/v [B,S,G,D], which a run before has computed
  // (Purpose::encode); memory is not read.
  bool given_keys = false;
  double scale = 0;  // of the dot products; 0: 1 / sqrt(width)
  double softcap = 0;
  bool sinks = false;     // each head has a learned score of no key: in/sinks (softmax_beside_sinks)
  bool bias = false;      // of queries, keys and values
  bool key_bias = true;   // with it: of keys too (BEiT: false)
  bool out_bias = false;  // of the joining projection
  double clip = 0;        // queries, keys and values are cut at -clip and clip, with their bias; 0: not
  // Queries and keys go through a norm of their own: each head's by itself, or all heads as one row.
  std::optional<NormOptions> query_key_norm = {};
  bool query_key_norm_joins_heads = false;
  Positions positions = Positions::none;  // those that live in the scores, or turn queries and keys
  RotaryOptions rotary = {};
  int64_t max_distance = 16;    // relative_keys: positions further apart than this look alike
  int64_t buckets = 32;         // relative_bias
  int64_t bias_distance = 128;  // relative_bias: from here on, one bucket
  std::string bias_table =
      "";  // relative_bias, patch_bias: the table's name, where layers share it; empty: in/rel_bias
  int64_t patch_lines = 0, patch_columns = 0;            // patch_bias: a class token stands before them
  std::optional<DisentangledOptions> disentangled = {};  // with these positions; none: as they are made
  double init = 0.02;                                    // deviation of the weights at the start
  double out_init = 0.02;                                // of the joining projection
  double dropout = 0;                                    // of the weights, when training
  std::string each = "word";  // what a row of x is, for the captions: "word", "vector"
};

/// Which rows of memory are there to be seen, beside what AttentionOptions say.
struct VisibleRows {
  Stage lengths = {};  // [B] i64, or none: rows from lengths[b] on are padding
  // [B,T] of x and [B,S] of memory, i64, or none: a row sees those of its own number.
  Stage documents = {}, memory_documents = {};
};

/// The paper's figure 2 (Vaswani 2017): x [B,T,C] asks, memory [B,S,C] answers (the same stage for
/// self-attention) -> [B,T,out_width].  Stages in/q, /k, /v, /raw_scores, ..., /pattern, /z and
/// in.beside("attn_out").
Stage attention(const Scope& in, Stage x, Stage memory, const AttentionOptions&, const VisibleRows& = {});

// ---- the parts -----------------------------------------------------------------------------------

/// Many feed-forward layers, of which each token goes through the few that a router chooses for it.
struct ExpertOptions {
  int64_t count = 0;          // of the layer
  int64_t chosen = 0;         // for a token
  bool share_of_all = false;  // route()
  bool router_bias = false;
};

/// y = act(x W_in) W_out, or gated: (act(x W_in) * (x W_up)) W_out.
struct FeedForwardOptions {
  int64_t width = 0;  // 0: the block has none (norms before alone)
  Activation activation = Activation::gelu;
  bool gated = false;
  bool bias = true;
  std::optional<ClampedGateOptions> clamped = {};  // gated so, in place of the activation
  std::optional<ExpertOptions> experts = {};       // `width` is that of one
};

/// Where a block's norms stand.
enum class NormPlace {
  before,  // x + f(norm(x))          GPT-2, Llama
  after,   // norm(x + f(x))          Vaswani 2017, BERT
  both,    // x + norm(f(norm(x)))    Gemma 2
  output,  // x + norm(f(x))          OLMo 2
};
std::string_view name(NormPlace);

/// Attention, then feed-forward, each added to what it read; a decoder that reads a source attends to it in
/// between.
struct BlockOptions {
  NormPlace norms = NormPlace::before;
  NormOptions norm = {};
  bool parallel = false;     // both read the same x, and are added together
  bool shared_norm = false;  // parallel: one norm serves both
  bool first_norm = true;    // before: attention's; ModernBERT's first block has none
  AttentionOptions attention = {};
  std::optional<AttentionOptions> cross = {};  // to the encoder's rows; with norms before or after
  FeedForwardOptions feed_forward = {};
  double residual_scale = 1;  // of what attention and feed-forward add
  bool layer_scale = false;   // each feature of it has a learned gain: ls1.w, ls2.w (gain; not with parallel)
};

/// What the first block left, and a convolution along the rows of what it read: norm(x + act(conv(x0)))
/// (DeBERTa-v2 xlarge).  Its stages and parameters stand under blocks.0.conv.
struct ConvolutionOptions {
  int64_t size = 3;  // rows, odd
  Activation activation = Activation::tanh;
  NormOptions norm = {};
};

struct Stack {
  int64_t layers = 0;
  /// Layer l is blocks[pattern[l % pattern.size()]]; an empty pattern stands for {0}.
  std::vector<BlockOptions> blocks = {};
  std::vector<int64_t> pattern = {};
  bool shared = false;  // every layer has the parameters of the first (ALBERT)
  std::optional<NormOptions> final_norm = {};
  std::optional<ConvolutionOptions> convolution = {};  // behind the first block

  const BlockOptions& block(int64_t layer) const;
};

/// What token_dropout() is told.
struct TokenDropout {
  int64_t mask_token = 0;
  double trained_share = 0.12;
};

/// Tokens [B,T] -> [B,T,width].
struct TokenInputs {
  int64_t vocabulary = 0;
  int64_t width = 0;            // of the model
  int64_t embedding_width = 0;  // of the table; 0: the model's; else a projection follows:
  bool projects_sum = false;    // of all that is added up (ALBERT), or of the words alone (OPT 350m)
  bool projection_bias = true;
  double scale = 1;                                // of the embedding
  std::optional<TokenDropout> token_dropout = {};  // of it too (ESM-2)
  Positions positions = Positions::none;
  SinusoidalOptions sinusoidal = {};
  int64_t context = 0;      // longest sequence it is made for; rows of a learned position table
  int64_t token_types = 0;  // rows of a table of token types, which are an input; 0: none
  std::optional<NormOptions> norm = {};
  bool norm_after_projection = false;  // of all that is added up (DeBERTa); else before it
};

/// Images: pixels [B,channels,height,width] -> [B,T,width], a row a square, behind the learned tokens
/// (Dosovitskiy 2020).
struct PatchInputs {
  int64_t channels = 3, height = 224, width = 224;  // of an image
  int64_t size = 16;                                // of a square's side
  bool bias = true;
  std::vector<std::string> tokens = {};  // learned rows before the patches: "cls_token", ...
  bool positions = true;                 // a table of learned ones is added
  std::optional<NormOptions> norm = {};  // then (CLIP)

  int64_t count() const { return static_cast<int64_t>(tokens.size()) + height / size * (width / size); }
};

/// Series: values [B,length,channels] -> [B channels,T,width], a row a patch, behind the learned tokens; a
/// table of learned positions is added.  Channels run apart, through the same network (Nie 2023, PatchTST).
struct SeriesInputs {
  int64_t channels = 1, length = 0;  // moments that are read
  int64_t size = 16, stride = 8;     // of patches, in moments
  int64_t apart = 1;                 // how far the moments of a patch lie from one another
  StandardizeOptions standardize = {};
  bool bias = true;
  std::vector<std::string> tokens = {};

  int64_t extent() const { return (size - 1) * apart + 1; }  // from a patch's first moment to behind its last
  int64_t count() const { return static_cast<int64_t>(tokens.size()) + (length - extent()) / stride + 1; }
};

/// What the last hidden state goes through.
struct HeadOptions {
  Head kind = Head::next_word;
  bool tied = true;  // words: the embedding table is the last matrix
  bool bias = false;
  double softcap = 0;  // of the logits
  double scale = 1;    // of the logits
  // Words: a layer of the embedding's width before the last matrix (BERT); a classifier's: of the model's.
  bool transform = false;
  Activation activation = Activation::gelu;
  bool transform_bias = true;
  std::optional<NormOptions> transform_norm = {};
  Pool pool = Pool::first;                    // classes, regression, embedding, forecast
  std::optional<NormOptions> pool_norm = {};  // of the pooled row
  bool flat = false;                          // forecast: all rows side by side, in place of a pooled one
  // Forecast: the rows by turns, in place of one for all.  Row t of T foretells the moments t, t + T, ...,
  // for patches whose moments lie T apart: each goes on where it ends.
  bool by_turns = false;
  int64_t outputs = 0;  // classes, numbers, or moments ahead; embedding: of the projection, 0 for none
  // (`bias` is then the projection's)
  // In place of the pool: a learned row ("head.probe") asks all others through attention, and a feed-forward
  // layer behind pool_norm is added to what it gathered (SigLIP).
  std::optional<AttentionOptions> pool_attention = {};
  FeedForwardOptions pool_feed_forward = {};
  double label_smoothing = 0;  // words, classes: so much of a target is shared by all, when training
  double delta = 0;  // numbers: what is further off than this counts in proportion, when training; 0: squared
};

/// What reads the source of an encoder-decoder: stages and parameters stand under "encoder.".
struct Encoder {
  TokenInputs inputs;  // vocabulary 0: the decoder's table of tokens
  Stack stack;
};

/// What reads images beside texts: stages and parameters stand under "image.".  Its head and the texts' are
/// vectors of one width; how alike each image is to each text is "logits" [images,texts] (Radford 2021, CLIP;
/// Zhai 2023, SigLIP).
struct ImageTower {
  int64_t width = 0;  // of its rows
  PatchInputs patches;
  Stack stack;
  HeadOptions head;
  bool sigmoid = false;  // each pair is alike or not by itself, with a learned bias; else one of the texts is
};

struct Architecture {
  std::string family = "";  // for people: "llama"
  TokenInputs inputs;       // of images and series only the width counts
  std::optional<PatchInputs> patches = {};
  std::optional<SeriesInputs> series = {};
  /// Vaswani 2017: `stack` is then the decoder, whose blocks attend to the encoder's last rows (cross).
  std::optional<Encoder> encoder = {};
  /// `inputs`, `stack` and `head`, an embedding, are then the texts'.
  std::optional<ImageTower> images = {};
  Stack stack;
  HeadOptions head;
  double dropout = 0;  // of the embedding and of what each layer adds, when training
  std::string each = "token";
};

/// A network of texts and images (Architecture::images) is two that meet in their last vectors.
enum class Tower { texts, images };
std::string_view name(Tower);
/// One of them as a network of its own, whose names are without "image.".  Throws Error{call} for a network
/// without images beside texts.
Architecture tower_of(const Architecture&, Tower);

/// The same with no dropout, of the attention weights neither, and no label smoothing.
Architecture without_dropout(Architecture);

}  // namespace LIMPID_API limpid

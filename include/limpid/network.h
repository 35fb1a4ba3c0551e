// Networks: the textbook's figure, and the decoder everybody trains.
//
// A configuration is plain data (and JSON); build() writes the network down as a graph, once.
#pragma once

#include <string>
#include <variant>

#include "limpid/api.h"
#include "limpid/ops.h"

namespace LIMPID_API limpid {

/// How a network learns where a word stands.
enum class Positions { none, learned, sinusoidal, rotary, alibi, relative_bias, relative_keys };
std::string_view name(Positions);
enum class Norm { layer, rms };
std::string_view name(Norm);
/// What the feed-forward layer bends by; swiglu gates one product by another.
enum class Activation { gelu, gelu_tanh, relu, silu, swiglu };
std::string_view name(Activation);
/// What stands at the end: the next word at every place, a class or a number a sequence.
enum class Head { next_word, classes, regression };
std::string_view name(Head);

// ---- attention -----------------------------------------------------------------------------------

struct AttentionOptions {
  int64_t heads = 1;
  int64_t kv_heads = 0;   // 0: as many as heads
  int64_t width = 0;      // of a head
  int64_t out_width = 0;  // of the joining projection; 0: no projection, the joined heads come back
  Mask mask = Mask::none;
  int64_t window = 0;  // keys at most window - 1 before the query; alone it hides nothing that comes after
  // The position of query 0 among the keys: row t of x stands at first_query + t, row s of memory at s.  0:
  // the first row of each is the same place, whatever their lengths (fused::forward counts from S - T).  With
  // 4 rows of x that follow 10 kept in memory: 10.  Not with rotary positions, which turn both alike.
  int64_t first_query = 0;
  double softcap = 0;
  bool bias = false;
  Positions positions = Positions::none;  // those that live in the scores, or turn queries and keys
  RotaryOptions rotary;
  int64_t max_distance = 16;    // relative_keys: positions further apart than this look alike
  int64_t buckets = 32;         // relative_bias
  int64_t bias_distance = 128;  // relative_bias: from here on, one bucket
  double init = 0.02;           // deviation of the weights at the start
  double out_init = 0.02;       // of the joining projection
  double dropout = 0;           // of the weights, when training
  std::string each = "word";    // what a row of x is, for the captions: "word", "vector"
};

/// The paper's figure 2 (Vaswani 2017): x [B,T,C] asks, memory [B,S,C] answers (the same stage for
/// self-attention) -> [B,T,out_width].  Stages in/q, /k, /v, /raw_scores, ..., /pattern, /z and
/// in.beside("attn_out").
Stage attention(const Scope& in, Stage x, Stage memory, const AttentionOptions&);

// ---- the networks --------------------------------------------------------------------------------

/// The network of the standard figure: embedding, Q, K, V, dot product, scale, softmax, weighted sum, output
/// head.
struct TextbookConfig {
  int64_t vocabulary = 0;
  int64_t width = 4;
  int64_t heads = 1;
  bool join = false;      // project the joined heads (always when there are several)
  bool vectors = false;   // input vectors X1..Xn [B,T,C] instead of tokens
  bool add_norm = false;  // add the input, then normalise
  Mask mask = Mask::none;
  Positions positions = Positions::none;
  int64_t context = 64;  // rows of a learned position table
  Head head = Head::next_word;
  Pool pool = Pool::mean;  // for a class or a number
  int64_t outputs = 0;     // classes, or numbers; for next_word the vocabulary
};

/// A decoder of `layers` pre-norm blocks (GPT-2, Radford 2019; with rotary positions and RMS norm: Llama).
struct GptConfig {
  int64_t vocabulary = 0;
  int64_t context = 256;  // the longest sequence it is trained on; rows of a learned position table
  int64_t layers = 4;
  int64_t heads = 4;
  int64_t kv_heads = 0;  // 0: as many as heads
  int64_t width = 128;
  int64_t feed_forward = 0;  // 0: 4 * width
  Positions positions = Positions::learned;
  Pairing pairing = Pairing::halves;
  double rotary_base = 10000;
  Norm norm = Norm::layer;
  double epsilon = 1e-5;
  Activation activation = Activation::gelu;
  bool bias = true;
  bool tied = true;              // logits use the embedding table
  double dropout = 0;            // of embeddings and of what each layer adds, when training
  double attention_dropout = 0;  // of the attention weights, when training
};

using NetworkConfig = std::variant<TextbookConfig, GptConfig>;

/// As JSON, {"network": "gpt", "layers": 4, ...}, and back; throws Error{call} naming an unknown or
/// impossible setting.
std::string to_json(const NetworkConfig&);
NetworkConfig network_from_json(std::string_view json);

enum class Purpose {
  predict,  // inputs "tokens" [B,T] (or "vectors" [B,T,C]) -> "logits", "probs" (or "prediction")
  train,    // also input "targets", output "loss"; with dropout
};

/// Writes the network into an empty graph.  Throws Error{call} naming an impossible setting.
void build(Graph&, const NetworkConfig&, Purpose = Purpose::predict);

}  // namespace LIMPID_API limpid

// Networks: the textbook's figure, the decoder everybody trains, and any other (architecture.h).
//
// A configuration is plain data (and JSON); build() writes the network down as a graph, once.
#pragma once

#include <string>
#include <variant>

#include "limpid/api.h"
#include "limpid/architecture.h"
#include "limpid/ops.h"

namespace LIMPID_API limpid {

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

/// The same network in parts.
Architecture architecture_of(const GptConfig&);

using NetworkConfig = std::variant<TextbookConfig, GptConfig, Architecture>;

/// The longest sequence a network is made for; the largest number where there is no end.
int64_t context_of(const NetworkConfig&);
/// Does that end come from a table of positions, so that nothing longer can be run?
bool has_learned_positions(const NetworkConfig&);
/// The longest source that an encoder-decoder is made for; the largest number where there is no end.
int64_t source_context_of(const NetworkConfig&);
int64_t vocabulary_of(const NetworkConfig&);
/// Of what an encoder reads, where that has a vocabulary of its own; else the same.
int64_t source_vocabulary_of(const NetworkConfig&);
void set_vocabulary(NetworkConfig&, int64_t);
/// How many classes, numbers or moments ahead its head gives.
void set_outputs(NetworkConfig&, int64_t);
/// The same with no dropout and no label smoothing: what a loss is measured by.
NetworkConfig without_dropout(NetworkConfig);
/// Are its inputs images (PatchInputs), and not tokens or vectors?
bool reads_images(const NetworkConfig&);
/// Does it read texts and images (ImageTower)?
bool has_towers(const NetworkConfig&);
/// Are they series (SeriesInputs)?
bool reads_series(const NetworkConfig&);
/// Is it an encoder-decoder: does it write a text beside one that it reads?
bool reads_source(const NetworkConfig&);
/// How many layers, and how many heads the first has.
int64_t layers_of(const NetworkConfig&);
int64_t heads_of(const NetworkConfig&);
/// Can it be built for texts one behind another (Purpose::train_packed)?  Not where a part of it reads what
/// stands beside a token, whichever text that belongs to, nor a network of images or series.
bool packs(const NetworkConfig&);
/// Does every place predict the token after it, seeing none of those to come?
bool predicts_next_token(const NetworkConfig&);

/// As JSON, {"network": "gpt", "layers": 4, ...}, and back; throws Error{call} naming an unknown or
/// impossible setting.
std::string to_json(const NetworkConfig&);
NetworkConfig network_from_json(std::string_view json);

enum class Purpose {
  // Inputs "tokens" [B,T] (or "vectors" [B,T,C]) -> "logits", "probs" (or "prediction").  An Architecture
  // without a causal mask also takes "lengths" [B] (i64: what follows is padding), one with token types
  // "token_types" [B,T], one of series "values" and "observed" [B,X,K], one with an encoder "source" [B,T]
  // (of its own length) and "source_lengths" [B].
  predict,
  train,  // also input "targets", output "loss"; with dropout
  // As train, for texts that stand one behind another in one row, so that nothing is computed for padding:
  // "tokens" [1,T], "documents" [1,T] (i64, rising: the number of the text that a token belongs to; no text
  // sees another), "places" [1,T] (where in its text a token stands) where positions are added to the tokens,
  // "lengths" [B] of the texts where a row stands for a text, "targets" of the tokens [1,T] or the texts [B];
  // with an encoder "source", "source_documents" and "encoder.places" [1,S].  See packs().
  train_packed,
  // As predict, for tokens that stand behind those of runs before: keys and values stay in inputs
  // "blocks.N.attn.k_room" and "v_room" [B,S,G,D] (append), and RunContext::first_position says how many
  // tokens came before.  Causal architectures alone.  Of an encoder-decoder this is the decoder, which takes
  // "blocks.N.cross_attn.k" and "v" [B,S,G,D] in place of the source.
  extend,
  // "source" and "source_lengths" -> "encoder.last_hidden_state" and what extend takes of it.
  encode,
};

/// Writes the network into an empty graph.  Throws Error{call} naming an impossible setting.
void build(Graph&, const NetworkConfig&, Purpose = Purpose::predict);

}  // namespace LIMPID_API limpid

// T5 (Raffel 2020), its version 1.1, FLAN-T5 and mT5: an encoder-decoder whose positions are one table of
// relative biases a stack, added by every layer; scores are not scaled.
#include <cmath>

#include "model/families/family.h"

namespace limpid {

namespace {

constexpr const char* k_encoder_bias = "encoder.rel_bias";
constexpr const char* k_decoder_bias = "rel_bias";

// "gated-gelu" is a gated gelu_new, "relu" one layer.
FeedForwardOptions feed_forward_of_t5(const HubConfig& c) {
  FeedForwardOptions f;
  f.width = c.size("d_ff", 2048);
  f.bias = false;
  const std::string kind = c.word("feed_forward_proj", "relu");
  constexpr std::string_view k_gated = "gated-";
  f.gated = kind.starts_with(k_gated);
  const std::string bend = f.gated ? kind.substr(k_gated.size()) : kind;
  f.activation = f.gated && bend == "gelu" ? Activation::gelu_tanh : c.activation("dense_act_fn", bend);
  return f;
}

BlockOptions block_of_t5(const HubConfig& c, Mask mask, const std::string& table) {
  const int64_t width = c.size("d_model"), heads = c.size("num_heads");
  BlockOptions block =
      block_of(width, heads, {Norm::rms, c.real("layer_norm_epsilon", 1e-6), false}, mask, false);
  AttentionOptions& attention = block.attention;
  attention.width = c.size("d_kv", width / heads);
  attention.scale = 1;
  attention.positions = Positions::relative_bias;
  attention.buckets = c.size("relative_attention_num_buckets", 32);
  attention.bias_distance = c.size("relative_attention_max_distance", 128);
  attention.bias_table = table;
  block.feed_forward = feed_forward_of_t5(c);
  return block;
}

Architecture architecture_of_t5(const HubConfig& c) {
  const int64_t width = c.size("d_model"), layers = c.layers("num_layers");
  const BlockOptions reads = block_of_t5(c, Mask::none, k_encoder_bias);
  const TokenInputs inputs = {.vocabulary = c.size("vocab_size"), .width = width};
  Architecture a;
  a.inputs = inputs;
  if (c.is_for("EncoderModel")) {
    BlockOptions alone = reads;
    alone.attention.bias_table = k_decoder_bias;
    a.stack = {.layers = layers, .blocks = {alone}, .final_norm = reads.norm};
    a.head.kind = Head::none;
    return a;
  }
  Encoder encoder;
  encoder.inputs = inputs;
  encoder.inputs.vocabulary = 0;
  encoder.stack = {.layers = layers, .blocks = {reads}, .final_norm = reads.norm};
  a.encoder = encoder;
  BlockOptions writes = block_of_t5(c, Mask::causal, k_decoder_bias);
  writes.cross = reads.attention;
  writes.cross->positions = Positions::none;
  writes.cross->bias_table = "";
  a.stack = {.layers = c.has("num_decoder_layers") ? c.layers("num_decoder_layers") : layers,
             .blocks = {writes},
             .final_norm = reads.norm};
  a.head.kind = c.is_for("ForConditionalGeneration") ? Head::next_word : Head::none;
  if (c.is_for("ForSequenceClassification") || c.is_for("ForTokenClassification") ||
      c.is_for("ForQuestionAnswering"))
    c.fail(join("'architectures' names ", c.architecture(), ", whose head limpid has no part for on T5"));
  // Newer files say that all is tied, whether it is or not: a matrix that is stored is meant.
  const bool said_tied = c.flag("tie_word_embeddings", true);
  a.head.tied = !c.holds("lm_head.weight", !said_tied);
  // Of a tied table logits are divided by sqrt(d_model), but in files that say otherwise, and in mT5.
  if (c.flag("scale_decoder_outputs", said_tied && c.word("model_type", "") == "t5"))
    a.head.scale = 1 / std::sqrt(static_cast<double>(width));
  return a;
}

void add_t5_attention(TensorTable& t, const std::string& here, const std::string& theirs) {
  for (const char* name : {"Q", "K", "V", "O"}) {
    const std::string letter(1, static_cast<char>(name[0] - 'A' + 'a'));
    t.linear(here + ".W_" + name, theirs + "." + letter + ".weight");
  }
}

void add_t5_stack(TensorTable& t, const std::string& ours, const std::string& theirs, bool cross) {
  const std::string block = ours + "blocks.*.", layer = theirs + "block.*.layer.", last = cross ? "2" : "1";
  t.table(ours + "rel_bias", theirs + "block.0.layer.0.SelfAttention.relative_attention_bias.weight");
  add_t5_attention(t, block + "attn", layer + "0.SelfAttention");
  t.norm(block + "ln1", layer + "0.layer_norm");
  if (cross) {
    add_t5_attention(t, block + "cross_attn", layer + "1.EncDecAttention");
    t.norm(block + "ln_cross", layer + "1.layer_norm");
  }
  const std::string dense = layer + last + ".DenseReluDense.";
  t.linear(block + "mlp.W_in", dense + "wi.weight");
  t.linear(block + "mlp.W_in", dense + "wi_0.weight");
  t.linear(block + "mlp.W_up", dense + "wi_1.weight");
  t.linear(block + "mlp.W_out", dense + "wo.weight");
  t.norm(block + "ln2", layer + last + ".layer_norm");
  t.norm(ours + "ln_final", theirs + "final_layer_norm");
}

TensorTable tensors_of_t5(const HubConfig&, const Architecture& a) {
  TensorTable t;
  t.table("embed.W_E", "shared.weight");
  t.table("embed.W_E", "encoder.embed_tokens.weight");
  add_t5_stack(t, a.encoder ? "encoder." : "", "encoder.", false);
  if (a.encoder) add_t5_stack(t, "", "decoder.", true);
  t.linear("unembed.W_U", "lm_head.weight");
  t.ignored.insert(t.ignored.end(),
                   {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight",
                    "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"});
  if (!a.encoder) t.ignored.push_back("decoder.*");
  return t;
}

}  // namespace

Family family_t5() { return {"t5", {"mt5"}, architecture_of_t5, tensors_of_t5}; }

}  // namespace limpid

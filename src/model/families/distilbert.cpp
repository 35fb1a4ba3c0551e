// DistilBERT (Sanh 2019): BERT with no token types, under names of its own.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_distilbert(const HubConfig& c) {
  const int64_t width = c.size("dim"), heads = c.size("n_heads");
  const NormOptions norm = {Norm::layer, 1e-12};
  BlockOptions block = block_of(width, heads, norm, Mask::none, true);
  block.norms = NormPlace::after;
  block.feed_forward = {c.size("hidden_dim"), c.activation("activation", "gelu")};
  Architecture a;
  // A sinusoidal table is stored like a learned one.
  a.inputs = {.vocabulary = c.size("vocab_size"),
              .width = width,
              .positions = Positions::learned,
              .context = c.size("max_position_embeddings", 512),
              .norm = norm};
  a.stack = {.layers = c.layers("n_layers"), .blocks = {block}};
  a.head = encoder_head(c, norm, block.feed_forward.activation, Activation::relu);
  return a;
}

TensorTable tensors_of_distilbert(const HubConfig&, const Architecture&) {
  TensorTable t;
  t.prefixes = {"distilbert.", ""};
  t.table("embed.W_E", "embeddings.word_embeddings.weight");
  t.table("pos_embed.W_pos", "embeddings.position_embeddings.weight");
  t.norm("ln_embed", "embeddings.LayerNorm");
  t.projection("attn", "Q", "transformer.layer.*.attention.q_lin");
  t.projection("attn", "K", "transformer.layer.*.attention.k_lin");
  t.projection("attn", "V", "transformer.layer.*.attention.v_lin");
  t.projection("attn", "O", "transformer.layer.*.attention.out_lin");
  t.norm("blocks.*.ln1", "transformer.layer.*.sa_layer_norm");
  t.projection("mlp", "in", "transformer.layer.*.ffn.lin1");
  t.projection("mlp", "out", "transformer.layer.*.ffn.lin2");
  t.norm("blocks.*.ln2", "transformer.layer.*.output_layer_norm");
  t.of_words = true;
  t.linear("head.W", "vocab_transform.weight");
  t.vector("head.b", "vocab_transform.bias");
  t.norm("ln_head", "vocab_layer_norm");
  t.linear("unembed.W_U", "vocab_projector.weight");
  t.vector("unembed.b_U", "vocab_projector.bias");
  t.of_words = false;
  t.linear("head.W", "pre_classifier.weight");
  t.vector("head.b", "pre_classifier.bias");
  t.linear("unembed.W_U", "classifier.weight");
  t.vector("unembed.b_U", "classifier.bias");
  t.ignored.insert(t.ignored.end(), {"vocab_*", "*classifier.*"});
  return t;
}

}  // namespace

Family family_distilbert() { return {"distilbert", {}, architecture_of_distilbert, tensors_of_distilbert}; }

}  // namespace limpid

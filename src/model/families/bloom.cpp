// BLOOM (Scao 2022): ALiBi, a norm of the embedding, q, k and v of a head side by side.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_bloom(const HubConfig& c) {
  const int64_t width = c.has("hidden_size") ? c.size("hidden_size") : c.size("n_embed"),
                heads = c.size("n_head");
  const NormOptions norm = {Norm::layer, c.real("layer_norm_epsilon", 1e-5)};
  c.refuse("apply_residual_connection_post_layernorm");
  BlockOptions block = block_of(width, heads, norm, Mask::causal, true);
  block.attention.positions = Positions::alibi;
  block.feed_forward = {4 * width, Activation::gelu_tanh};
  Architecture a;
  a.inputs = {.vocabulary = c.size("vocab_size"), .width = width, .norm = norm};
  a.stack = {.layers = c.layers("n_layer"), .blocks = {block}, .final_norm = norm};
  a.head.tied = c.flag("tie_word_embeddings", true);
  if (c.is_for("Model")) a.head.kind = Head::none;
  return a;
}

TensorTable tensors_of_bloom(const HubConfig&, const Architecture& a) {
  const AttentionOptions& attention = a.stack.blocks[0].attention;
  TensorTable t;
  t.prefixes = {"transformer.", ""};
  t.table("embed.W_E", "word_embeddings.weight");
  t.norm("ln_embed", "word_embeddings_layernorm");
  t.norm("blocks.*.ln1", "h.*.input_layernorm");
  for (const auto& [name, part] : {std::pair{"Q", 0}, {"K", 1}, {"V", 2}})
    t.projection("attn", name, "h.*.self_attention.query_key_value",
                 {attention.heads, 3, part, part + 1, attention.width});
  t.projection("attn", "O", "h.*.self_attention.dense");
  t.norm("blocks.*.ln2", "h.*.post_attention_layernorm");
  t.projection("mlp", "in", "h.*.mlp.dense_h_to_4h");
  t.projection("mlp", "out", "h.*.mlp.dense_4h_to_h");
  t.norm("ln_final", "ln_f");
  t.linear("unembed.W_U", "lm_head.weight");
  t.ignored.push_back("lm_head.weight");
  return t;
}

}  // namespace

Family family_bloom() { return {"bloom", {}, architecture_of_bloom, tensors_of_bloom}; }

}  // namespace limpid

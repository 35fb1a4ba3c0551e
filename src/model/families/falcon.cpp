// Falcon (Almazrouei 2023): attention and feed-forward side by side; q, k and v of a key head side by side.
#include <algorithm>

#include "model/families/family.h"

namespace limpid {

namespace {

bool new_decoder(const HubConfig& c) { return c.flag("new_decoder_architecture", false); }
bool one_key_head(const HubConfig& c) { return !new_decoder(c) && c.flag("multi_query", true); }
// A norm each for attention and feed-forward: the new decoder's, where it does not say one.
bool two_norms(const HubConfig& c) { return new_decoder(c) && c.size("num_ln_in_parallel_attn", 2) == 2; }

Architecture architecture_of_falcon(const HubConfig& c) {
  const int64_t width = c.size("hidden_size"), heads = c.size("num_attention_heads");
  const NormOptions norm = {Norm::layer, c.real("layer_norm_epsilon", 1e-5)};
  c.refuse("alibi");
  const bool bias = c.flag("bias", false);
  BlockOptions block;
  block.norm = norm;
  block.parallel = new_decoder(c) || c.flag("parallel_attn", true);
  block.shared_norm = block.parallel && !two_norms(c);
  block.attention.heads = heads;
  block.attention.kv_heads = new_decoder(c)    ? std::max<int64_t>(c.size("num_kv_heads", heads), 1)
                             : one_key_head(c) ? 1
                                               : heads;
  block.attention.width = width / heads;
  block.attention.out_width = width;
  block.attention.mask = Mask::causal;
  block.attention.bias = block.attention.out_bias = bias;
  block.attention.positions = Positions::rotary;
  block.attention.rotary = rotary_of(c, block.attention.width);
  block.attention.each = "token";
  block.feed_forward = {c.size("ffn_hidden_size", 4 * width), c.activation("activation", "gelu"), false,
                        bias};
  Architecture a;
  a.inputs = {
      .vocabulary = c.size("vocab_size"), .width = width, .context = c.size("max_position_embeddings", 2048)};
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}, .final_norm = norm};
  a.head.tied = c.flag("tie_word_embeddings", true);
  if (c.is_for("Model")) a.head.kind = Head::none;
  return a;
}

TensorTable tensors_of_falcon(const HubConfig& c, const Architecture& a) {
  const AttentionOptions& o = a.stack.blocks[0].attention;
  TensorTable t;
  t.prefixes = {"transformer.", ""};
  t.table("embed.W_E", "word_embeddings.weight");
  // The key heads one after another, each with its queries before it.
  const int64_t queries = o.heads / o.kv_heads, all = queries + 2;
  const std::string joined = "h.*.self_attention.query_key_value";
  t.projection("attn", "Q", joined, {o.kv_heads, all, 0, queries, o.width});
  t.projection("attn", "K", joined, {o.kv_heads, all, queries, queries + 1, o.width});
  t.projection("attn", "V", joined, {o.kv_heads, all, queries + 1, all, o.width});
  t.projection("attn", "O", "h.*.self_attention.dense");
  t.norm("blocks.*.ln1", two_norms(c) ? "h.*.ln_attn" : "h.*.input_layernorm");
  t.norm("blocks.*.ln2", two_norms(c) ? "h.*.ln_mlp" : "h.*.post_attention_layernorm");
  t.projection("mlp", "in", "h.*.mlp.dense_h_to_4h");
  t.projection("mlp", "out", "h.*.mlp.dense_4h_to_h");
  t.norm("ln_final", "ln_f");
  t.linear("unembed.W_U", "lm_head.weight");
  t.ignored.push_back("lm_head.weight");
  return t;
}

}  // namespace

Family family_falcon() { return {"falcon", {}, architecture_of_falcon, tensors_of_falcon}; }

}  // namespace limpid

// OPT (Zhang 2022): GPT-2 with ReLU and two unused rows of positions.
#include "model/families/family.h"

namespace limpid {

namespace {

constexpr int64_t k_unused_positions = 2;

Architecture architecture_of_opt(const HubConfig& c) {
  const int64_t width = c.size("hidden_size"), heads = c.size("num_attention_heads");
  const NormOptions norm = {};
  if (!c.flag("layer_norm_elementwise_affine", true))
    c.fail("'layer_norm_elementwise_affine' is false: norms without gain are no part that limpid has");
  const bool before = c.flag("do_layer_norm_before", true), bias = c.flag("enable_bias", true);
  BlockOptions block = block_of(width, heads, norm, Mask::causal, bias);
  block.norms = before ? NormPlace::before : NormPlace::after;
  block.feed_forward = {c.size("ffn_dim"), c.activation("activation_function", "relu"), false, bias};
  Architecture a;
  const int64_t table = c.size("word_embed_proj_dim", width);
  if (table != width)
    c.fail(join("'word_embed_proj_dim' is ", table, ", which limpid has for a hidden_size alike only"));
  a.inputs = {.vocabulary = c.size("vocab_size"),
              .width = width,
              .positions = Positions::learned,
              .context = c.size("max_position_embeddings", 2048)};
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}};
  if (before && !c.flag("_remove_final_layer_norm", false)) a.stack.final_norm = norm;
  a.head.tied = c.flag("tie_word_embeddings", true);
  if (c.is_for("Model")) a.head.kind = Head::none;
  return a;
}

TensorTable tensors_of_opt(const HubConfig&, const Architecture&) {
  TensorTable t;
  t.prefixes = {"model.decoder.", "decoder.", ""};
  t.table("embed.W_E", "embed_tokens.weight");
  t.table("pos_embed.W_pos", "embed_positions.weight", k_unused_positions);
  t.norm("blocks.*.ln1", "layers.*.self_attn_layer_norm");
  t.projection("attn", "Q", "layers.*.self_attn.q_proj");
  t.projection("attn", "K", "layers.*.self_attn.k_proj");
  t.projection("attn", "V", "layers.*.self_attn.v_proj");
  t.projection("attn", "O", "layers.*.self_attn.out_proj");
  t.norm("blocks.*.ln2", "layers.*.final_layer_norm");
  t.projection("mlp", "in", "layers.*.fc1");
  t.projection("mlp", "out", "layers.*.fc2");
  t.norm("ln_final", "final_layer_norm");
  t.linear("unembed.W_U", "lm_head.weight");
  t.ignored.push_back("lm_head.weight");
  return t;
}

}  // namespace

Family family_opt() { return {"opt", {}, architecture_of_opt, tensors_of_opt}; }

}  // namespace limpid

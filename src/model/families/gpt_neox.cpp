// GPT-NeoX and Pythia (Black 2022): q, k and v of a head side by side, a part of each head turned.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_gpt_neox(const HubConfig& c) {
  const int64_t width = c.size("hidden_size"), heads = c.size("num_attention_heads");
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-5)};
  BlockOptions block = block_of(width, heads, norm, Mask::causal, c.flag("attention_bias", true));
  block.parallel = c.flag("use_parallel_residual", true);
  block.attention.positions = Positions::rotary;
  block.attention.rotary = rotary_of(c, block.attention.width);
  if (!c.has("rope_parameters") && !c.has("rotary_pct"))
    block.attention.rotary.width = block.attention.width / 8 * 2;  // a quarter, the library's
  block.feed_forward = {c.size("intermediate_size"), c.activation("hidden_act", "gelu")};
  Architecture a;
  a.inputs = {
      .vocabulary = c.size("vocab_size"), .width = width, .context = c.size("max_position_embeddings", 2048)};
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}, .final_norm = norm};
  a.head.tied = c.flag("tie_word_embeddings", false);
  if (c.is_for("Model")) a.head.kind = Head::none;
  return a;
}

TensorTable tensors_of_gpt_neox(const HubConfig&, const Architecture& a) {
  const AttentionOptions& attention = a.stack.blocks[0].attention;
  TensorTable t;
  t.prefixes = {"gpt_neox.", ""};
  t.table("embed.W_E", "embed_in.weight");
  t.norm("blocks.*.ln1", "layers.*.input_layernorm");
  for (const auto& [name, part] : {std::pair{"Q", 0}, {"K", 1}, {"V", 2}})
    t.projection("attn", name, "layers.*.attention.query_key_value",
                 {attention.heads, 3, part, part + 1, attention.width});
  t.projection("attn", "O", "layers.*.attention.dense");
  t.norm("blocks.*.ln2", "layers.*.post_attention_layernorm");
  t.projection("mlp", "in", "layers.*.mlp.dense_h_to_4h");
  t.projection("mlp", "out", "layers.*.mlp.dense_4h_to_h");
  t.norm("ln_final", "final_layer_norm");
  t.linear("unembed.W_U", "embed_out.weight");
  t.ignored.insert(t.ignored.end(), {"*layers.*.attention.bias", "embed_out.weight"});
  return t;
}

Json config_of_gpt_neox(const Architecture& a) {
  const BlockOptions& block = a.stack.blocks[0];
  const AttentionOptions& attention = block.attention;
  const double share = static_cast<double>(attention.rotary.width) / static_cast<double>(attention.width);
  return {
      {"architectures", {a.head.kind == Head::none ? "GPTNeoXModel" : "GPTNeoXForCausalLM"}},
      {"model_type", "gpt_neox"},
      {"vocab_size", a.inputs.vocabulary},
      {"max_position_embeddings", a.inputs.context > 0 ? a.inputs.context : 2048},
      {"hidden_size", a.inputs.width},
      {"intermediate_size", block.feed_forward.width},
      {"num_hidden_layers", a.stack.layers},
      {"num_attention_heads", attention.heads},
      {"hidden_act", hub_name(block.feed_forward.activation)},
      {"layer_norm_eps", block.norm.epsilon},
      {"rotary_pct", share},
      {"rotary_emb_base", attention.rotary.base},
      {"rope_parameters",
       {{"rope_type", "default"}, {"rope_theta", attention.rotary.base}, {"partial_rotary_factor", share}}},
      {"attention_bias", attention.bias},
      {"use_parallel_residual", block.parallel},
      {"tie_word_embeddings", a.head.tied}};
}

}  // namespace

Family family_gpt_neox() {
  return {"gpt_neox", {}, architecture_of_gpt_neox, tensors_of_gpt_neox, nullptr, false, config_of_gpt_neox};
}

}  // namespace limpid

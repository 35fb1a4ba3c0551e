// Llama (Touvron 2023, Dubey 2024) and what its descendants share.
#include "model/families/family.h"

namespace limpid {

Architecture llama_architecture(const HubConfig& c) {
  const int64_t width = c.size("hidden_size"), heads = c.size("num_attention_heads");
  const NormOptions norm = {Norm::rms, c.real("rms_norm_eps", 1e-6), false};
  AttentionOptions attention;
  attention.heads = heads;
  attention.kv_heads = c.size("num_key_value_heads", heads);
  attention.width = c.size("head_dim", width / heads);
  attention.out_width = width;
  attention.mask = Mask::causal;
  attention.bias = attention.out_bias = c.flag("attention_bias", false);
  attention.positions = Positions::rotary;
  attention.rotary = rotary_of(c, attention.width);
  attention.each = "token";
  BlockOptions block;
  block.norm = norm;
  block.attention = attention;
  block.feed_forward = {c.size("intermediate_size"), c.activation("hidden_act", "silu"), true,
                        c.flag("mlp_bias", false)};
  Architecture a;
  a.inputs = {
      .vocabulary = c.size("vocab_size"), .width = width, .context = c.size("max_position_embeddings", 2048)};
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}, .final_norm = norm};
  a.head.tied = c.flag("tie_word_embeddings", false);
  if (c.is_for("Model")) a.head.kind = Head::none;
  return a;
}

TensorTable llama_tensors() {
  TensorTable t;
  t.prefixes = {"model.", ""};
  t.table("embed.W_E", "embed_tokens.weight");
  t.norm("blocks.*.ln1", "layers.*.input_layernorm");
  for (const auto& [ours, theirs] : {std::pair{"Q", "q"}, {"K", "k"}, {"V", "v"}, {"O", "o"}})
    t.projection("attn", ours, std::string("layers.*.self_attn.") + theirs + "_proj");
  t.norm("blocks.*.ln2", "layers.*.post_attention_layernorm");
  t.projection("mlp", "in", "layers.*.mlp.gate_proj");
  t.projection("mlp", "up", "layers.*.mlp.up_proj");
  t.projection("mlp", "out", "layers.*.mlp.down_proj");
  t.norm("ln_final", "norm");
  t.linear("unembed.W_U", "lm_head.weight");
  t.vector("unembed.b_U", "lm_head.bias");
  t.ignored.push_back("lm_head.weight");  // of a tied model, stored all the same
  return t;
}

void add_query_key_norms(TensorTable& t) {
  t.norm("blocks.*.attn.q_norm", "layers.*.self_attn.q_norm");
  t.norm("blocks.*.attn.k_norm", "layers.*.self_attn.k_norm");
}

namespace {

TensorTable tensors_of_llama(const HubConfig&, const Architecture&) { return llama_tensors(); }

Json config_of_llama(const Architecture& a) {
  const BlockOptions& block = a.stack.blocks[0];
  const AttentionOptions& attention = block.attention;
  return {{"architectures", {a.head.kind == Head::none ? "LlamaModel" : "LlamaForCausalLM"}},
          {"model_type", "llama"},
          {"vocab_size", a.inputs.vocabulary},
          {"max_position_embeddings", a.inputs.context > 0 ? a.inputs.context : 2048},
          {"hidden_size", a.inputs.width},
          {"intermediate_size", block.feed_forward.width},
          {"num_hidden_layers", a.stack.layers},
          {"num_attention_heads", attention.heads},
          {"num_key_value_heads", attention.kv_heads > 0 ? attention.kv_heads : attention.heads},
          {"head_dim", attention.width},
          {"hidden_act", hub_name(block.feed_forward.activation)},
          {"rms_norm_eps", block.norm.epsilon},
          {"rope_theta", attention.rotary.base},
          {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", attention.rotary.base}}},
          {"attention_bias", attention.bias},
          {"mlp_bias", block.feed_forward.bias},
          {"tie_word_embeddings", a.head.tied}};
}

}  // namespace

Family family_llama() {
  return {"llama", {}, llama_architecture, tensors_of_llama, nullptr, false, config_of_llama};
}

}  // namespace limpid

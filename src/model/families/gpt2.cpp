// GPT-2 (Radford 2019).
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_gpt2(const HubConfig& c) {
  const int64_t width = c.size("n_embd"), heads = c.size("n_head");
  const NormOptions norm = {Norm::layer, c.real("layer_norm_epsilon", 1e-5)};
  c.refuse("scale_attn_by_inverse_layer_idx");
  c.refuse("add_cross_attention");
  BlockOptions block = block_of(width, heads, norm, Mask::causal, true);
  if (!c.flag("scale_attn_weights", true)) block.attention.scale = 1;
  block.feed_forward = {c.size("n_inner", 4 * width), c.activation("activation_function", "gelu_new")};
  Architecture a;
  a.inputs = {.vocabulary = c.size("vocab_size"),
              .width = width,
              .positions = Positions::learned,
              .context = c.size("n_positions", c.size("n_ctx", 1024))};
  a.stack = {.layers = c.layers("n_layer"), .blocks = {block}, .final_norm = norm};
  a.head.tied = c.flag("tie_word_embeddings", true);
  if (c.is_for("Model") && !c.is_for("LMHeadModel")) a.head.kind = Head::none;
  return a;
}

TensorTable tensors_of_gpt2(const HubConfig&, const Architecture& a) {
  const int64_t width = a.inputs.width;
  TensorTable t;
  t.prefixes = {"transformer.", ""};
  t.linear_in_first = true;
  t.table("embed.W_E", "wte.weight");
  t.table("pos_embed.W_pos", "wpe.weight");
  t.norm("blocks.*.ln1", "h.*.ln_1");
  for (const auto& [name, part] : {std::pair{"Q", 0}, {"K", 1}, {"V", 2}})
    t.projection("attn", name, "h.*.attn.c_attn", {1, 3, part, part + 1, width});
  t.projection("attn", "O", "h.*.attn.c_proj");
  t.norm("blocks.*.ln2", "h.*.ln_2");
  t.projection("mlp", "in", "h.*.mlp.c_fc");
  t.projection("mlp", "out", "h.*.mlp.c_proj");
  t.norm("ln_final", "ln_f");
  t.add({"unembed.W_U", "lm_head.weight", TensorRule::Layout::linear});
  t.ignored.insert(t.ignored.end(), {"*h.*.attn.bias", "lm_head.weight"});
  return t;
}

Json config_of_gpt2(const Architecture& a) {
  const BlockOptions& block = a.stack.blocks[0];
  return {{"architectures", {a.head.kind == Head::none ? "GPT2Model" : "GPT2LMHeadModel"}},
          {"model_type", "gpt2"},
          {"vocab_size", a.inputs.vocabulary},
          {"n_positions", a.inputs.context},
          {"n_embd", a.inputs.width},
          {"n_layer", a.stack.layers},
          {"n_head", block.attention.heads},
          {"n_inner", block.feed_forward.width},
          {"activation_function", hub_name(block.feed_forward.activation)},
          {"layer_norm_epsilon", block.norm.epsilon},
          {"scale_attn_weights", block.attention.scale != 1},
          {"tie_word_embeddings", a.head.tied}};
}

}  // namespace

Family family_gpt2() {
  return {"gpt2", {}, architecture_of_gpt2, tensors_of_gpt2, nullptr, false, config_of_gpt2};
}

}  // namespace limpid

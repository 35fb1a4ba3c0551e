// GPT-Neo (Black 2021): scores that are not scaled, windows in every other layer.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_gpt_neo(const HubConfig& c) {
  const int64_t width = c.size("hidden_size"), heads = c.size("num_heads");
  const NormOptions norm = {Norm::layer, c.real("layer_norm_epsilon", 1e-5)};
  BlockOptions block = block_of(width, heads, norm, Mask::causal, false);
  block.attention.out_bias = true;
  block.attention.scale = 1;
  block.feed_forward = {c.size("intermediate_size", 4 * width),
                        c.activation("activation_function", "gelu_new")};
  Architecture a;
  a.inputs = {.vocabulary = c.size("vocab_size"),
              .width = width,
              .positions = Positions::learned,
              .context = c.size("max_position_embeddings", 2048)};
  a.stack = {.layers = c.layers("num_layers"), .final_norm = norm};
  std::vector<std::string> types = c.words("attention_layers");
  if (types.empty()) types = {"global", "local"};
  set_blocks(a.stack, types, [&](const std::string& type) {
    BlockOptions made = block;
    if (type == "local") made.attention.window = c.size("window_size", 256);
    return made;
  });
  a.head.tied = c.flag("tie_word_embeddings", true);
  if (c.is_for("Model")) a.head.kind = Head::none;
  return a;
}

TensorTable tensors_of_gpt_neo(const HubConfig&, const Architecture&) {
  TensorTable t;
  t.prefixes = {"transformer.", ""};
  t.table("embed.W_E", "wte.weight");
  t.table("pos_embed.W_pos", "wpe.weight");
  t.norm("blocks.*.ln1", "h.*.ln_1");
  t.projection("attn", "Q", "h.*.attn.attention.q_proj");
  t.projection("attn", "K", "h.*.attn.attention.k_proj");
  t.projection("attn", "V", "h.*.attn.attention.v_proj");
  t.projection("attn", "O", "h.*.attn.attention.out_proj");
  t.norm("blocks.*.ln2", "h.*.ln_2");
  t.projection("mlp", "in", "h.*.mlp.c_fc");
  t.projection("mlp", "out", "h.*.mlp.c_proj");
  t.norm("ln_final", "ln_f");
  t.linear("unembed.W_U", "lm_head.weight");
  t.ignored.insert(t.ignored.end(), {"*h.*.attn.attention.bias", "lm_head.weight"});
  return t;
}

}  // namespace

Family family_gpt_neo() { return {"gpt_neo", {}, architecture_of_gpt_neo, tensors_of_gpt_neo}; }

}  // namespace limpid

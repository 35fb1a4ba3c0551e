// XGLM (Lin 2021): GPT with fairseq's sinusoidal positions and scaled embeddings.
#include <cmath>

#include "model/families/family.h"

namespace limpid {

namespace {

constexpr int64_t k_first_position = 2;

Architecture architecture_of_xglm(const HubConfig& c) {
  c.refuse("add_cross_attention");
  if (c.has("pad_token_id") && c.integers_or_one("pad_token_id")[0] >= k_first_position)
    c.fail("'pad_token_id' is above 1: the library then has no position in the padding's row");
  const int64_t width = c.size("d_model", 1024);
  const NormOptions norm = {};
  BlockOptions block = block_of(width, c.size("attention_heads", 16), norm, Mask::causal, true);
  block.feed_forward = {c.size("ffn_dim", 4096), c.activation("activation_function", "gelu")};
  Architecture a;
  a.inputs = {.vocabulary = c.size("vocab_size"),
              .width = width,
              .scale = c.flag("scale_embedding", true) ? std::sqrt(static_cast<double>(width)) : 1,
              .positions = Positions::sinusoidal,
              .sinusoidal = {.halves = true, .ends_at_base = true, .first = k_first_position},
              .context = c.size("max_position_embeddings", 2048)};
  a.stack = {.layers = c.layers("num_layers"), .blocks = {block}, .final_norm = norm};
  a.head.tied = c.flag("tie_word_embeddings", true);
  if (c.is_for("Model")) a.head.kind = Head::none;
  return a;
}

TensorTable tensors_of_xglm(const HubConfig&, const Architecture&) {
  TensorTable t;
  t.prefixes = {"model.", ""};
  t.table("embed.W_E", "embed_tokens.weight");
  t.norm("blocks.*.ln1", "layers.*.self_attn_layer_norm");
  for (const auto& [ours, theirs] :
       {std::pair{"Q", "q_proj"}, {"K", "k_proj"}, {"V", "v_proj"}, {"O", "out_proj"}})
    t.projection("attn", ours, std::string("layers.*.self_attn.") + theirs);
  t.norm("blocks.*.ln2", "layers.*.final_layer_norm");
  t.projection("mlp", "in", "layers.*.fc1");
  t.projection("mlp", "out", "layers.*.fc2");
  t.norm("ln_final", "layer_norm");
  t.linear("unembed.W_U", "lm_head.weight");
  t.ignored.insert(t.ignored.end(), {"lm_head.weight", "*embed_positions.weights"});
  return t;
}

}  // namespace

Family family_xglm() { return {"xglm", {}, architecture_of_xglm, tensors_of_xglm}; }

}  // namespace limpid

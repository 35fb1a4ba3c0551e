// ModernBERT (Warner 2024): a pre-norm encoder with gated layers, rotary positions, and windows on both sides
// in two of three layers.  The first block has no norm before its attention.
#include <algorithm>

#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_modernbert(const HubConfig& c) {
  const int64_t width = c.size("hidden_size"), heads = c.size("num_attention_heads");
  const NormOptions norm = {Norm::layer, c.real("norm_eps", 1e-5), c.flag("norm_bias", false)};
  BlockOptions block = block_of(width, heads, norm, Mask::none, c.flag("attention_bias", false));
  block.attention.positions = Positions::rotary;
  block.feed_forward = {c.size("intermediate_size"), c.activation("hidden_activation", "gelu"), true,
                        c.flag("mlp_bias", false)};
  Architecture a;
  a.inputs = {.vocabulary = c.size("vocab_size"),
              .width = width,
              .context = c.size("max_position_embeddings", 8192),
              .norm = norm};
  a.stack = {.layers = c.layers("num_hidden_layers"), .final_norm = norm};
  std::vector<std::string> types = layer_types(c);
  const int64_t every = std::max<int64_t>(c.size("global_attn_every_n_layers", 3), 1);
  if (types.empty())
    for (int64_t layer = 0; layer < a.stack.layers; ++layer)
      types.push_back(layer % every == 0 ? "full_attention" : "sliding_attention");
  types[0] = "first " + types[0];
  set_blocks(a.stack, types, [&](const std::string& type) {
    BlockOptions made = block;
    made.first_norm = !type.starts_with("first ");
    const std::string kind = made.first_norm ? type : type.substr(6);
    const bool local = kind == "sliding_attention";
    made.attention.rotary = {block.attention.width, c.real(local ? "local_rope_theta" : "global_rope_theta",
                                                           local ? 10000 : 160000)};
    if (c.has("rope_parameters")) made.attention.rotary = rotary_of(c, block.attention.width, kind);
    if (local) {
      const int64_t each_side = c.size("local_attention", 128) / 2;
      made.attention.window = each_side + 1;
      made.attention.window_after = each_side;
    }
    return made;
  });
  a.head.kind = Head::none;
  if (c.is_for("ForMaskedLM"))
    a.head = {.kind = Head::masked_word,
              .tied = c.flag("tie_word_embeddings", true),
              .bias = c.flag("decoder_bias", true),
              .transform = true,
              .activation = c.activation("classifier_activation", "gelu"),
              .transform_bias = c.flag("classifier_bias", false),
              .transform_norm = norm};
  return a;
}

TensorTable tensors_of_modernbert(const HubConfig&, const Architecture& a) {
  const AttentionOptions& o = a.stack.blocks[0].attention;
  TensorTable t;
  t.prefixes = {"model.", ""};
  t.table("embed.W_E", "embeddings.tok_embeddings.weight");
  t.norm("ln_embed", "embeddings.norm");
  t.norm("blocks.*.ln1", "layers.*.attn_norm");
  for (const auto& [name, part] : {std::pair{"Q", 0}, {"K", 1}, {"V", 2}})
    t.projection("attn", name, "layers.*.attn.Wqkv", {1, 3, part, part + 1, o.heads * o.width});
  t.projection("attn", "O", "layers.*.attn.Wo");
  t.norm("blocks.*.ln2", "layers.*.mlp_norm");
  t.projection("mlp", "in", "layers.*.mlp.Wi", {1, 2, 0, 1, a.stack.blocks[0].feed_forward.width});
  t.projection("mlp", "up", "layers.*.mlp.Wi", {1, 2, 1, 2, a.stack.blocks[0].feed_forward.width});
  t.projection("mlp", "out", "layers.*.mlp.Wo");
  t.norm("ln_final", "final_norm");
  t.linear("head.W", "head.dense.weight");
  t.vector("head.b", "head.dense.bias");
  t.norm("ln_head", "head.norm");
  t.linear("unembed.W_U", "decoder.weight");
  t.vector("unembed.b_U", "decoder.bias");
  t.ignored.insert(t.ignored.end(), {"head.*", "decoder.*"});
  return t;
}

}  // namespace

Family family_modernbert() { return {"modernbert", {}, architecture_of_modernbert, tensors_of_modernbert}; }

}  // namespace limpid

// SigLIP (Zhai 2023): CLIP whose pairs are alike or not each by itself, and its tower of images by itself.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture siglip_vision(const HubConfig& c) {
  const int64_t width = c.size("hidden_size", 768), heads = c.size("num_attention_heads", 12);
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-6)};
  Architecture a;
  a.inputs.width = width;
  a.patches = patches_of(c, 224, 16);
  BlockOptions block = block_of(width, heads, norm, Mask::none, true);
  block.attention.each = "patch";
  block.feed_forward = {c.size("intermediate_size", 3072), c.activation("hidden_act", "gelu_pytorch_tanh")};
  a.stack = {.layers = c.layers("num_hidden_layers", 12), .blocks = {block}, .final_norm = norm};
  a.each = "patch";
  a.head = {.kind = Head::none, .tied = false};
  if (c.flag("vision_use_head", true)) {
    a.head.kind = Head::embedding;
    a.head.pool_norm = norm;
    a.head.pool_attention = block.attention;
    a.head.pool_feed_forward = block.feed_forward;
  }
  return a;
}

// Of the vision tower: what stands apart, and the head that gathers the vector.
TensorTable tensors_of_siglip_vision(const HubConfig&, const Architecture& a) {
  TensorTable t;
  t.prefixes = {"vision_model.", ""};
  t.linear("patch_embed.W", "embeddings.patch_embedding.weight");
  t.vector("patch_embed.b", "embeddings.patch_embedding.bias");
  t.table("pos_embed.W_pos", "embeddings.position_embedding.weight");
  add_clip_layers(t);
  t.norm("ln_final", "post_layernorm");
  t.table("head.probe.w", "head.probe");
  const int64_t width = a.inputs.width;
  int64_t at = 0;
  for (const char* name : {"Q", "K", "V"}) {  // PyTorch's MultiheadAttention keeps the three in one
    const Part part = {1, 3, at, at + 1, width};
    t.linear(std::string("head.attn.W_") + name, "head.attention.in_proj_weight", part);
    t.vector(std::string("head.attn.b_") + name, "head.attention.in_proj_bias", part);
    ++at;
  }
  t.linear("head.attn.W_O", "head.attention.out_proj.weight");
  t.vector("head.attn.b_O", "head.attention.out_proj.bias");
  t.norm("head.ln", "head.layernorm");
  for (const auto& [ours, theirs] : {std::pair{"in", "fc1"}, {"out", "fc2"}}) {
    t.linear(std::string("head.mlp.W_") + ours, std::string("head.mlp.") + theirs + ".weight");
    t.vector(std::string("head.mlp.b_") + ours, std::string("head.mlp.") + theirs + ".bias");
  }
  t.ignored.insert(t.ignored.end(), {"*position_ids"});
  return t;
}

// Every text is filled up to the context, and all of it is seen; its last row stands for it.
Architecture siglip_text(const HubConfig& c) {
  const int64_t width = c.size("hidden_size", 768);
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-6)};
  Architecture a;
  a.inputs = {.vocabulary = c.size("vocab_size", 32000),
              .width = width,
              .positions = Positions::learned,
              .context = c.size("max_position_embeddings", 64)};
  BlockOptions block = block_of(width, c.size("num_attention_heads", 12), norm, Mask::none, true);
  block.feed_forward = {c.size("intermediate_size", 3072), c.activation("hidden_act", "gelu_pytorch_tanh")};
  a.stack = {.layers = c.layers("num_hidden_layers", 12), .blocks = {block}, .final_norm = norm};
  a.head = {.kind = Head::embedding,
            .tied = false,
            .bias = true,
            .pool = Pool::last,
            .outputs = c.size("projection_size", width)};
  return a;
}

Architecture siglip(const HubConfig& c) {
  const HubConfig vision = c.at("vision_config");
  if (!vision.flag("vision_use_head", true))
    vision.fail("'vision_use_head' is false, so images have no vector");
  return joined_towers(siglip_text(c.at("text_config")), siglip_vision(vision), true);
}

TensorTable tensors_of_siglip_text() {
  TensorTable t;
  t.prefixes = {"text_model."};
  t.table("embed.W_E", "embeddings.token_embedding.weight");
  t.table("pos_embed.W_pos", "embeddings.position_embedding.weight");
  add_clip_layers(t);
  t.norm("ln_final", "final_layer_norm");
  t.linear("embedding.W", "head.weight");
  t.vector("embedding.b", "head.bias");
  return t;
}

TensorTable tensors_of_siglip(const HubConfig& c, const Architecture& a) {
  return joined_towers(tensors_of_siglip_text(), tensors_of_siglip_vision(c, tower_of(a, Tower::images)));
}

}  // namespace

Family family_siglip() { return {"siglip", {}, siglip, tensors_of_siglip}; }
Family family_siglip_vision() { return {"siglip_vision_model", {}, siglip_vision, tensors_of_siglip_vision}; }

}  // namespace limpid

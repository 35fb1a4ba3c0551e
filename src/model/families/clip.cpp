// CLIP (Radford 2021), each of its two towers by itself: images and texts as vectors of one space.
#include "model/families/family.h"

namespace limpid {

namespace {

BlockOptions clip_block(const HubConfig& c, int64_t width, const NormOptions& norm, Mask mask) {
  BlockOptions block = block_of(width, c.size("num_attention_heads"), norm, mask, true);
  block.feed_forward = {c.size("intermediate_size"), c.activation("hidden_act", "quick_gelu")};
  return block;
}

// Of what the vector is made; projected where the class says so.
HeadOptions clip_head(const HubConfig& c, Pool pool) {
  HeadOptions head = {.kind = Head::embedding, .tied = false, .pool = pool};
  if (c.is_for("WithProjection")) head.outputs = c.size("projection_dim", 512);
  return head;
}

Architecture clip_vision(const HubConfig& c) {
  const int64_t width = c.size("hidden_size", 768);
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-5)};
  Architecture a;
  a.inputs.width = width;
  a.patches = patches_of(c, 224, 32);
  a.patches->bias = false;
  a.patches->tokens = {"cls_token"};
  a.patches->norm = norm;
  BlockOptions block = clip_block(c, width, norm, Mask::none);
  block.attention.each = "patch";
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}};
  a.each = "patch";
  a.head = clip_head(c, Pool::first);
  a.head.pool_norm = norm;
  return a;
}

Architecture clip_text(const HubConfig& c) {
  const int64_t width = c.size("hidden_size", 512);
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-5)};
  Architecture a;
  a.inputs = {.vocabulary = c.size("vocab_size", 49408),
              .width = width,
              .positions = Positions::learned,
              .context = c.size("max_position_embeddings", 77)};
  a.stack = {.layers = c.layers("num_hidden_layers"),
             .blocks = {clip_block(c, width, norm, Mask::causal)},
             .final_norm = norm};
  a.head = clip_head(c, Pool::last);  // the end of the text, which its tokenizer writes
  return a;
}

void add_layers(TensorTable& t) {
  const std::string layer = "encoder.layers.*.";
  t.norm("blocks.*.ln1", layer + "layer_norm1");
  for (const auto& [ours, theirs] :
       {std::pair{"Q", "q_proj"}, {"K", "k_proj"}, {"V", "v_proj"}, {"O", "out_proj"}})
    t.projection("attn", ours, layer + "self_attn." + theirs);
  t.norm("blocks.*.ln2", layer + "layer_norm2");
  t.projection("mlp", "in", layer + "mlp.fc1");
  t.projection("mlp", "out", layer + "mlp.fc2");
}

TensorTable tensors_of_clip_vision(const HubConfig&, const Architecture&) {
  TensorTable t;
  t.prefixes = {"vision_model.", ""};
  t.linear("patch_embed.W", "embeddings.patch_embedding.weight");
  t.table("cls_token.w", "embeddings.class_embedding");
  t.table("pos_embed.W_pos", "embeddings.position_embedding.weight");
  t.norm("ln_embed", "pre_layrnorm");
  add_layers(t);
  t.norm("ln_pooled", "post_layernorm");
  t.linear("embedding.W", "visual_projection.weight");
  t.ignored.insert(t.ignored.end(), {"*position_ids", "visual_projection.weight"});
  return t;
}

TensorTable tensors_of_clip_text(const HubConfig&, const Architecture&) {
  TensorTable t;
  t.prefixes = {"text_model.", ""};
  t.table("embed.W_E", "embeddings.token_embedding.weight");
  t.table("pos_embed.W_pos", "embeddings.position_embedding.weight");
  add_layers(t);
  t.norm("ln_final", "final_layer_norm");
  t.linear("embedding.W", "text_projection.weight");
  t.ignored.insert(t.ignored.end(), {"*position_ids", "text_projection.weight"});
  return t;
}

Architecture siglip_vision(const HubConfig& c) {
  const int64_t width = c.size("hidden_size", 768), heads = c.size("num_attention_heads", 12);
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-6)};
  Architecture a;
  a.inputs.width = width;
  a.patches = patches_of(c, 224, 16);
  BlockOptions block = block_of(width, heads, norm, Mask::none, true);
  block.attention.each = "patch";
  block.feed_forward = {c.size("intermediate_size", 3072), c.activation("hidden_act", "gelu_pytorch_tanh")};
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}, .final_norm = norm};
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
  add_layers(t);
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

}  // namespace

Family family_clip_vision() { return {"clip_vision_model", {}, clip_vision, tensors_of_clip_vision}; }
Family family_clip_text() { return {"clip_text_model", {}, clip_text, tensors_of_clip_text}; }
Family family_siglip_vision() { return {"siglip_vision_model", {}, siglip_vision, tensors_of_siglip_vision}; }

}  // namespace limpid

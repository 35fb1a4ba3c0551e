// CLIP (Radford 2021): texts and images as vectors of one space; and each of its two towers by itself.
#include "model/families/family.h"

namespace limpid {

namespace {

BlockOptions clip_block(const HubConfig& c, int64_t width, const NormOptions& norm, Mask mask) {
  BlockOptions block = block_of(width, c.size("num_attention_heads", width / 64), norm, mask, true);
  block.feed_forward = {c.size("intermediate_size", 4 * width), c.activation("hidden_act", "quick_gelu")};
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
  a.stack = {.layers = c.layers("num_hidden_layers", 12), .blocks = {block}};
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
  a.stack = {.layers = c.layers("num_hidden_layers", 12),
             .blocks = {clip_block(c, width, norm, Mask::causal)},
             .final_norm = norm};
  a.head = clip_head(c, Pool::last);  // the end of the text, which its tokenizer writes
  return a;
}

TensorTable tensors_of_clip_vision(const HubConfig&, const Architecture&) {
  TensorTable t;
  t.prefixes = {"vision_model.", ""};
  t.linear("patch_embed.W", "embeddings.patch_embedding.weight");
  t.table("cls_token.w", "embeddings.class_embedding");
  t.table("pos_embed.W_pos", "embeddings.position_embedding.weight");
  t.norm("ln_embed", "pre_layrnorm");
  add_clip_layers(t);
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
  add_clip_layers(t);
  t.norm("ln_final", "final_layer_norm");
  t.linear("embedding.W", "text_projection.weight");
  t.ignored.insert(t.ignored.end(), {"*position_ids", "text_projection.weight"});
  return t;
}

Architecture clip(const HubConfig& c) {
  Architecture texts = clip_text(c.at("text_config")), images = clip_vision(c.at("vision_config"));
  texts.head.outputs = images.head.outputs = c.size("projection_dim", 512);
  return joined_towers(std::move(texts), images, false);
}

TensorTable tensors_of_clip(const HubConfig& c, const Architecture& a) {
  return joined_towers(tensors_of_clip_text(c, a), tensors_of_clip_vision(c, a));
}

}  // namespace

void add_clip_layers(TensorTable& t) {
  const std::string layer = "encoder.layers.*.";
  t.norm("blocks.*.ln1", layer + "layer_norm1");
  for (const auto& [ours, theirs] :
       {std::pair{"Q", "q_proj"}, {"K", "k_proj"}, {"V", "v_proj"}, {"O", "out_proj"}})
    t.projection("attn", ours, layer + "self_attn." + theirs);
  t.norm("blocks.*.ln2", layer + "layer_norm2");
  t.projection("mlp", "in", layer + "mlp.fc1");
  t.projection("mlp", "out", layer + "mlp.fc2");
}

Architecture joined_towers(Architecture texts, const Architecture& images, bool sigmoid) {
  texts.images = ImageTower{images.inputs.width, *images.patches, images.stack, images.head, sigmoid};
  return texts;
}

TensorTable joined_towers(const TensorTable& texts, const TensorTable& images) {
  TensorTable t;
  const auto add = [&](const TensorTable& tower, const std::string& ours) {
    const std::string theirs = tower.prefixes.front();
    for (TensorRule rule : tower.rules) {
      rule.ours = ours + rule.ours;
      if (!rule.theirs.ends_with("_projection.weight")) rule.theirs = theirs + rule.theirs;
      t.add(std::move(rule));
    }
  };
  add(texts, "");
  add(images, "image.");
  t.table("pairs.log_scale", "logit_scale");
  t.table("pairs.bias", "logit_bias");
  t.ignored.insert(t.ignored.end(), {"*position_ids"});
  return t;
}

Family family_clip_vision() { return {"clip_vision_model", {}, clip_vision, tensors_of_clip_vision}; }
Family family_clip_text() { return {"clip_text_model", {}, clip_text, tensors_of_clip_text}; }
Family family_clip() { return {"clip", {}, clip, tensors_of_clip}; }

}  // namespace limpid

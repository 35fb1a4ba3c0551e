// BEiT (Bao 2021): a vision transformer that learns where patches lie from their distances, in every layer.
#include "model/families/family.h"

namespace limpid {

namespace {

AttentionOptions with_distances(const HubConfig& c, AttentionOptions attention, const PatchInputs& patches) {
  const bool own = c.flag("use_relative_position_bias", false),
             shared = c.flag("use_shared_relative_position_bias", false);
  if (own && shared)
    c.fail(
        "'use_relative_position_bias' and 'use_shared_relative_position_bias' are both true, expected one of "
        "them");
  if (!own && !shared) return attention;
  attention.positions = Positions::patch_bias;
  attention.patch_lines = patches.height / patches.size;
  attention.patch_columns = patches.width / patches.size;
  if (shared) attention.bias_table = "rel_bias";
  return attention;
}

Architecture beit(const HubConfig& c) {
  const int64_t width = c.size("hidden_size", 768), heads = c.size("num_attention_heads", 12);
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-12)};
  const bool mean = c.flag("use_mean_pooling", true);
  Architecture a;
  a.inputs.width = width;
  a.patches = patches_of(c, 224, 16);
  a.patches->tokens = {"cls_token"};
  a.patches->positions = c.flag("use_absolute_position_embeddings", false);
  BlockOptions block = block_of(width, heads, norm, Mask::none, true);
  block.attention.key_bias = false;
  block.attention.each = "patch";
  block.attention = with_distances(c, block.attention, *a.patches);
  block.layer_scale = c.real("layer_scale_init_value", 0.1) > 0;
  block.feed_forward = {c.size("intermediate_size", 3072), c.activation("hidden_act", "gelu")};
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}};
  if (!mean) a.stack.final_norm = norm;
  a.each = "patch";
  a.head = {.kind = Head::none, .tied = false};
  if (c.is_for("ForMaskedImageModeling") || c.is_for("ForSemanticSegmentation"))
    c.fail(join("'architectures' names ", c.architecture(), ", whose head limpid has no part for"));
  if (c.is_for("ForImageClassification")) {
    a.head = {.kind = Head::classes, .tied = false, .bias = true, .outputs = c.classes()};
    a.head.pool = mean ? Pool::rest : Pool::first;
    if (mean) a.head.pool_norm = norm;
  }
  return a;
}

TensorTable tensors_of_beit(const HubConfig&, const Architecture&) {
  TensorTable t = vit_tensors_named("beit.");
  // Newer files have other names for the same.
  for (const std::string& stack : {std::string("encoder.layer.*."), std::string("layers.*.")}) {
    t.table("blocks.*.ls1.w", stack + "lambda_1");
    t.table("blocks.*.ls2.w", stack + "lambda_2");
    t.table("blocks.*.attn.rel_bias",
            stack + "attention.attention.relative_position_bias.relative_position_bias_table");
    t.table("blocks.*.attn.rel_bias", stack + "relative_position_bias.relative_position_bias_table");
  }
  for (const char* name : {"encoder.relative_position_bias", "shared_position_bias"})
    t.table("rel_bias", std::string(name) + ".relative_position_bias_table");
  t.norm("ln_pooled", "pooler.layernorm");
  // An index that is the same for every model of a size.
  t.ignored.insert(t.ignored.end(), {"*relative_position_index", "*pooler.layernorm.*"});
  return t;
}

}  // namespace

Family family_beit() { return {"beit", {}, beit, tensors_of_beit}; }

}  // namespace limpid

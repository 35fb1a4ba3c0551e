// ViT (Dosovitskiy 2020) and DeiT (Touvron 2020): patches of an image behind a class token, a pre-norm
// encoder.
#include "model/families/family.h"

namespace limpid {

PatchInputs patches_of(const HubConfig& c, int64_t image_size, int64_t patch_size) {
  const auto sides = [&](const char* key, int64_t otherwise) {
    if (!c.has(key)) return std::pair{otherwise, otherwise};
    if (!c.json().at(key).is_array()) return std::pair{c.size(key), c.size(key)};
    const std::vector<int64_t> both = c.integers(key);
    if (both.size() != 2) c.fail(join("'", key, "' is a list, expected a number, or a height and a width"));
    return std::pair{both[0], both[1]};
  };
  const auto [height, width] = sides("image_size", image_size);
  const auto [down, across] = sides("patch_size", patch_size);
  if (down != across) c.fail("'patch_size' is not square, which limpid has no part for");
  PatchInputs patches;
  patches.channels = c.size("num_channels", 3);
  // What a square does not cover at the right and at the bottom is not read.
  patches.height = down > 0 ? height / down * down : height;
  patches.width = down > 0 ? width / down * down : width;
  patches.size = down;
  return patches;
}

namespace {

Architecture vit(const HubConfig& c) {
  const int64_t width = c.size("hidden_size"), heads = c.size("num_attention_heads");
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-12)};
  BlockOptions block = block_of(width, heads, norm, Mask::none, false);
  block.attention.bias = c.flag("qkv_bias", true);
  block.attention.out_bias = true;
  block.attention.each = "patch";
  block.feed_forward = {c.size("intermediate_size"), c.activation("hidden_act", "gelu")};
  Architecture a;
  a.inputs.width = width;
  a.patches = patches_of(c, 224, 16);
  a.patches->tokens = {"cls_token"};
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}, .final_norm = norm};
  a.each = "patch";
  a.head = {.kind = Head::none, .tied = false};
  if (c.is_for("ForImageClassification"))
    a.head = {
        .kind = Head::classes, .tied = false, .bias = true, .pool = Pool::first, .outputs = c.classes()};
  return a;
}

Architecture deit(const HubConfig& c) {
  Architecture a = vit(c);
  a.patches->tokens.push_back("distillation_token");
  if (c.is_for("ForImageClassificationWithTeacher"))
    c.fail(
        "'architectures' names DeiTForImageClassificationWithTeacher, whose two classifiers limpid has no "
        "part for");
  return a;
}

}  // namespace

TensorTable vit_tensors_named(const std::string& name) {
  TensorTable t;
  t.prefixes = {name, ""};
  t.linear("patch_embed.W", "embeddings.patch_embeddings.projection.weight");
  t.vector("patch_embed.b", "embeddings.patch_embeddings.projection.bias");
  t.table("cls_token.w", "embeddings.cls_token");
  t.table("distillation_token.w", "embeddings.distillation_token");
  t.table("pos_embed.W_pos", "embeddings.position_embeddings");
  t.norm("blocks.*.ln1", "encoder.layer.*.layernorm_before");
  t.projection("attn", "Q", "encoder.layer.*.attention.attention.query");
  t.projection("attn", "K", "encoder.layer.*.attention.attention.key");
  t.projection("attn", "V", "encoder.layer.*.attention.attention.value");
  t.projection("attn", "O", "encoder.layer.*.attention.output.dense");
  t.norm("blocks.*.ln2", "encoder.layer.*.layernorm_after");
  t.projection("mlp", "in", "encoder.layer.*.intermediate.dense");
  t.projection("mlp", "out", "encoder.layer.*.output.dense");
  t.norm("ln_final", "layernorm");
  t.linear("unembed.W_U", "classifier.weight");
  t.vector("unembed.b_U", "classifier.bias");
  t.ignored.insert(t.ignored.end(), {"*pooler.dense.*", "classifier.*", "*embeddings.mask_token"});
  return t;
}

namespace {

TensorTable vit_tensors(const HubConfig&, const Architecture&) { return vit_tensors_named("vit."); }
TensorTable deit_tensors(const HubConfig&, const Architecture&) { return vit_tensors_named("deit."); }

}  // namespace

Family family_vit() { return {"vit", {}, vit, vit_tensors}; }
Family family_deit() { return {"deit", {}, deit, deit_tensors}; }

}  // namespace limpid

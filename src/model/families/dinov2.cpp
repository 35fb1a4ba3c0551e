// DINOv2 (Oquab 2023): a vision transformer whose layers scale what they add, with positions that are
// interpolated to the size of the image.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture dinov2(const HubConfig& c) {
  const int64_t width = c.size("hidden_size", 768), heads = c.size("num_attention_heads", 12);
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-6)};
  BlockOptions block = block_of(width, heads, norm, Mask::none, false);
  block.attention.bias = c.flag("qkv_bias", true);
  block.attention.out_bias = true;
  block.attention.each = "patch";
  block.layer_scale = true;
  const int64_t ratio = c.size("mlp_ratio", 4);
  if (ratio > 1024) c.fail(join("'mlp_ratio' is ", ratio, ", expected at most 1024"));
  const int64_t wide = width * ratio;
  block.feed_forward = {wide, c.activation("hidden_act", "gelu")};
  if (c.flag("use_swiglu_ffn", false)) {
    block.feed_forward = {(wide * 2 / 3 + 7) / 8 * 8, Activation::silu};
    block.feed_forward.gated = true;
  }
  Architecture a;
  a.inputs.width = width;
  a.patches = patches_of(c, 224, 14);
  a.patches->tokens = {"cls_token"};
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}, .final_norm = norm};
  a.each = "patch";
  a.head = {.kind = Head::none, .tied = false};
  if (c.is_for("ForImageClassification"))
    a.head = {.kind = Head::classes,
              .tied = false,
              .bias = true,
              .pool = Pool::first_and_rest,
              .outputs = c.classes()};
  return a;
}

TensorTable tensors_of_dinov2(const HubConfig&, const Architecture& a) {
  TensorTable t = vit_tensors_named("dinov2.");
  const FeedForwardOptions& f = a.stack.blocks[0].feed_forward;
  const std::string layer = "encoder.layer.*.";
  t.norm("blocks.*.ln1", layer + "norm1");
  t.norm("blocks.*.ln2", layer + "norm2");
  t.table("blocks.*.ls1.w", layer + "layer_scale1.lambda1");
  t.table("blocks.*.ls2.w", layer + "layer_scale2.lambda1");
  if (f.gated) {  // both in one, or apart in newer files
    t.projection("mlp", "in", layer + "mlp.weights_in", {1, 2, 0, 1, f.width});
    t.projection("mlp", "up", layer + "mlp.weights_in", {1, 2, 1, 2, f.width});
    t.projection("mlp", "in", layer + "mlp.gate_proj");
    t.projection("mlp", "up", layer + "mlp.up_proj");
    t.projection("mlp", "out", layer + "mlp.weights_out");
    t.projection("mlp", "out", layer + "mlp.down_proj");
  } else {
    t.projection("mlp", "in", layer + "mlp.fc1");
    t.projection("mlp", "out", layer + "mlp.fc2");
  }
  return t;
}

}  // namespace

Family family_dinov2() {
  Family family = {"dinov2", {}, dinov2, tensors_of_dinov2};
  family.interpolates_positions = true;
  return family;
}

}  // namespace limpid

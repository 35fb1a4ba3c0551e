// ViT as vit-pytorch wrote it (github.com/lucidrains/vit-pytorch, before its 1.0): q, k and v in one matrix
// without bias, numbered modules, and networks without a feed-forward layer.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture vit_pytorch(const HubConfig& c) {
  if (const std::string norm = c.word("norm", "pre"); norm != "pre")
    c.fail(join("'norm' is '", norm, "', expected 'pre': limpid has no part for another"));
  if (c.word("pool", "cls") != "cls")
    c.fail("'pool' is not 'cls', the only one that limpid reads of this family");
  // Several channels stand pixel by pixel in its patches, and channel by channel in ours.
  const int64_t channels = c.size("num_channels", 3);
  if (channels != 1)
    c.fail(join("'num_channels' is ", channels, ", of this family limpid reads grey images alone"));
  const int64_t width = c.size("hidden_size"), heads = c.size("num_attention_heads"),
                side = c.size("image_size");
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-5)};
  BlockOptions block = block_of(width, heads, norm, Mask::none, false);
  block.attention.width = c.size("head_dim", width / heads);
  block.attention.out_bias = true;
  block.attention.each = "patch";
  block.feed_forward.width = c.size("intermediate_size", 0);
  if (block.feed_forward.width > 0) block.feed_forward.activation = c.activation("hidden_act", "gelu");
  Architecture a;
  a.inputs.width = width;
  a.patches = PatchInputs{channels, side, side, c.size("patch_size"), true, {"cls_token"}};
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}, .final_norm = norm};
  a.each = "patch";
  a.head = {.kind = Head::classes, .tied = false, .bias = true, .pool = Pool::first, .outputs = c.classes()};
  return a;
}

TensorTable tensors_of_vit_pytorch(const HubConfig&, const Architecture& a) {
  const BlockOptions& block = a.stack.blocks[0];
  const int64_t rows = block.attention.heads * block.attention.width;
  // A layer is a pair of modules, or attention alone.
  const std::string attention =
      block.feed_forward.width > 0 ? "transformer.layers.*.0." : "transformer.layers.*.";
  TensorTable t;
  t.linear("patch_embed.W", "to_patch_embedding.1.weight");
  t.vector("patch_embed.b", "to_patch_embedding.1.bias");
  t.table("cls_token.w", "cls_token");
  t.table("pos_embed.W_pos", "pos_embedding");
  t.norm("blocks.*.ln1", attention + "norm");
  t.linear("blocks.*.attn.W_Q", attention + "fn.to_qkv.weight", {1, 3, 0, 1, rows});
  t.linear("blocks.*.attn.W_K", attention + "fn.to_qkv.weight", {1, 3, 1, 2, rows});
  t.linear("blocks.*.attn.W_V", attention + "fn.to_qkv.weight", {1, 3, 2, 3, rows});
  t.projection("attn", "O", attention + "fn.to_out.0");
  t.norm("blocks.*.ln2", "transformer.layers.*.1.norm");
  t.projection("mlp", "in", "transformer.layers.*.1.fn.net.0");
  t.projection("mlp", "out", "transformer.layers.*.1.fn.net.3");
  t.norm("ln_final", "mlp_head.0");
  t.linear("unembed.W_U", "mlp_head.1.weight");
  t.vector("unembed.b_U", "mlp_head.1.bias");
  return t;
}

}  // namespace

Family family_vit_pytorch() {
  return {"vit_pytorch", {"vit-pytorch", "vit-mnist"}, vit_pytorch, tensors_of_vit_pytorch};
}

}  // namespace limpid

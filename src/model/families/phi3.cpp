// Phi-3 (Abdin 2024): Llama with q, k and v in one tensor, gate and up in another.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_phi3(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  BlockOptions& block = a.stack.blocks[0];
  block.attention.bias = block.attention.out_bias = false;
  block.attention.window = c.size("sliding_window", 0);
  return a;
}

TensorTable tensors_of_phi3(const HubConfig&, const Architecture& a) {
  const AttentionOptions& o = a.stack.blocks[0].attention;
  const int64_t heads = o.heads, kv = o.kv_heads, all = heads + 2 * kv,
                wide = a.stack.blocks[0].feed_forward.width;
  TensorTable t = llama_tensors();
  const std::string joined = "layers.*.self_attn.qkv_proj", both = "layers.*.mlp.gate_up_proj";
  t.projection("attn", "Q", joined, {1, all, 0, heads, o.width});
  t.projection("attn", "K", joined, {1, all, heads, heads + kv, o.width});
  t.projection("attn", "V", joined, {1, all, heads + kv, all, o.width});
  t.projection("mlp", "in", both, {1, 2, 0, 1, wide});
  t.projection("mlp", "up", both, {1, 2, 1, 2, wide});
  return t;
}

}  // namespace

Family family_phi3() { return {"phi3", {}, architecture_of_phi3, tensors_of_phi3}; }

}  // namespace limpid

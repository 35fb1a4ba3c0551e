// Phi 1 and 2 (Li 2023): attention and feed-forward side by side behind one norm, a part of each head turned.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_phi(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  c.refuse("qk_layernorm");
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-5)};
  BlockOptions& block = a.stack.blocks[0];
  block.norm = norm;
  block.parallel = block.shared_norm = true;
  block.attention.bias = block.attention.out_bias = true;
  if (!c.has("partial_rotary_factor") && !c.has("rope_parameters"))
    block.attention.rotary.width = block.attention.width / 4 * 2;  // a half, the library's
  block.feed_forward = {c.size("intermediate_size"), c.activation("hidden_act", "gelu_new")};
  a.stack.final_norm = norm;
  a.head.bias = true;
  return a;
}

TensorTable tensors_of_phi(const HubConfig&, const Architecture&) {
  TensorTable t = llama_tensors();
  t.projection("attn", "O", "layers.*.self_attn.dense");
  t.projection("mlp", "in", "layers.*.mlp.fc1");
  t.projection("mlp", "out", "layers.*.mlp.fc2");
  t.norm("ln_final", "final_layernorm");
  return t;
}

}  // namespace

Family family_phi() { return {"phi", {}, architecture_of_phi, tensors_of_phi}; }

}  // namespace limpid

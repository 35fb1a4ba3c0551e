// StarCoder 2 (Lozhkov 2024): Llama's attention with layer norms, biases and a plain feed-forward layer.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_starcoder2(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  const bool bias = c.flag("use_bias", true);
  const NormOptions norm = {Norm::layer, c.real("norm_epsilon", 1e-5)};
  if (c.word("norm_type", "layer_norm") != "layer_norm")
    c.fail("'norm_type' is no layer_norm, which limpid expects here");
  BlockOptions& block = a.stack.blocks[0];
  block.norm = norm;
  block.attention.bias = block.attention.out_bias = bias;
  block.attention.window = c.size("sliding_window", 0);
  block.feed_forward = {c.size("intermediate_size"), c.activation("hidden_act", "gelu_pytorch_tanh"), false,
                        bias};
  a.stack.final_norm = norm;
  a.head.tied = c.flag("tie_word_embeddings", true);
  return a;
}

TensorTable tensors_of_starcoder2(const HubConfig&, const Architecture&) {
  TensorTable t = llama_tensors();
  t.projection("mlp", "in", "layers.*.mlp.c_fc");
  t.projection("mlp", "out", "layers.*.mlp.c_proj");
  return t;
}

}  // namespace

Family family_starcoder2() { return {"starcoder2", {}, architecture_of_starcoder2, tensors_of_starcoder2}; }

}  // namespace limpid

// OLMoE (Muennighoff 2024): Llama with a mixture of experts, whose weights are shares of a softmax over all
// of them, and a norm of queries and keys as whole rows.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_olmoe(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  BlockOptions& block = a.stack.blocks[0];
  c.refuse("clip_qkv");
  block.attention.query_key_norm = block.norm;
  block.attention.query_key_norm_joins_heads = true;
  block.feed_forward.experts = experts_of(c, 64);
  return a;
}

TensorTable tensors_of_olmoe(const HubConfig&, const Architecture&) {
  TensorTable t = llama_tensors();
  add_query_key_norms(t);
  t.experts_apart("layers.*.mlp.gate", "layers.*.mlp.experts", "gate_proj", "up_proj", "down_proj");
  return t;
}

}  // namespace

Family family_olmoe() { return {"olmoe", {}, architecture_of_olmoe, tensors_of_olmoe}; }

}  // namespace limpid

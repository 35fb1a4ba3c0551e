// Mixtral (Jiang 2024): Mistral with a mixture of experts in place of the feed-forward layer.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_mixtral(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  BlockOptions& block = a.stack.blocks[0];
  block.attention.window = c.size("sliding_window", 0);
  block.feed_forward.experts = {.count = c.size("num_local_experts", 8),
                                .chosen = c.size("num_experts_per_tok", 2)};
  return a;
}

TensorTable tensors_of_mixtral(const HubConfig&, const Architecture&) {
  TensorTable t = llama_tensors();
  t.experts_apart("layers.*.block_sparse_moe.gate", "layers.*.block_sparse_moe.experts", "w1", "w3", "w2");
  return t;
}

}  // namespace

Family family_mixtral() { return {"mixtral", {}, architecture_of_mixtral, tensors_of_mixtral}; }

}  // namespace limpid

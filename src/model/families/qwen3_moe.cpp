// Qwen 3's mixtures of experts (Yang 2025): Qwen 3, where all layers or some have experts.
#include <algorithm>

#include "model/families/family.h"

namespace limpid {

ExpertOptions experts_of(const HubConfig& c, int64_t experts) {
  return {.count = c.size("num_experts", c.size("num_local_experts", experts)),
          .chosen = c.size("num_experts_per_tok", 8),
          .share_of_all = !c.flag("norm_topk_prob", false)};
}

namespace {

Architecture architecture_of_qwen3_moe(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  BlockOptions block = a.stack.blocks[0];
  block.attention.query_key_norm = block.norm;
  if (c.flag("use_sliding_window", false)) block.attention.window = c.size("sliding_window", 4096);
  const int64_t every = std::max<int64_t>(c.size("decoder_sparse_step", 1), 1);
  const std::vector<int64_t> dense = c.integers("mlp_only_layers");
  std::vector<std::string> types;
  for (int64_t layer = 0; layer < a.stack.layers; ++layer) {
    const bool has_experts = (layer + 1) % every == 0 && std::count(dense.begin(), dense.end(), layer) == 0;
    types.emplace_back(has_experts ? "experts" : "dense");
  }
  a.stack.blocks.clear();
  set_blocks(a.stack, types, [&](const std::string& type) {
    BlockOptions made = block;
    if (type == "dense") return made;
    made.feed_forward.width = c.size("moe_intermediate_size");
    made.feed_forward.experts = experts_of(c, 128);
    return made;
  });
  return a;
}

TensorTable tensors_of_qwen3_moe(const HubConfig&, const Architecture&) {
  TensorTable t = llama_tensors();
  add_query_key_norms(t);
  t.experts_apart("layers.*.mlp.gate", "layers.*.mlp.experts", "gate_proj", "up_proj", "down_proj");
  return t;
}

}  // namespace

Family family_qwen3_moe() { return {"qwen3_moe", {}, architecture_of_qwen3_moe, tensors_of_qwen3_moe}; }

}  // namespace limpid

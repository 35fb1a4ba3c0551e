// OLMo 2 (OLMo 2024): Llama with norms of what attention and feed-forward give, and of queries and keys as
// whole rows.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_olmo2(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  BlockOptions& block = a.stack.blocks[0];
  block.norms = NormPlace::output;
  block.attention.query_key_norm = block.norm;
  block.attention.query_key_norm_joins_heads = true;
  return a;
}

TensorTable tensors_of_olmo2(const HubConfig&, const Architecture&) {
  TensorTable t = llama_tensors();
  std::erase_if(t.rules, [](const TensorRule& rule) {
    return rule.ours.starts_with("blocks.*.ln1") || rule.ours.starts_with("blocks.*.ln2");
  });
  t.norm("blocks.*.ln1", "layers.*.post_attention_layernorm");
  t.norm("blocks.*.ln2", "layers.*.post_feedforward_layernorm");
  add_query_key_norms(t);
  return t;
}

}  // namespace

Family family_olmo2() { return {"olmo2", {}, architecture_of_olmo2, tensors_of_olmo2}; }

}  // namespace limpid

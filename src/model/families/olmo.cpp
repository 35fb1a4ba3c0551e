// OLMo (Groeneveld 2024): Llama with layer norms that have neither gain nor bias; queries, keys and values
// may be clipped.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_olmo(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  const NormOptions norm = {.kind = Norm::layer, .epsilon = 1e-5, .bias = false, .gain = false};
  BlockOptions& block = a.stack.blocks[0];
  block.norm = norm;
  block.attention.clip = c.real("clip_qkv", 0);
  a.stack.final_norm = norm;
  return a;
}

TensorTable tensors_of_olmo(const HubConfig&, const Architecture&) { return llama_tensors(); }

}  // namespace

Family family_olmo() { return {"olmo", {}, architecture_of_olmo, tensors_of_olmo}; }

}  // namespace limpid

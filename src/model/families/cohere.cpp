// Command R (Cohere 2024): attention and feed-forward side by side behind one norm without bias, rotary pairs
// interleaved, scaled logits.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_cohere(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  c.refuse("use_qk_norm");  // of each head by gains of its own
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-5), false};
  BlockOptions& block = a.stack.blocks[0];
  block.norm = norm;
  block.parallel = block.shared_norm = true;
  block.attention.rotary.pairing = Pairing::interleaved;
  a.stack.final_norm = norm;
  a.head.tied = c.flag("tie_word_embeddings", true);
  a.head.scale = c.real("logit_scale", 0.0625);
  return a;
}

TensorTable tensors_of_cohere(const HubConfig&, const Architecture&) { return llama_tensors(); }

}  // namespace

Family family_cohere() { return {"cohere", {}, architecture_of_cohere, tensors_of_cohere}; }

}  // namespace limpid

// StableLM (Stability 2023): Llama with layer norms and a part of each head turned; side by side where asked
// for.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_stablelm(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  c.refuse("qk_layernorm");  // of each head by gains of its own
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-5)};
  BlockOptions& block = a.stack.blocks[0];
  block.norm = norm;
  block.parallel = block.shared_norm = c.flag("use_parallel_residual", false);
  block.attention.bias = c.flag("use_qkv_bias", false);
  block.attention.out_bias = false;
  if (!c.has("partial_rotary_factor") && !c.has("rope_parameters"))
    block.attention.rotary.width = block.attention.width / 8 * 2;  // a quarter, the library's
  a.stack.final_norm = norm;
  return a;
}

TensorTable tensors_of_stablelm(const HubConfig&, const Architecture&) { return llama_tensors(); }

}  // namespace

Family family_stablelm() { return {"stablelm", {}, architecture_of_stablelm, tensors_of_stablelm}; }

}  // namespace limpid

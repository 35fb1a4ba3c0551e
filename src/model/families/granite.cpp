// Granite (IBM 2024): Llama with a factor at the embedding, the scores, what layers add, and the logits.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_granite(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  a.inputs.scale = c.real("embedding_multiplier", 1);
  a.stack.blocks[0].attention.scale = c.real("attention_multiplier", 1);
  a.stack.blocks[0].residual_scale = c.real("residual_multiplier", 1);
  const double divisor = c.real("logits_scaling", 1);
  if (divisor == 0) c.fail("'logits_scaling' is 0, which nothing can be divided by");
  a.head.scale = 1 / divisor;
  return a;
}

TensorTable tensors_of_granite(const HubConfig&, const Architecture&) { return llama_tensors(); }

}  // namespace

Family family_granite() { return {"granite", {}, architecture_of_granite, tensors_of_granite}; }

}  // namespace limpid

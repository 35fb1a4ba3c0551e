// Mistral (Jiang 2023): Llama with a sliding window.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_mistral(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  a.stack.blocks[0].attention.window = c.size("sliding_window", 0);
  return a;
}

TensorTable tensors_of_mistral(const HubConfig&, const Architecture&) { return llama_tensors(); }

}  // namespace

Family family_mistral() { return {"mistral", {}, architecture_of_mistral, tensors_of_mistral}; }

}  // namespace limpid

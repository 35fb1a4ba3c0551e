// Qwen 3 (Yang 2025): Llama with a norm of every head's queries and keys.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_qwen3(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  BlockOptions block = a.stack.blocks[0];
  block.attention.query_key_norm = block.norm;
  const std::vector<std::string> types = layer_types(c);
  if (types.empty()) {
    a.stack.blocks = {block};
    return a;
  }
  a.stack.blocks.clear();
  set_blocks(a.stack, types, [&](const std::string& type) {
    BlockOptions made = block;
    if (type == "sliding_attention") made.attention.window = c.size("sliding_window", 0);
    return made;
  });
  return a;
}

TensorTable tensors_of_qwen3(const HubConfig&, const Architecture&) {
  TensorTable t = llama_tensors();
  add_query_key_norms(t);
  return t;
}

}  // namespace

Family family_qwen3() { return {"qwen3", {}, architecture_of_qwen3, tensors_of_qwen3}; }

}  // namespace limpid

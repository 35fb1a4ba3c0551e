// SmolLM 3 (Hugging Face 2025): Llama that leaves out the rotary positions in every fourth layer.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_smollm3(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  a.head.tied = c.flag("tie_word_embeddings", true);
  c.refuse("use_sliding_window");
  const BlockOptions block = a.stack.blocks[0];
  std::vector<std::string> types;
  if (c.has("no_rope_layers")) {
    for (int64_t turned : c.integers("no_rope_layers")) types.push_back(turned ? "rotary" : "none");
  } else {
    const int64_t every = c.size("no_rope_layer_interval", 4);
    for (int64_t layer = 0; layer < a.stack.layers; ++layer)
      types.push_back(every > 0 && (layer + 1) % every == 0 ? "none" : "rotary");
  }
  a.stack.blocks.clear();
  set_blocks(a.stack, types, [&](const std::string& type) {
    BlockOptions made = block;
    if (type == "none") made.attention.positions = Positions::none;
    return made;
  });
  return a;
}

TensorTable tensors_of_smollm3(const HubConfig&, const Architecture&) { return llama_tensors(); }

}  // namespace

Family family_smollm3() { return {"smollm3", {}, architecture_of_smollm3, tensors_of_smollm3}; }

}  // namespace limpid

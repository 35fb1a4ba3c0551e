// Qwen 2 (Yang 2024): Llama with biases of queries, keys and values, and windows in some layers.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_qwen2(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  BlockOptions block = a.stack.blocks[0];
  block.attention.bias = true;
  block.attention.out_bias = false;
  std::vector<std::string> types = layer_types(c);
  if (types.empty()) {  // older files: windows from max_window_layers on, where they are used
    const int64_t first = c.size("max_window_layers", a.stack.layers);
    for (int64_t layer = 0; layer < a.stack.layers; ++layer)
      types.push_back(c.flag("use_sliding_window", false) && layer >= first ? "sliding_attention"
                                                                            : "full_attention");
  }
  a.stack.blocks.clear();
  set_blocks(a.stack, types, [&](const std::string& type) {
    BlockOptions made = block;
    if (type == "sliding_attention") made.attention.window = c.size("sliding_window", 0);
    return made;
  });
  return a;
}

TensorTable tensors_of_qwen2(const HubConfig&, const Architecture&) { return llama_tensors(); }

}  // namespace

Family family_qwen2() { return {"qwen2", {}, architecture_of_qwen2, tensors_of_qwen2}; }

}  // namespace limpid

// Gemma 1, 2 and 3 (text): gains that are stored less 1, a scaled embedding, and from the second on norms
// before and after, caps, windows in every other layer, and another rotary base there.
#include <algorithm>
#include <cmath>

#include "model/families/family.h"

namespace limpid {

namespace {

Architecture gemma(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  a.inputs.scale = static_cast<double>(static_cast<float>(std::sqrt(static_cast<double>(a.inputs.width))));
  a.head.tied = c.flag("tie_word_embeddings", true);
  BlockOptions& block = a.stack.blocks[0];
  block.feed_forward.activation =
      c.activation(c.has("hidden_activation") ? "hidden_activation" : "hidden_act", "gelu_pytorch_tanh");
  c.refuse("use_bidirectional_attention");
  return a;
}

// What the second and the third have: norms around, windows by the layer's kind.
Architecture with_windows(const HubConfig& c, Architecture a, std::vector<std::string> types, int64_t every) {
  BlockOptions block = a.stack.blocks[0];
  block.norms = NormPlace::both;
  block.attention.scale = 1 / std::sqrt(c.real("query_pre_attn_scalar", 256));
  block.attention.softcap = c.real("attn_logit_softcapping", 0);
  a.head.softcap = c.real("final_logit_softcapping", 0);
  if (types.empty())
    for (int64_t layer = 0; layer < a.stack.layers; ++layer)
      types.push_back((layer + 1) % std::max<int64_t>(every, 1) != 0 ? "sliding_attention"
                                                                     : "full_attention");
  a.stack.blocks.clear();
  set_blocks(a.stack, types, [&](const std::string& type) {
    BlockOptions made = block;
    made.attention.rotary = rotary_of(c, made.attention.width, type);
    if (type == "sliding_attention") {
      made.attention.window = c.size("sliding_window", 4096);
      if (c.has("rope_local_base_freq"))  // older files of the third
        made.attention.rotary = {made.attention.rotary.width, c.real("rope_local_base_freq", 10000)};
    }
    return made;
  });
  return a;
}

Architecture gemma2(const HubConfig& c) { return with_windows(c, gemma(c), layer_types(c), 2); }

Architecture gemma3(const HubConfig& c) {
  Architecture a = gemma(c);
  a.stack.blocks[0].attention.query_key_norm = a.stack.blocks[0].norm;
  return with_windows(c, std::move(a), layer_types(c),
                      c.size("sliding_window_pattern", c.size("_sliding_window_pattern", 6)));
}

TensorTable tensors_of_gemma(const HubConfig&, const Architecture& a) {
  TensorTable t = llama_tensors();
  std::erase_if(t.rules, [](const TensorRule& rule) { return rule.ours.find(".ln2") != std::string::npos; });
  if (a.stack.blocks[0].norms == NormPlace::both) {
    t.norm("blocks.*.ln1_post", "layers.*.post_attention_layernorm");
    t.norm("blocks.*.ln2", "layers.*.pre_feedforward_layernorm");
    t.norm("blocks.*.ln2_post", "layers.*.post_feedforward_layernorm");
  } else {
    t.norm("blocks.*.ln2", "layers.*.post_attention_layernorm");
  }
  add_query_key_norms(t);
  for (TensorRule& rule : t.rules)
    if (rule.ours.ends_with(".w")) rule.offset = 1;
  return t;
}

}  // namespace

Family family_gemma() { return {"gemma", {}, gemma, tensors_of_gemma}; }
Family family_gemma2() { return {"gemma2", {}, gemma2, tensors_of_gemma}; }
Family family_gemma3() { return {"gemma3_text", {}, gemma3, tensors_of_gemma}; }

}  // namespace limpid

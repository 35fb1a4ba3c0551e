// gpt-oss (OpenAI 2025): Llama's order with a mixture of experts in place of the feed-forward layer, sinks
// beside the keys, windows in every other layer.
#include "model/families/family.h"

namespace limpid {

namespace {

RotaryOptions rotary_of_gpt_oss(const HubConfig& c, int64_t head_width) {
  const bool scaled_here = c.has("rope_parameters") || c.has("rope_scaling");
  const bool has_base =
      c.has("rope_theta") || (c.has("rope_parameters") && c.at("rope_parameters").has("rope_theta"));
  if (scaled_here && !has_base) c.fail("'rope_theta' is missing");
  if (scaled_here) return rotary_of(c, head_width);
  return scaled({head_width, c.real("rope_theta", 150000), Pairing::halves},
                {.kind = RotaryScaling::yarn, .factor = 32, .original_context = 4096, .truncate = false});
}

Architecture architecture_of_gpt_oss(const HubConfig& c) {
  Architecture a = llama_architecture(c);
  BlockOptions block = a.stack.blocks[0];
  AttentionOptions& attention = block.attention;
  attention.width = c.size("head_dim", 64);
  attention.bias = attention.out_bias = c.flag("attention_bias", true);
  attention.sinks = true;
  attention.rotary = rotary_of_gpt_oss(c, attention.width);
  block.feed_forward.bias = true;
  block.feed_forward.clamped = {c.real("swiglu_limit", 7), c.real("swiglu_alpha", 1.702)};
  block.feed_forward.experts = {.count = c.size("num_local_experts", 128),
                                .chosen = c.size("num_experts_per_tok", c.size("experts_per_token", 4)),
                                .router_bias = true};
  std::vector<std::string> types = layer_types(c);
  if (types.empty()) types = {"sliding_attention", "full_attention"};  // in turn
  a.stack.blocks.clear();
  set_blocks(a.stack, types, [&](const std::string& type) {
    BlockOptions made = block;
    if (type == "sliding_attention") made.attention.window = c.size("sliding_window", 128);
    return made;
  });
  return a;
}

// Gate and up stand side by side, number by number.
TensorTable tensors_of_gpt_oss(const HubConfig&, const Architecture& a) {
  const int64_t wide = a.stack.blocks[0].feed_forward.width;
  const Part gate = {wide, 2, 0, 1, 1}, up = {wide, 2, 1, 2, 1};
  TensorTable t = llama_tensors();
  t.table("blocks.*.attn.sinks", "layers.*.self_attn.sinks");
  t.projection("mlp", "router", "layers.*.mlp.router");
  const std::string ours = "blocks.*.mlp.experts.", theirs = "layers.*.mlp.experts.";
  const auto experts = [&](const std::string& name, const std::string& of, Part part) {
    t.add({ours + "W_" + name, theirs + of + "_blocks", TensorRule::Layout::mxfp4_experts, part});
    t.experts(ours + "W_" + name, theirs + of, part);
    t.experts(ours + "b_" + name, theirs + of + "_bias", part);
  };
  experts("in", "gate_up_proj", gate);
  experts("up", "gate_up_proj", up);
  experts("out", "down_proj", {});
  return t;
}

}  // namespace

Family family_gpt_oss() { return {"gpt_oss", {}, architecture_of_gpt_oss, tensors_of_gpt_oss}; }

}  // namespace limpid

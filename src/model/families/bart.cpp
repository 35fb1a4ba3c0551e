// BART (Lewis 2020) and mBART (Liu 2020), and what the encoder-decoders after them share: Vaswani's network
// with learned positions and a norm behind the embedding.
#include <cmath>

#include "model/families/family.h"

namespace limpid {

namespace {

constexpr int64_t k_bart_unused_positions = 2;

void add_bart_attention(TensorTable& t, const std::string& here, const std::string& theirs) {
  const std::pair<const char*, const char*> all[] = {
      {"Q", "q_proj"}, {"K", "k_proj"}, {"V", "v_proj"}, {"O", "out_proj"}};
  for (const auto& [name, project] : all) {
    t.linear(here + ".W_" + name, theirs + "." + project + ".weight");
    t.vector(here + ".b_" + name, theirs + "." + project + ".bias");
  }
}

void add_bart_stack(TensorTable& t, const std::string& ours, const std::string& theirs) {
  const std::string block = ours + "blocks.*.", layer = theirs + "layers.*.";
  t.table(ours + "pos_embed.W_pos", theirs + "embed_positions.weight", k_bart_unused_positions);
  t.norm(ours + "ln_embed", theirs + "layernorm_embedding");
  add_bart_attention(t, block + "attn", layer + "self_attn");
  t.norm(block + "ln1", layer + "self_attn_layer_norm");
  add_bart_attention(t, block + "cross_attn", layer + "encoder_attn");
  t.norm(block + "ln_cross", layer + "encoder_attn_layer_norm");
  for (const auto& [name, theirs_too] : {std::pair{"in", "fc1"}, {"out", "fc2"}}) {
    t.linear(block + "mlp.W_" + name, layer + theirs_too + ".weight");
    t.vector(block + "mlp.b_" + name, layer + theirs_too + ".bias");
  }
  t.norm(block + "ln2", layer + "final_layer_norm");
  t.norm(ours + "ln_final", theirs + "layer_norm");
}

BlockOptions block_of_bart(const HubConfig& c, const std::string& side, Mask mask, NormPlace place) {
  BlockOptions block =
      block_of(c.size("d_model", 1024), c.size(side + "_attention_heads", 16), {}, mask, true);
  block.norms = place;
  block.feed_forward = {c.size(side + "_ffn_dim", 4096), c.activation("activation_function", "gelu")};
  return block;
}

Architecture architecture_of_bart(const HubConfig& c) { return bart_architecture(c, NormPlace::after); }

// The same with norms before, and one behind each stack.
Architecture architecture_of_mbart(const HubConfig& c) { return bart_architecture(c, NormPlace::before); }

}  // namespace

Architecture bart_architecture(const HubConfig& c, NormPlace place) {
  const int64_t width = c.size("d_model", 1024);
  TokenInputs inputs = {.vocabulary = c.size("vocab_size"),
                        .width = width,
                        .scale = c.flag("scale_embedding", false) ? std::sqrt(static_cast<double>(width)) : 1,
                        .positions = Positions::learned,
                        .context = c.size("max_position_embeddings", 1024),
                        .norm = NormOptions{}};
  Architecture a;
  a.inputs = inputs;
  inputs.vocabulary = 0;
  const BlockOptions reads = block_of_bart(c, "encoder", Mask::none, place);
  BlockOptions writes = block_of_bart(c, "decoder", Mask::causal, place);
  writes.cross = writes.attention;
  writes.cross->mask = Mask::none;
  a.encoder = Encoder{inputs, {.layers = c.layers("encoder_layers"), .blocks = {reads}}};
  a.stack = {.layers = c.layers("decoder_layers"), .blocks = {writes}};
  if (place == NormPlace::before) a.encoder->stack.final_norm = a.stack.final_norm = reads.norm;
  a.head.tied = c.flag("tie_word_embeddings", true);
  a.head.bias = true;
  const bool writes_text = c.is_for("ForConditionalGeneration") || c.is_for("MTModel");
  if (!writes_text) a.head.kind = Head::none;
  if (!writes_text && !c.is_for("Model")) {
    c.fail(join(
        "'architectures' names '", c.architecture(),
        "', expected a model that writes text (ForConditionalGeneration) or one without a head (Model)"));
  }
  return a;
}

TensorTable bart_tensors() {
  TensorTable t;
  t.prefixes = {"model.", ""};
  t.table("embed.W_E", "shared.weight");
  t.table("embed.W_E", "decoder.embed_tokens.weight");
  t.table("encoder.embed.W_E", "encoder.embed_tokens.weight");
  add_bart_stack(t, "encoder.", "encoder.");
  add_bart_stack(t, "", "decoder.");
  t.linear("unembed.W_U", "lm_head.weight");
  t.table("unembed.b_U", "final_logits_bias");
  t.ignored.insert(t.ignored.end(), {"*shared.weight", "*encoder.embed_tokens.weight",
                                     "*decoder.embed_tokens.weight", "lm_head.weight", "final_logits_bias",
                                     "*embed_positions.weight", "*embed_positions.weights", "*.version"});
  return t;
}

namespace {
TensorTable tensors_of_bart(const HubConfig&, const Architecture&) { return bart_tensors(); }
}  // namespace

Family family_bart() { return {"bart", {}, architecture_of_bart, tensors_of_bart}; }
Family family_mbart() { return {"mbart", {}, architecture_of_mbart, tensors_of_bart}; }

}  // namespace limpid

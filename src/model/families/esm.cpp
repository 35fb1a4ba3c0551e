// ESM-2 (Lin 2022), of proteins: a pre-norm encoder with rotary positions.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_esm(const HubConfig& c) {
  const int64_t width = c.size("hidden_size"), heads = c.size("num_attention_heads");
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-12)};
  if (c.word("position_embedding_type", "absolute") != "rotary")
    c.fail("'position_embedding_type' is not rotary (ESM-1), which limpid has no part for");
  c.refuse("emb_layer_norm_before");
  c.refuse("is_folding_model");
  c.refuse("token_dropout");  // scales every embedding by how many tokens are masked
  BlockOptions block = block_of(width, heads, norm, Mask::none, true);
  block.attention.positions = Positions::rotary;
  block.attention.rotary = {block.attention.width, 10000};
  block.feed_forward = {c.size("intermediate_size"), Activation::gelu};
  Architecture a;
  a.inputs = {
      .vocabulary = c.size("vocab_size"), .width = width, .context = c.size("max_position_embeddings", 1026)};
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}, .final_norm = norm};
  a.head.kind = Head::none;
  if (c.is_for("ForMaskedLM"))
    a.head = {.kind = Head::masked_word,
              .tied = c.flag("tie_word_embeddings", true),
              .bias = true,
              .transform = true,
              .transform_norm = norm};
  return a;
}

TensorTable tensors_of_esm(const HubConfig&, const Architecture&) {
  TensorTable t = bert_tensors("esm.");
  std::erase_if(t.rules, [](const TensorRule& rule) { return rule.ours.find(".ln") != std::string::npos; });
  t.norm("blocks.*.ln1", "encoder.layer.*.attention.LayerNorm");
  t.norm("blocks.*.ln2", "encoder.layer.*.LayerNorm");
  t.norm("ln_final", "encoder.emb_layer_norm_after");
  t.of_words = true;
  t.linear("head.W", "lm_head.dense.weight");
  t.vector("head.b", "lm_head.dense.bias");
  t.norm("ln_head", "lm_head.layer_norm");
  t.linear("unembed.W_U", "lm_head.decoder.weight");
  t.vector("unembed.b_U", "lm_head.bias");
  t.of_words = false;
  t.ignored.insert(t.ignored.end(),
                   {"*contact_head.*", "*embeddings.position_embeddings.weight", "lm_head.*"});
  return t;
}

}  // namespace

Family family_esm() { return {"esm", {}, architecture_of_esm, tensors_of_esm}; }

}  // namespace limpid

// ESM-2 (Lin 2022) and ESM-1b (Rives 2019), of proteins: a pre-norm encoder with rotary or learned positions,
// whose inputs make up for masked tokens.
#include "model/families/family.h"

namespace limpid {

namespace {

constexpr double k_trained_share = 0.15 * 0.8;  // of tokens, masked in training: of all ESM models

int64_t mask_token_of(const HubConfig& c) {
  if (!c.has("mask_token_id")) c.fail("'token_dropout' is true, but 'mask_token_id' is missing");
  return c.size("mask_token_id", 0);
}

Architecture architecture_of_esm(const HubConfig& c) {
  const int64_t width = c.size("hidden_size"), heads = c.size("num_attention_heads");
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-12)};
  const std::string positions = c.word("position_embedding_type", "absolute");
  if (positions != "rotary" && positions != "absolute")
    c.fail(join("'position_embedding_type' is '", positions, "', expected rotary or absolute"));
  c.refuse("is_folding_model");
  BlockOptions block = block_of(width, heads, norm, Mask::none, true);
  if (positions == "rotary") {
    block.attention.positions = Positions::rotary;
    block.attention.rotary = {block.attention.width, 10000};
  }
  block.feed_forward = {c.size("intermediate_size"), Activation::gelu};
  Architecture a;
  a.inputs = {
      .vocabulary = c.size("vocab_size"), .width = width, .context = c.size("max_position_embeddings", 1026)};
  if (positions == "absolute") {
    a.inputs.positions = Positions::learned;
    a.inputs.context -= roberta_unused_positions(c);
  }
  if (c.flag("emb_layer_norm_before", false)) a.inputs.norm = norm;
  if (c.flag("token_dropout", false)) a.inputs.token_dropout = {mask_token_of(c), k_trained_share};
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}, .final_norm = norm};
  a.head = encoder_head(c, norm, Activation::gelu, Activation::tanh);
  if (c.is_for("ForMaskedLM"))
    a.head = {.kind = Head::masked_word,
              .tied = c.flag("tie_word_embeddings", true),
              .bias = true,
              .transform = true,
              .transform_norm = norm};
  return a;
}

TensorTable tensors_of_esm(const HubConfig& c, const Architecture&) {
  TensorTable t = bert_tensors("esm.");
  std::erase_if(t.rules, [](const TensorRule& rule) {
    return rule.ours.find(".ln") != std::string::npos || rule.theirs.starts_with("pooler.");
  });
  for (TensorRule& rule : t.rules)
    if (rule.ours == "pos_embed.W_pos") rule.skip_rows = roberta_unused_positions(c);
  t.norm("ln_embed", "embeddings.layer_norm");
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
  t.linear("head.W", "classifier.dense.weight");
  t.vector("head.b", "classifier.dense.bias");
  t.linear("unembed.W_U", "classifier.out_proj.weight");
  t.vector("unembed.b_U", "classifier.out_proj.bias");
  t.ignored.insert(t.ignored.end(),
                   {"*contact_head.*", "*embeddings.position_embeddings.weight", "lm_head.*"});
  return t;
}

}  // namespace

Family family_esm() { return {"esm", {}, architecture_of_esm, tensors_of_esm}; }

}  // namespace limpid

// MPNet (Song 2020): BERT without token types, with one relative bias that every layer adds.
#include "model/families/family.h"

namespace limpid {

namespace {

int64_t unused_positions(const HubConfig& c) { return c.size("pad_token_id", 1) + 1; }

Architecture architecture(const HubConfig& c) {
  Architecture a = bert_architecture(c);
  a.inputs.token_types = 0;
  a.inputs.context -= unused_positions(c);
  AttentionOptions& attention = a.stack.blocks[0].attention;
  attention.positions = Positions::relative_bias;
  attention.buckets = c.size("relative_attention_num_buckets", 32);
  attention.bias_table = "relative_attention_bias";
  return a;
}

TensorTable tensors(const HubConfig& c, const Architecture&) {
  TensorTable t = bert_tensors("mpnet.");
  for (TensorRule& rule : t.rules)
    if (rule.ours == "pos_embed.W_pos") rule.skip_rows = unused_positions(c);
  t.projection("attn", "Q", "encoder.layer.*.attention.attn.q");
  t.projection("attn", "K", "encoder.layer.*.attention.attn.k");
  t.projection("attn", "V", "encoder.layer.*.attention.attn.v");
  t.projection("attn", "O", "encoder.layer.*.attention.attn.o");
  t.norm("blocks.*.ln1", "encoder.layer.*.attention.LayerNorm");
  t.table("relative_attention_bias", "encoder.relative_attention_bias.weight");
  t.linear("head.W", "lm_head.dense.weight");
  t.vector("head.b", "lm_head.dense.bias");
  t.norm("ln_head", "lm_head.layer_norm");
  t.linear("unembed.W_U", "lm_head.decoder.weight");
  t.vector("unembed.b_U", "lm_head.bias");
  t.linear("head.W", "classifier.dense.weight");
  t.vector("head.b", "classifier.dense.bias");
  t.linear("unembed.W_U", "classifier.out_proj.weight");
  t.vector("unembed.b_U", "classifier.out_proj.bias");
  t.ignored.push_back("lm_head.*");
  return t;
}

}  // namespace

Family family_mpnet() { return {"mpnet", {}, architecture, tensors}; }

}  // namespace limpid

// MPNet (Song 2020): BERT without token types, with one relative bias that every layer adds.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_mpnet(const HubConfig& c) {
  Architecture a = bert_architecture(c);
  a.inputs.token_types = 0;
  a.inputs.context -= roberta_unused_positions(c);
  AttentionOptions& attention = a.stack.blocks[0].attention;
  attention.positions = Positions::relative_bias;
  attention.buckets = c.size("relative_attention_num_buckets", 32);
  attention.bias_table = "relative_attention_bias";
  return a;
}

TensorTable tensors_of_mpnet(const HubConfig& c, const Architecture&) {
  TensorTable t = bert_tensors("mpnet.");
  t.projection("attn", "Q", "encoder.layer.*.attention.attn.q");
  t.projection("attn", "K", "encoder.layer.*.attention.attn.k");
  t.projection("attn", "V", "encoder.layer.*.attention.attn.v");
  t.projection("attn", "O", "encoder.layer.*.attention.attn.o");
  t.norm("blocks.*.ln1", "encoder.layer.*.attention.LayerNorm");
  t.table("relative_attention_bias", "encoder.relative_attention_bias.weight");
  add_roberta_names(t, c);
  return t;
}

}  // namespace

Family family_mpnet() { return {"mpnet", {}, architecture_of_mpnet, tensors_of_mpnet}; }

}  // namespace limpid

// ALBERT (Lan 2019): a narrow embedding, and one block that every layer shares.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_albert(const HubConfig& c) {
  Architecture a = bert_architecture(c);
  if (c.size("num_hidden_groups", 1) != 1 || c.size("inner_group_num", 1) != 1)
    c.fail("'num_hidden_groups' or 'inner_group_num' is more than 1, which limpid has no part for");
  a.inputs.embedding_width = c.size("embedding_size", 128);
  a.inputs.projects_sum = true;
  a.stack.shared = true;
  return a;
}

TensorTable tensors_of_albert(const HubConfig&, const Architecture&) {
  TensorTable t;
  const std::string layer = "encoder.albert_layer_groups.0.albert_layers.0.";
  t.prefixes = {"albert.", ""};
  t.table("embed.W_E", "embeddings.word_embeddings.weight");
  t.table("pos_embed.W_pos", "embeddings.position_embeddings.weight");
  t.table("token_type_embed.W_type", "embeddings.token_type_embeddings.weight");
  t.norm("ln_embed", "embeddings.LayerNorm");
  t.linear("embed.W_proj", "encoder.embedding_hidden_mapping_in.weight");
  t.vector("embed.b_proj", "encoder.embedding_hidden_mapping_in.bias");
  t.projection("attn", "Q", layer + "attention.query");
  t.projection("attn", "K", layer + "attention.key");
  t.projection("attn", "V", layer + "attention.value");
  t.projection("attn", "O", layer + "attention.dense");
  t.norm("blocks.*.ln1", layer + "attention.LayerNorm");
  t.projection("mlp", "in", layer + "ffn");
  t.projection("mlp", "out", layer + "ffn_output");
  t.norm("blocks.*.ln2", layer + "full_layer_layer_norm");
  t.of_words = true;
  t.linear("head.W", "predictions.dense.weight");
  t.vector("head.b", "predictions.dense.bias");
  t.norm("ln_head", "predictions.LayerNorm");
  t.linear("unembed.W_U", "predictions.decoder.weight");
  t.vector("unembed.b_U", "predictions.bias");
  t.of_words = false;
  t.linear("head.W", "pooler.weight");
  t.vector("head.b", "pooler.bias");
  t.linear("unembed.W_U", "classifier.weight");
  t.vector("unembed.b_U", "classifier.bias");
  t.ignored.insert(t.ignored.end(), {"*pooler.*", "sop_classifier.*", "predictions.*"});
  return t;
}

}  // namespace

Family family_albert() { return {"albert", {}, architecture_of_albert, tensors_of_albert}; }

}  // namespace limpid

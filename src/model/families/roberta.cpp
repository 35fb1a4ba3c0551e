// RoBERTa (Liu 2019) and XLM-RoBERTa: BERT whose positions count from pad id + 1, with heads of other names.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_roberta(const HubConfig& c) {
  Architecture a = bert_architecture(c);
  a.inputs.context -= roberta_unused_positions(c);
  return a;
}

TensorTable tensors_of_roberta(const HubConfig& c, const Architecture&) {
  TensorTable t = bert_tensors("roberta.");
  add_roberta_names(t, c);
  return t;
}

}  // namespace

int64_t roberta_unused_positions(const HubConfig& c) { return c.size("pad_token_id", 1) + 1; }

void add_roberta_names(TensorTable& t, const HubConfig& c) {
  for (TensorRule& rule : t.rules)
    if (rule.ours == "pos_embed.W_pos") rule.skip_rows = roberta_unused_positions(c);
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
  t.ignored.push_back("lm_head.*");
}

Family family_roberta() {
  return {"roberta", {"xlm-roberta", "camembert"}, architecture_of_roberta, tensors_of_roberta};
}

}  // namespace limpid

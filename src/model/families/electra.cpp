// ELECTRA (Clark 2020): BERT with a narrow embedding, trained to tell which tokens were replaced.
#include "model/families/family.h"

namespace limpid {

namespace {

Architecture architecture_of_electra(const HubConfig& c) {
  Architecture a = bert_architecture(c);
  a.inputs.embedding_width = c.size("embedding_size", a.inputs.width);
  a.inputs.projects_sum = true;
  if (c.is_for("ForPreTraining")) {
    a.head = {.kind = Head::token_classes,
              .bias = true,
              .transform = true,
              .activation = c.activation("hidden_act", "gelu"),
              .outputs = 1};
  } else if (c.is_for("ForMaskedLM")) {
    a.head.activation = Activation::gelu;
  } else if (c.is_for("ForSequenceClassification")) {
    a.head.activation = Activation::gelu;
  }
  return a;
}

TensorTable tensors_of_electra(const HubConfig&, const Architecture&) {
  TensorTable t = bert_tensors("electra.");
  t.linear("embed.W_proj", "embeddings_project.weight");
  t.vector("embed.b_proj", "embeddings_project.bias");
  t.linear("head.W", "discriminator_predictions.dense.weight");
  t.vector("head.b", "discriminator_predictions.dense.bias");
  t.linear("unembed.W_U", "discriminator_predictions.dense_prediction.weight");
  t.vector("unembed.b_U", "discriminator_predictions.dense_prediction.bias");
  t.of_words = true;
  t.linear("head.W", "generator_predictions.dense.weight");
  t.vector("head.b", "generator_predictions.dense.bias");
  t.norm("ln_head", "generator_predictions.LayerNorm");
  t.vector("unembed.b_U", "generator_lm_head.bias");
  t.of_words = false;
  t.linear("head.W", "classifier.dense.weight");
  t.vector("head.b", "classifier.dense.bias");
  t.linear("unembed.W_U", "classifier.out_proj.weight");
  t.vector("unembed.b_U", "classifier.out_proj.bias");
  t.ignored.insert(t.ignored.end(), {"discriminator_predictions.*", "generator_*"});
  return t;
}

}  // namespace

Family family_electra() { return {"electra", {}, architecture_of_electra, tensors_of_electra}; }

}  // namespace limpid

// BERT (Devlin 2018) and what its descendants share.
#include <algorithm>

#include "model/families/family.h"

namespace limpid {

namespace {

TensorTable tensors_of_bert(const HubConfig&, const Architecture&) { return bert_tensors("bert."); }

// A class of somebody's own around BERT (AntiBERTy's): the head that predicts hidden words is the one that
// all of BERT's checkpoints were pretrained with.
std::string class_of_bert(const std::vector<std::string>& names) {
  const bool predicts_words =
      std::count(names.begin(), names.end(), "cls.predictions.bias") > 0 &&
      std::count(names.begin(), names.end(), "cls.predictions.transform.dense.weight") > 0;
  return predicts_words ? "BertForMaskedLM" : "";
}

const char* class_of(Head head) {
  switch (head) {
    case Head::masked_word:
      return "BertForMaskedLM";
    case Head::classes:
      return "BertForSequenceClassification";
    case Head::token_classes:
      return "BertForTokenClassification";
    default:
      return "BertModel";
  }
}

Json config_of_bert(const Architecture& a) {
  const BlockOptions& block = a.stack.blocks[0];
  return {{"architectures", {class_of(a.head.kind)}},
          {"model_type", "bert"},
          {"vocab_size", a.inputs.vocabulary},
          {"max_position_embeddings", a.inputs.context},
          {"type_vocab_size", a.inputs.token_types},
          {"hidden_size", a.inputs.width},
          {"intermediate_size", block.feed_forward.width},
          {"num_hidden_layers", a.stack.layers},
          {"num_attention_heads", block.attention.heads},
          {"hidden_act", hub_name(block.feed_forward.activation)},
          {"layer_norm_eps", block.norm.epsilon},
          {"num_labels", a.head.outputs},
          {"tie_word_embeddings", a.head.tied}};
}

}  // namespace

HeadOptions encoder_head(const HubConfig& c, const NormOptions& norm, Activation words, Activation classes) {
  HeadOptions head;
  head.kind = Head::none;
  if (c.is_for("ForMaskedLM") || c.is_for("ForPreTraining")) {
    head.kind = Head::masked_word;
    head.tied = c.flag("tie_word_embeddings", true);
    head.bias = head.transform = true;
    head.activation = words;
    head.transform_norm = norm;
  } else if (c.is_for("ForSequenceClassification")) {
    head.kind = Head::classes;
    head.bias = head.transform = true;
    head.activation = classes;
    head.outputs = c.classes();
  } else if (c.is_for("ForTokenClassification")) {
    head.kind = Head::token_classes;
    head.bias = true;
    head.outputs = c.classes();
  }
  return head;
}

Architecture bert_architecture(const HubConfig& c) {
  const int64_t width = c.size("hidden_size"), heads = c.size("num_attention_heads");
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-12)};
  const std::string positions = c.word("position_embedding_type", "absolute");
  if (positions != "absolute")
    c.fail(join("'position_embedding_type' is '", positions, "', which limpid has no part for"));
  c.refuse("is_decoder");
  c.refuse("add_cross_attention");
  BlockOptions block = block_of(width, heads, norm, Mask::none, true);
  block.norms = NormPlace::after;
  block.feed_forward = {c.size("intermediate_size"), c.activation("hidden_act", "gelu")};
  Architecture a;
  a.inputs = {.vocabulary = c.size("vocab_size"),
              .width = width,
              .positions = Positions::learned,
              .context = c.size("max_position_embeddings", 512),
              .token_types = c.size("type_vocab_size", 2),
              .norm = norm};
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}};
  a.head = encoder_head(c, norm, block.feed_forward.activation, Activation::tanh);
  return a;
}

TensorTable bert_tensors(const std::string& name) {
  TensorTable t;
  t.prefixes = {name, ""};
  t.table("embed.W_E", "embeddings.word_embeddings.weight");
  t.table("pos_embed.W_pos", "embeddings.position_embeddings.weight");
  t.table("token_type_embed.W_type", "embeddings.token_type_embeddings.weight");
  t.norm("ln_embed", "embeddings.LayerNorm");
  t.projection("attn", "Q", "encoder.layer.*.attention.self.query");
  t.projection("attn", "K", "encoder.layer.*.attention.self.key");
  t.projection("attn", "V", "encoder.layer.*.attention.self.value");
  t.projection("attn", "O", "encoder.layer.*.attention.output.dense");
  t.norm("blocks.*.ln1", "encoder.layer.*.attention.output.LayerNorm");
  t.projection("mlp", "in", "encoder.layer.*.intermediate.dense");
  t.projection("mlp", "out", "encoder.layer.*.output.dense");
  t.norm("blocks.*.ln2", "encoder.layer.*.output.LayerNorm");
  t.of_words = true;
  t.linear("head.W", "cls.predictions.transform.dense.weight");
  t.vector("head.b", "cls.predictions.transform.dense.bias");
  t.norm("ln_head", "cls.predictions.transform.LayerNorm");
  t.linear("unembed.W_U", "cls.predictions.decoder.weight");
  t.vector("unembed.b_U", "cls.predictions.bias");
  t.of_words = false;
  t.linear("head.W", "pooler.dense.weight");
  t.vector("head.b", "pooler.dense.bias");
  t.linear("unembed.W_U", "classifier.weight");
  t.vector("unembed.b_U", "classifier.bias");
  t.ignored.insert(t.ignored.end(),
                   {"*pooler.dense.*", "cls.seq_relationship.*", "cls.predictions.*", "classifier.*"});
  return t;
}

Family family_bert() {
  return {"bert", {}, bert_architecture, tensors_of_bert, class_of_bert, false, config_of_bert};
}

}  // namespace limpid

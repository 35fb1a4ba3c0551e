// DeBERTa-v2 and -v3 (He 2020, 2021): BERT with disentangled attention, in which what a token is and how far
// away another stands are compared apart.
#include <algorithm>
#include <cctype>
#include <cmath>

#include "model/families/family.h"

namespace limpid {

namespace {

// A list, or one text: "p2c|c2p".
std::vector<std::string> parts_of(const HubConfig& c, const std::string& key) {
  if (c.has(key) && !c.json().at(key).is_string()) return c.words(key);
  std::vector<std::string> parts(1);
  for (const char letter : c.word(key, "")) {
    if (letter == '|')
      parts.emplace_back();
    else if (letter != ' ')
      parts.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  std::erase(parts, "");
  return parts;
}

// A size, where 0 or less stands for none.
int64_t size_or_none(const HubConfig& c, const std::string& key) {
  if (c.has(key) && c.json().at(key).is_number() && c.real(key, 0) <= 0) return 0;
  return c.has(key) ? c.size(key) : 0;
}

bool has_term(const HubConfig& c, const char* term) {
  const std::vector<std::string> terms = parts_of(c, "pos_att_type");
  for (const std::string& each : terms)
    if (each != "c2p" && each != "p2c")
      c.fail(join("'pos_att_type' names '", each, "', expected c2p and p2c"));
  return std::count(terms.begin(), terms.end(), term) > 0;
}

void set_positions(const HubConfig& c, const NormOptions& norm, AttentionOptions& attention) {
  DisentangledOptions d;
  d.content_to_position = has_term(c, "c2p");
  d.position_to_content = has_term(c, "p2c");
  // Scores are divided so whether the terms are there or not.
  const int terms = 1 + int{d.content_to_position} + int{d.position_to_content};
  attention.scale = 1 / std::sqrt(static_cast<double>(terms * attention.width));
  if (!c.flag("relative_attention", false) || terms == 1) return;
  attention.positions = Positions::disentangled;
  attention.scale = 0;  // as these positions have it
  d.shared = c.flag("share_att_key", false);
  const int64_t furthest = size_or_none(c, "max_relative_positions");
  d.buckets.max_distance = furthest ? furthest : c.size("max_position_embeddings", 512);
  d.buckets.buckets = size_or_none(c, "position_buckets");
  d.buckets.span = d.buckets.buckets ? d.buckets.buckets : d.buckets.max_distance;
  for (const std::string& each : parts_of(c, "norm_rel_ebd")) {
    if (each == "layer_norm")
      d.norm = norm;
    else if (each != "none")
      c.fail(join("'norm_rel_ebd' names '", each, "', expected layer_norm or none"));
  }
  attention.disentangled = d;
}

// Two forms: "cls.predictions", which came first, and "lm_predictions", which the published models have;
// where a file holds both, config.json's "legacy" says which.
bool has_newer_words(const HubConfig& c) {
  const bool legacy = c.flag("legacy", true);
  if (!c.holds("lm_predictions.lm_head.dense.weight", !legacy)) return false;
  return !(legacy && c.has("legacy") && c.holds("cls.predictions.transform.dense.weight", false));
}

Architecture architecture_of_deberta_v2(const HubConfig& c) {
  const int64_t width = c.size("hidden_size"), heads = c.size("num_attention_heads");
  const NormOptions norm = {Norm::layer, c.real("layer_norm_eps", 1e-7)};
  if (c.size("pooler_hidden_size", width) != width)
    c.fail(join("'pooler_hidden_size' is not ", width, ", the hidden_size, which limpid has no part for"));
  BlockOptions block = block_of(width, heads, norm, Mask::none, true);
  block.norms = NormPlace::after;
  block.feed_forward = {c.size("intermediate_size"), c.activation("hidden_act", "gelu")};
  block.attention.width = c.size("attention_head_size", block.attention.width);
  set_positions(c, norm, block.attention);
  Architecture a;
  const bool placed = c.flag("position_biased_input", true);
  a.inputs = {.vocabulary = c.size("vocab_size"),
              .width = width,
              .embedding_width = c.size("embedding_size", width),
              .projects_sum = true,
              .projection_bias = false,
              .positions = placed ? Positions::learned : Positions::none,
              .context = c.size("max_position_embeddings", 512),
              .token_types = size_or_none(c, "type_vocab_size"),
              .norm = norm,
              .norm_after_projection = true};
  a.stack = {.layers = c.layers("num_hidden_layers"), .blocks = {block}};
  if (const int64_t size = size_or_none(c, "conv_kernel_size")) {
    if (size % 2 == 0) c.fail(join("'conv_kernel_size' is ", size, ", expected an odd number"));
    if (c.size("conv_groups", 1) != 1) c.fail("'conv_groups' is more than 1, which limpid has no part for");
    a.stack.convolution = {size, c.activation("conv_act", "tanh"), norm};
  }
  a.head = encoder_head(c, norm, block.feed_forward.activation, c.activation("pooler_hidden_act", "gelu"));
  if (a.head.kind == Head::masked_word && has_newer_words(c)) {
    a.head.tied = true;
    if (a.inputs.embedding_width != width)
      c.fail(join("'embedding_size' is ", a.inputs.embedding_width, ", expected ", width,
                  ", the hidden_size, of a model whose 'legacy' is false"));
  }
  return a;
}

TensorTable tensors_of_deberta_v2(const HubConfig& c, const Architecture& a) {
  TensorTable t = bert_tensors("deberta.");
  const std::string self = "encoder.layer.*.attention.self.";
  t.projection("attn", "Q", self + "query_proj");
  t.projection("attn", "K", self + "key_proj");
  t.projection("attn", "V", self + "value_proj");
  t.projection("attn", "Q_pos", self + "pos_query_proj");
  t.projection("attn", "K_pos", self + "pos_key_proj");
  t.table("rel_embed.W_rel", "encoder.rel_embeddings.weight");
  t.norm("ln_rel", "encoder.LayerNorm");
  t.linear("blocks.0.conv.W", "encoder.conv.conv.weight");
  t.vector("blocks.0.conv.b", "encoder.conv.conv.bias");
  t.norm("blocks.0.conv.ln", "encoder.conv.LayerNorm");
  t.linear("embed.W_proj", "embeddings.embed_proj.weight");
  t.of_words = true;
  if (has_newer_words(c)) std::erase_if(t.rules, [](const TensorRule& rule) { return rule.of_words; });
  t.linear("head.W", "lm_predictions.lm_head.dense.weight");
  t.vector("head.b", "lm_predictions.lm_head.dense.bias");
  t.norm("ln_head", "lm_predictions.lm_head.LayerNorm");
  t.vector("unembed.b_U", "lm_predictions.lm_head.bias");
  if (!a.head.tied)  // then the decoder has a bias of its own too
    t.rules.insert(
        t.rules.begin(),
        {"unembed.b_U", "cls.predictions.decoder.bias", TensorRule::Layout::vector, {}, 0, 0, true});
  t.of_words = false;
  t.ignored.insert(t.ignored.end(),
                   {"lm_predictions.*", "*mask_predictions.*", "*embeddings.position_embeddings.weight"});
  if (a.stack.blocks[0].attention.positions != Positions::disentangled)  // then nothing reads these
    t.ignored.insert(t.ignored.end(), {"*encoder.rel_embeddings.weight", "*encoder.LayerNorm.*"});
  return t;
}

// Published folders name no class: they hold the head of hidden words.
std::string class_of_deberta_v2(const std::vector<std::string>& names) {
  const auto holds = [&](const char* name) { return std::count(names.begin(), names.end(), name) > 0; };
  const bool predicts_words =
      holds("lm_predictions.lm_head.dense.weight") ||
      (holds("cls.predictions.transform.dense.weight") && holds("cls.predictions.bias"));
  return predicts_words ? "DebertaV2ForMaskedLM" : "";
}

}  // namespace

Family family_deberta_v2() {
  return {"deberta-v2", {}, architecture_of_deberta_v2, tensors_of_deberta_v2, class_of_deberta_v2};
}

}  // namespace limpid

#include "text/formats/tokenizer_json.h"

#include "core/label.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

const Json k_null;

JsonValue stage(const JsonValue& document, const std::string& key) {
  return document.has(key) ? document.at(key) : JsonValue(k_null, document.source(), key);
}

std::vector<AddedToken> read_added(const JsonValue& list, const Vocabulary& vocabulary,
                                   const Normalizer* normalizer) {
  std::vector<AddedToken> tokens;
  if (list.json().is_null()) return tokens;
  const int64_t greatest = Vocabulary::greatest_id(static_cast<size_t>(vocabulary.size()) + list.size());
  list.each_item([&](const JsonValue& v) {
    AddedToken token;
    token.content = v.at("content").text();
    token.id = v.at("id").integer(0, greatest);
    if (const auto known = vocabulary.id(token.content)) token.id = *known;  // as Hugging Face does
    if (token.content.empty()) return;
    token.special = boolean_or(v, "special", false);
    token.single_word = boolean_or(v, "single_word", false);
    token.left_strip = boolean_or(v, "lstrip", false);
    token.right_strip = boolean_or(v, "rstrip", false);
    token.normalized = boolean_or(v, "normalized", !token.special);
    const bool verbatim = boolean_or(v, "verbatim", false);
    token.match = token.content;
    if (token.normalized && normalizer != nullptr && !verbatim) {
      token.match = normalizer->apply({token.content, 0}).text();
    }
    tokens.push_back(std::move(token));
  });
  return tokens;
}

void check_ids(const PostProcessing& post, int64_t vocabulary, const JsonSource& source) {
  for (const auto* parts : {&post.single, &post.pair}) {
    for (const TemplatePart& part : *parts) {
      for (const int64_t id : part.ids) {
        if (id >= vocabulary) {
          source.fail("post_processor adds the token ", id, ", expected an id below ", vocabulary);
        }
      }
    }
  }
}

using Slot = std::optional<int64_t> SpecialIds::*;
constexpr std::pair<const char*, Slot> k_slots[] = {{"bos", &SpecialIds::bos},  {"eos", &SpecialIds::eos},
                                                    {"unk", &SpecialIds::unk},  {"sep", &SpecialIds::sep},
                                                    {"pad", &SpecialIds::pad},  {"cls", &SpecialIds::cls},
                                                    {"mask", &SpecialIds::mask}};

std::string own_json(const Json& document, const SpecialIds& special) {
  Json ids = Json::object();
  for (const auto& [name, slot] : k_slots) {
    if (special.*slot) ids[name] = *(special.*slot);
  }
  return join("{\"kind\":\"pipeline\",\"special_ids\":", ids.dump(), ",\"tokenizer\":", document.dump(), "}");
}

}  // namespace

bool has_value(const JsonValue& object, const std::string& key) {
  return object.has(key) && !object.at(key).json().is_null();
}
bool boolean_or(const JsonValue& object, const std::string& key, bool otherwise) {
  return has_value(object, key) ? object.at(key).boolean() : otherwise;
}
std::string text_or(const JsonValue& object, const std::string& key, std::string otherwise) {
  return has_value(object, key) ? object.at(key).text() : std::move(otherwise);
}

PatternText read_pattern(const JsonValue& v) {
  if (v.json().is_string()) return {false, v.text()};
  if (v.has("String")) return {false, v.at("String").text()};
  if (v.has("Regex")) return {true, v.at("Regex").text()};
  v.unexpected("{\"String\": ...} or {\"Regex\": ...}");
}

std::unique_ptr<Tokenizer> pipeline_from_json(const Json& json, const JsonSource& source,
                                              const SpecialIds& known) {
  const JsonValue document(json, source);
  document.require_object();
  PipelineParts parts;
  parts.normalizer = read_normalizer(stage(document, "normalizer"));
  const JsonValue cuts = stage(document, "pre_tokenizer"), model = document.at("model");
  parts.of_bytes = model_type(model) == "BPE" && ends_in_byte_level(cuts);
  parts.pre_tokenizer = read_pre_tokenizer(cuts, !parts.of_bytes);
  SpecialIds special;
  parts.model = read_model(model, parts.of_bytes, special);
  parts.post = read_post_processor(stage(document, "post_processor"), special);
  parts.decoder = read_decoder(stage(document, "decoder"));
  parts.token_text = token_text(stage(document, "decoder"));
  if (has_value(document, "language_code")) {
    const JsonValue code = document.at("language_code");
    parts.language_code = {code.at("begin").text(), code.at("end").text()};
    if (parts.language_code->first.empty() || parts.language_code->second.empty())
      code.unexpected("a begin and an end that are not empty");
  }
  const JsonValue added = stage(document, "added_tokens");
  try {
    parts.added = AddedTokens(read_added(added, parts.model->vocabulary(), parts.normalizer.get()));
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with("added token")) added.source().fail(error.what());
    throw;
  }
  // A tokenizer.json names no roles: the mask is known by what BERT's and RoBERTa's descendants call it.
  for (const char* name : {"[MASK]", "<mask>"})
    if (const AddedToken* token = parts.added.by_content(name); token && token->special && !special.mask)
      special.mask = token->id;
  int64_t size = parts.model->vocabulary().size();
  for (const AddedToken& token : parts.added.all()) size = std::max(size, token.id + 1);
  if (size == 0) source.fail("it has no token at all");
  check_ids(parts.post, size, source);
  for (const auto& [name, slot] : k_slots) {
    if (known.*slot) special.*slot = known.*slot;
    if (special.*slot && *(special.*slot) >= size) {
      source.fail("its ", name, " token is ", *(special.*slot), ", expected an id below ", size);
    }
  }
  parts.special_ids = special;
  parts.json = own_json(json, special);
  return pipeline_tokenizer(std::move(parts));
}

std::unique_ptr<Tokenizer> pipeline_from_own_json(const Json& json, const JsonSource& source) {
  const JsonValue document(json, source);
  SpecialIds special;
  if (document.has("special_ids")) {
    const JsonValue ids = document.at("special_ids");
    for (const auto& [name, slot] : k_slots) {
      if (ids.has(name)) special.*slot = ids.at(name).integer(0, INT32_MAX);
    }
  }
  return pipeline_from_json(document.at("tokenizer").json(), source, special);
}

}  // namespace limpid::text

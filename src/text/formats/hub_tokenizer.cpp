// limpid's own kinds of tokenizers, and loaded ones, as a tokenizer.json of Hugging Face.
#include "core/json.h"
#include "limpid/text.h"
#include "text/pipeline/byte_alphabet.h"

namespace limpid {
namespace {

// Byte pair encoding over bytes, with these names for the first 256 tokens.
Json byte_level(const Tokenizer& tokenizer, const std::vector<std::pair<int64_t, int64_t>>& merges,
                int64_t plain, bool cuts_words) {
  const text::ByteAlphabet& letters = text::ByteAlphabet::get();
  const auto written = [&](int64_t id) { return letters.written(tokenizer.token_bytes(id)); };
  Json vocab = Json::object(), pairs = Json::array();
  for (int64_t id = 0; id < plain; ++id) vocab[written(id)] = id;
  for (const auto& [left, right] : merges) pairs.push_back(Json::array({written(left), written(right)}));
  const Json level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", cuts_words}};
  return {{"pre_tokenizer", level},
          {"decoder", level},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", std::move(vocab)},
            {"merges", std::move(pairs)}}}};
}

Json characters(const Json& own) {
  Json vocab = Json::object();
  for (size_t i = 0; i < own["characters"].size(); ++i) vocab[own["characters"][i].get<std::string>()] = i;
  // One code point, a line feed too.
  return {{"pre_tokenizer",
           {{"type", "Split"},
            {"pattern", {{"Regex", "[\\s\\S]"}}},
            {"behavior", "Isolated"},
            {"invert", false}}},
          {"decoder", {{"type", "Fuse"}}},
          {"model", {{"type", "WordLevel"}, {"vocab", std::move(vocab)}, {"unk_token", "<unk>"}}}};
}

// What limpid alone reads in a document that it made of another file.
bool is_own(const Json& value) {
  if (value.is_object()) {
    if (value.contains("verbatim") || (value.contains("type") && value["type"] == "SentencePiece"))
      return true;
    for (const auto& [key, each] : value.items())
      if (key != "vocab" && key != "merges" && is_own(each)) return true;
  }
  if (value.is_array())
    for (const Json& each : value)
      if (is_own(each)) return true;
  return false;
}

// The keys that Hugging Face's reader asks for, and ours does not.
void complete(Json& value) {
  if (value.is_array())
    for (Json& each : value) complete(each);
  if (!value.is_object()) return;
  const auto add = [](Json& to, const char* key, Json otherwise) {
    if (!to.contains(key)) to[key] = std::move(otherwise);
  };
  if (value.contains("added_tokens"))
    for (Json& token : value["added_tokens"])
      for (const char* key : {"single_word", "lstrip", "rstrip", "normalized", "special"})
        add(token, key, false);
  if (value.contains("type") && value["type"] == "Split") add(value, "invert", false);
  if (value.contains("type") && value["type"] == "ByteLevel") {
    add(value, "add_prefix_space", true);
    add(value, "trim_offsets", true);
    add(value, "use_regex", true);
  }
  for (auto& [key, each] : value.items())
    if (key != "vocab" && key != "merges") complete(each);
}

// A list of pieces, which our reader takes too, as each piece with its place.
void number_pieces(Json& model) {
  if (!model["vocab"].is_array() || (model.contains("type") && model["type"] == "Unigram")) return;
  Json vocab = Json::object();
  for (size_t id = 0; id < model["vocab"].size(); ++id) vocab[model["vocab"][id].get<std::string>()] = id;
  model["vocab"] = std::move(vocab);
}

}  // namespace

std::optional<std::string> hub_tokenizer_json(const Tokenizer& tokenizer) {
  const Json own = Json::parse(tokenizer.to_json());
  const std::string kind = own["kind"];  // how it is written, not what its model is
  if (kind == "pipeline") {
    Json document = own["tokenizer"];
    if (is_own(document)) return std::nullopt;
    for (const char* key :
         {"truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder"})
      if (!document.contains(key)) document[key] = nullptr;
    complete(document);
    number_pieces(document["model"]);
    return document.dump();
  }
  Json document = {{"version", "1.0"},      {"truncation", nullptr},
                   {"padding", nullptr},    {"added_tokens", Json::array()},
                   {"normalizer", nullptr}, {"post_processor", nullptr}};
  if (kind == "bytes") {
    document.update(byte_level(tokenizer, {}, 256, false));
  } else if (kind == "bpe") {
    const auto merges = own["merges"].get<std::vector<std::pair<int64_t, int64_t>>>();
    const auto plain = static_cast<int64_t>(256 + merges.size());
    const auto count = static_cast<int64_t>(own["special"].size());
    document.update(byte_level(tokenizer, merges, plain, true));
    for (int64_t id = plain; id < plain + count; ++id) {
      if (!own["special"][static_cast<size_t>(id - plain)].is_string())
        return std::nullopt;  // bytes that are no text
      document["added_tokens"].push_back({{"id", id},
                                          {"content", tokenizer.token_bytes(id)},
                                          {"single_word", false},
                                          {"lstrip", false},
                                          {"rstrip", false},
                                          {"normalized", false},
                                          {"special", true}});
    }
  } else if (kind == "characters") {
    document.update(characters(own));
  } else {
    return std::nullopt;
  }
  return document.dump();
}

}  // namespace limpid

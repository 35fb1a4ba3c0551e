// The "model" of tokenizer.json.
#include <cmath>

#include "core/label.h"
#include "text/formats/tokenizer_json.h"

namespace limpid::text {
namespace {

// {"a": 0, "b": 1}; of limpid's own documents also ["a", "b"], where null is a hole.
Vocabulary read_vocabulary(const JsonValue& v) {
  std::vector<std::pair<std::string, int64_t>> entries;
  entries.reserve(v.json().size());
  if (v.json().is_array()) {
    int64_t id = 0;
    v.each_item([&](const JsonValue& piece) {
      if (!piece.json().is_null()) entries.emplace_back(piece.text(), id);
      ++id;
    });
    return Vocabulary(std::move(entries));
  }
  v.each_entry([&](const std::string& piece, const JsonValue& id) {
    entries.emplace_back(piece, id.integer(0, INT32_MAX));
  });
  return Vocabulary(std::move(entries));
}

// "a b", or ["a", "b"].
std::vector<std::pair<std::string, std::string>> read_merges(const JsonValue& v) {
  std::vector<std::pair<std::string, std::string>> merges;
  merges.reserve(v.size());
  v.each_item([&](const JsonValue& merge) {
    if (merge.json().is_array()) {
      if (merge.size() != 2) merge.fail("has ", merge.size(), " tokens, expected 2");
      std::string left = merge.at(size_t{0}).text();
      merges.emplace_back(std::move(left), merge.at(size_t{1}).text());
      return;
    }
    const std::string line = merge.text();
    const size_t blank = line.find(' ');
    if (blank == line.npos || line.find(' ', blank + 1) != line.npos) {
      merge.unexpected("two tokens with one blank between");
    }
    merges.emplace_back(line.substr(0, blank), line.substr(blank + 1));
  });
  return merges;
}

double read_score(const JsonValue& v) { return v.json().is_null() ? std::nan("") : v.real(); }

std::unique_ptr<TokenModel> read_bpe(const JsonValue& v, bool of_bytes, SpecialIds& special) {
  BpeModelParts parts;
  parts.vocabulary = read_vocabulary(v.at("vocab"));
  if (has_value(v, "scores")) {
    v.at("scores").each_item([&](const JsonValue& score) { parts.scores.push_back(read_score(score)); });
    if (parts.scores.empty()) v.at("scores").unexpected("a score for each token");
  } else {
    parts.merges = read_merges(v.at("merges"));
  }
  if (has_value(v, "unk_token")) {
    parts.unk = v.at("unk_token").text();
    special.unk = parts.vocabulary.id(*parts.unk);
  }
  parts.continuing_prefix = text_or(v, "continuing_subword_prefix", "");
  parts.word_suffix = text_or(v, "end_of_word_suffix", "");
  parts.fuse_unk = boolean_or(v, "fuse_unk", false);
  parts.byte_fallback = boolean_or(v, "byte_fallback", false);
  parts.ignore_merges = boolean_or(v, "ignore_merges", false);
  parts.of_bytes = of_bytes;
  return bpe_model(std::move(parts));
}

std::unique_ptr<TokenModel> read_wordpiece(const JsonValue& v, SpecialIds& special) {
  WordPieceParts parts;
  parts.vocabulary = read_vocabulary(v.at("vocab"));
  parts.unk = text_or(v, "unk_token", "[UNK]");
  special.unk = parts.vocabulary.id(parts.unk);
  parts.continuing_prefix = text_or(v, "continuing_subword_prefix", "##");
  if (has_value(v, "max_input_chars_per_word")) {
    parts.longest_word = static_cast<size_t>(v.at("max_input_chars_per_word").integer(0, INT32_MAX));
  }
  return wordpiece_model(std::move(parts));
}

std::unique_ptr<TokenModel> read_unigram(const JsonValue& v, SpecialIds& special) {
  UnigramParts parts;
  std::vector<std::pair<std::string, int64_t>> entries;
  v.at("vocab").each_item([&](const JsonValue& entry) {
    if (!entry.json().is_array() || entry.size() != 2) entry.unexpected("[piece, score]");
    entries.emplace_back(entry.at(size_t{0}).text(), static_cast<int64_t>(entries.size()));
    parts.scores.push_back(read_score(entry.at(size_t{1})));
  });
  parts.vocabulary = Vocabulary(std::move(entries));
  if (has_value(v, "unk_id")) {
    parts.unk =
        static_cast<uint32_t>(v.at("unk_id").integer(0, std::max<int64_t>(parts.vocabulary.size() - 1, 0)));
    special.unk = *parts.unk;
  }
  parts.byte_fallback = boolean_or(v, "byte_fallback", false);
  parts.in_float = boolean_or(v, "float", false);
  if (has_value(v, "least_score")) parts.least_score = v.at("least_score").real();
  return unigram_model(std::move(parts));
}

std::unique_ptr<TokenModel> read_word_level(const JsonValue& v, SpecialIds& special) {
  Vocabulary vocabulary = read_vocabulary(v.at("vocab"));
  std::optional<std::string> unk;
  if (has_value(v, "unk_token")) unk = v.at("unk_token").text();
  if (unk) special.unk = vocabulary.id(*unk);
  return word_level_model(std::move(vocabulary), std::move(unk));
}

std::unique_ptr<TokenModel> read_numbers(const JsonValue& v, std::unique_ptr<TokenModel> pieces,
                                         SpecialIds& special) {
  RenumberedParts parts;
  parts.pieces = std::move(pieces);
  if (special.unk) parts.pieces_unk = static_cast<uint32_t>(*special.unk);
  parts.numbers = read_vocabulary(v.at("numbers"));
  parts.unk = v.at("unknown").text();
  special.unk = parts.numbers.id(parts.unk);
  return renumbered_model(std::move(parts));
}

}  // namespace

std::string model_type(const JsonValue& v) {
  v.require_object();
  if (has_value(v, "type")) return v.at("type").text();
  if (v.has("merges") || v.has("scores")) return "BPE";
  if (v.has("unk_id") || (v.has("vocab") && v.at("vocab").json().is_array())) return "Unigram";
  if (v.has("continuing_subword_prefix") || v.has("max_input_chars_per_word")) return "WordPiece";
  if (v.has("vocab")) return "WordLevel";
  v.fail("says no \"type\" and has no \"vocab\"");
}

std::unique_ptr<TokenModel> read_model(const JsonValue& v, bool of_bytes, SpecialIds& special) {
  const std::string type = model_type(v);
  try {
    std::unique_ptr<TokenModel> model;
    if (type == "BPE") model = read_bpe(v, of_bytes, special);
    if (type == "WordPiece") model = read_wordpiece(v, special);
    if (type == "Unigram") model = read_unigram(v, special);
    if (type == "WordLevel") model = read_word_level(v, special);
    if (model && has_value(v, "numbers")) model = read_numbers(v, std::move(model), special);
    if (model) return model;
  } catch (const Error& error) {
    const std::string message = error.what();
    if (!v.source().name.empty() && message.starts_with(v.source().name)) throw;  // it says where already
    if (message.starts_with("model.")) throw;
    v.source().fail("model: ", message);
  }
  v.at("type").unexpected("BPE, WordPiece, Unigram or WordLevel");
}

}  // namespace limpid::text

// The tokenizer that a GGUF file holds (ggml-org/ggml, docs/gguf.md, "Tokenizer").
#include <algorithm>
#include <cmath>

#include "core/label.h"
#include "text/formats/base64.h"
#include "text/formats/document.h"
#include "text/formats/tokenizer_json.h"
#include "text/utf8.h"

namespace limpid {
namespace {

using namespace text;

PieceType type_of(const GgufTokenizerParts& parts, size_t id) {
  if (parts.types.empty()) return PieceType::normal;
  const int32_t type = parts.types[id];
  if (type < 0 || type > 6) fail_work("token ", id, " has type ", type, ", expected 1 to 6");
  return type == 0 ? PieceType::normal : static_cast<PieceType>(type);
}

void check_lengths(const GgufTokenizerParts& parts) {
  const size_t count = parts.tokens.size();
  if (count == 0) fail_work("it has no tokens");
  if (!parts.types.empty() && parts.types.size() != count) {
    fail_work(parts.types.size(), " token types for ", count, " tokens");
  }
  if (!parts.scores.empty() && parts.scores.size() != count) {
    fail_work(parts.scores.size(), " scores for ", count, " tokens");
  }
  for (size_t id = 0; id < count; ++id) {
    if (!is_valid_utf8(parts.tokens[id]))
      fail_work("token ", id, " is ", in_quotes(parts.tokens[id]), ", expected UTF-8");
  }
  const SpecialIds& s = parts.special;
  for (const auto& id : {s.bos, s.eos, s.unk, s.sep, s.pad, s.cls, s.mask}) {
    if (id && (*id < 0 || *id >= static_cast<int64_t>(count))) {
      fail_work("a special token is ", *id, ", expected 0 to ", count - 1);
    }
  }
}

std::vector<Piece> pieces_of(const GgufTokenizerParts& parts) {
  if (parts.scores.empty())
    fail_work("it has no scores, which a tokenizer of the kind ", parts.model, " needs");
  std::vector<Piece> pieces;
  for (size_t id = 0; id < parts.tokens.size(); ++id) {
    pieces.push_back({parts.tokens[id], parts.scores[id], type_of(parts, id)});
  }
  return pieces;
}

Json sentencepiece_document(const GgufTokenizerParts& parts) {
  const bool unigram = parts.model == "t5";
  const bool prefix = parts.add_space_prefix.value_or(true);
  PieceOptions options;
  options.unigram = unigram;
  options.byte_fallback = !unigram;
  options.user_defined_verbatim = false;  // llama.cpp looks for them in the text as it is given
  options.normalizer =
      sentencepiece_normalizer_json(prefix, parts.remove_extra_whitespaces.value_or(unigram));
  if (!parts.precompiled_charsmap.empty()) {
    options.normalizer["precompiled_charsmap"] = to_base64(parts.precompiled_charsmap);
  }
  options.strips_first = prefix;
  options.special = parts.special;
  const std::vector<Piece> pieces = pieces_of(parts);
  for (size_t id = 0; !options.special.unk && id < pieces.size(); ++id) {
    if (pieces[id].type == PieceType::unknown) options.special.unk = static_cast<int64_t>(id);
  }
  options.add_bos = parts.add_bos.value_or(!unigram);
  options.add_eos = parts.add_eos.value_or(unigram);
  return pieces_document(pieces, options);
}

Json added_of(const GgufTokenizerParts& parts) {
  Json added = Json::array();
  for (size_t id = 0; id < parts.tokens.size(); ++id) {
    const PieceType type = type_of(parts, id);
    const bool special = type == PieceType::control || type == PieceType::unknown;
    if (!special && type != PieceType::user_defined) continue;
    if (!parts.tokens[id].empty())
      added.push_back(added_token(parts.tokens[id], static_cast<int64_t>(id), special));
  }
  return added;
}

Json byte_level_document(const GgufTokenizerParts& parts) {
  const std::string pre = parts.pre.empty() ? "default" : parts.pre;
  const std::vector<std::string> expressions = known_expressions(pre);
  if (expressions.empty()) {
    fail_work("tokenizer.ggml.pre is ", in_quotes(pre), ", expected one of ", known_expression_names());
  }
  const bool llama3 = expressions == known_expressions("llama-bpe");
  Json merges = Json::array();
  for (const std::string& merge : parts.merges) {
    if (!is_valid_utf8(merge))
      fail_work("merge ", merges.size(), " is ", in_quotes(merge), ", expected UTF-8");
    merges.push_back(merge);
  }
  const bool bos = parts.add_bos.value_or(llama3), eos = parts.add_eos.value_or(false);
  return {
      {"added_tokens", added_of(parts)},
      {"pre_tokenizer", byte_level_cuts(expressions)},
      {"post_processor",
       around_template(bos ? parts.special.bos : std::nullopt, eos ? parts.special.eos : std::nullopt)},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model",
       {{"type", "BPE"}, {"vocab", parts.tokens}, {"merges", std::move(merges)}, {"ignore_merges", llama3}}}};
}

// In GGUF the beginning of a word is marked ("▁play"), in vocab.txt what continues one is ("##ing").
std::vector<std::string> bert_tokens(const GgufTokenizerParts& parts) {
  const bool marked = std::any_of(parts.tokens.begin(), parts.tokens.end(),
                                  [](const std::string& token) { return token.starts_with(k_blank_mark); });
  if (!marked) return parts.tokens;
  std::vector<std::string> tokens;
  for (const std::string& token : parts.tokens) {
    const bool bracketed = token.starts_with('[') && token.ends_with(']') && token.size() > 2;
    if (token.starts_with(k_blank_mark)) {
      tokens.push_back(token.substr(k_blank_mark.size()));
    } else {
      tokens.push_back(bracketed ? token : "##" + token);
    }
  }
  return tokens;
}

Json bert_document(const GgufTokenizerParts& parts, SpecialIds& ids) {
  Json added = added_of(parts);
  const std::vector<std::string> tokens = bert_tokens(parts);
  const auto id_of = [&](const char* name) -> std::optional<int64_t> {
    const auto found = std::find(tokens.begin(), tokens.end(), name);
    return found == tokens.end() ? std::nullopt : std::optional<int64_t>(found - tokens.begin());
  };
  if (!ids.cls) ids.cls = ids.bos ? ids.bos : id_of("[CLS]");
  if (!ids.sep) ids.sep = ids.eos ? ids.eos : id_of("[SEP]");
  if (!ids.unk) ids.unk = id_of("[UNK]");
  if (!ids.mask) ids.mask = id_of("[MASK]");
  if (!ids.unk) fail_work("it names no unknown token and has no [UNK]");
  Json document = {
      {"added_tokens", std::move(added)},
      {"normalizer", {{"type", "BertNormalizer"}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"decoder", {{"type", "WordPiece"}}},
      {"model",
       {{"type", "WordPiece"}, {"vocab", tokens}, {"unk_token", tokens[static_cast<size_t>(*ids.unk)]}}}};
  if (ids.cls && ids.sep && parts.add_bos.value_or(true))
    document["post_processor"] = bert_template(*ids.cls, *ids.sep);
  return document;
}

}  // namespace

std::unique_ptr<Tokenizer> gguf_tokenizer(const GgufTokenizerParts& parts, const std::string& name) {
  const JsonSource source{name};
  try {
    check_lengths(parts);
    SpecialIds ids = parts.special;
    Json document;
    if (parts.model == "llama" || parts.model == "t5") {
      document = sentencepiece_document(parts);
    } else if (parts.model == "gpt2") {
      document = byte_level_document(parts);
    } else if (parts.model == "bert") {
      document = bert_document(parts, ids);
    } else {
      fail_work("tokenizer.ggml.model is ", in_quotes(parts.model), ", expected llama, gpt2, bert or t5");
    }
    return pipeline_from_json(document, source, ids);
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with(name)) throw;
    source.fail(error.what());
  }
}

}  // namespace limpid

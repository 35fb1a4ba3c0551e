// Building a tokenizer.json document from what older formats hold: every tokenizer then goes one way.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "limpid/text.h"

namespace limpid::text {

/// Of a SentencePiece model or a GGUF file: what a piece is.
enum class PieceType { normal = 1, unknown, control, user_defined, unused, byte };

struct Piece {
  std::string text;
  double score = 0;
  PieceType type = PieceType::normal;
};

/// What surrounds the pieces.
struct PieceOptions {
  bool unigram = false, byte_fallback = false, user_defined_verbatim = true;
  Json normalizer;           // or null
  bool strips_first = true;  // the decoder takes one blank off the front
  bool strips_last = false;  // and off the end
  bool add_bos = false, add_eos = false;
  SpecialIds special;
  std::optional<double> least_score;  // unigram
};

/// SentencePiece's algorithms over a list of pieces, whose places are their ids.
Json pieces_document(const std::vector<Piece>& pieces, const PieceOptions& options);

Json sentencepiece_normalizer_json(bool add_dummy_prefix, bool remove_extra_whitespaces);
/// Splits by these expressions, one after another, then bytes.
Json byte_level_cuts(const std::vector<std::string>& expressions);
/// {"type": "ByteLevel"} with these.
Json byte_level_json(bool add_prefix_space, bool use_regex);
Json added_token(std::string_view content, int64_t id, bool special, bool normalized = false);
/// A template that puts these ids (those that are there) before and after each text.
Json around_template(std::optional<int64_t> before, std::optional<int64_t> after);
/// [CLS] A [SEP], [CLS] A [SEP] B [SEP]
Json bert_template(int64_t cls, int64_t sep);

/// GPT-2's expression and those of later models, by the name llama.cpp has for them ("gpt-2", "llama-bpe",
/// "qwen2"). Empty: no such name.
std::vector<std::string> known_expressions(std::string_view name);
std::string known_expression_names();

}  // namespace limpid::text

// A tokenizer made of stages: normalise, cut, encode, finish; and back.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "limpid/text.h"
#include "text/models/token_model.h"
#include "text/pipeline/added_tokens.h"
#include "text/pipeline/decoders.h"
#include "text/pipeline/normalizers.h"
#include "text/pipeline/post_processors.h"
#include "text/pipeline/pre_tokenizers.h"

namespace limpid::text {

/// What a token says by itself (Tokenizer::token_bytes).
enum class TokenText {
  as_written,  // "##ing"
  byte_level,  // GPT-2's characters are bytes
  marked,      // U+2581 is a blank, <0x0A> a byte
};

struct PipelineParts {
  std::unique_ptr<const Normalizer> normalizer;       // may be null
  std::unique_ptr<const PreTokenizer> pre_tokenizer;  // may be null
  std::unique_ptr<const TokenModel> model;
  AddedTokens added;
  PostProcessing post;
  std::unique_ptr<const Decoder> decoder;
  TokenText token_text = TokenText::as_written;
  bool of_bytes = false;  // the model takes raw bytes, and any text
  SpecialIds special_ids;
  /// What stands at a text's beginning between these two (">>" and "<<") is with them one token, be it the
  /// unknown one.
  std::optional<std::pair<std::string, std::string>> language_code;
  std::string json;  // what to_json gives
};

std::unique_ptr<Tokenizer> pipeline_tokenizer(PipelineParts parts);

}  // namespace limpid::text

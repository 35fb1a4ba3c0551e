// tokenizer.json of Hugging Face's tokenizers, and a few words of limpid's own in it for what other formats
// say:
//   normalizer  "SentencePiece"   SentencePiece's normaliser with its options
//   BPE         "scores"          instead of merges (BpeModelParts::scores); null: a piece that no text makes
//   Unigram     "float", "least_score"; a score that is null
//   model       "numbers": {"piece": id, ...}, "unknown": another vocabulary's ids (RenumberedParts)
//   "language_code": {"begin": ">>", "end": "<<"}   PipelineParts::language_code
//   added token "verbatim"        looked for after normalisation as it is written
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/json.h"
#include "limpid/text.h"
#include "text/pipeline/pipeline.h"

namespace limpid::text {

// ---- stages_json.cpp, models_json.cpp, ends_json.cpp: one stage each; a null value is no stage
std::unique_ptr<Normalizer> read_normalizer(const JsonValue&);
/// `map_bytes`: a ByteLevel that stands last writes bytes as characters.
std::unique_ptr<PreTokenizer> read_pre_tokenizer(const JsonValue&, bool map_bytes);
/// Whether the last stage is ByteLevel.
bool ends_in_byte_level(const JsonValue& pre_tokenizer);
std::unique_ptr<TokenModel> read_model(const JsonValue&, bool of_bytes, SpecialIds&);
/// The model's type, inferred where the file does not say it.
std::string model_type(const JsonValue& model);
PostProcessing read_post_processor(const JsonValue&, SpecialIds&);
std::unique_ptr<Decoder> read_decoder(const JsonValue&);
TokenText token_text(const JsonValue& decoder);

/// A string or regular expression: {"String": "a"}, {"Regex": "a+"}, "a".
struct PatternText {
  bool regex = false;
  std::string text;
};
PatternText read_pattern(const JsonValue&);

/// The value of a key that may be missing or null.
bool has_value(const JsonValue& object, const std::string& key);
bool boolean_or(const JsonValue& object, const std::string& key, bool otherwise);
std::string text_or(const JsonValue& object, const std::string& key, std::string otherwise);

/// What such a file describes.  `known` are special tokens that files beside it name.
std::unique_ptr<Tokenizer> pipeline_from_json(const Json& document, const JsonSource& source,
                                              const SpecialIds& known = {});
/// The document that to_json gave: {"kind": "pipeline", ...}.
std::unique_ptr<Tokenizer> pipeline_from_own_json(const Json& document, const JsonSource& source);

}  // namespace limpid::text

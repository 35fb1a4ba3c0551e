// The older formats of tokenizers.  Each reader takes a file's bytes and its name for messages.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "core/json.h"
#include "limpid/text.h"

namespace limpid::text {

/// What the JSON files beside a vocabulary say of it (tokenizer_config.json, special_tokens_map.json,
/// added_tokens.json, config.json).
struct SideFiles {
  Json config = Json::object();  // tokenizer_config.json
  Json special = Json::object();
  Json added = Json::object();
  std::string model_type;       // of config.json
  std::string tokenizer_class;  // of tokenizer_config.json, else of config.json

  static SideFiles of(const std::filesystem::path& folder);
  /// The first three objects as they are, and what `model`, the object of config.json, says.
  static SideFiles of(SideFiles objects, const Json& model);
  /// The token of a role ("bos"), or "" where no file names one.
  std::string token(const std::string& role) const;
  /// true, false, or nothing said.
  std::optional<bool> flag(const std::string& name) const;
  std::string text(const std::string& name) const;
  /// Every token that is added, special or not: entries of a tokenizer.json's added_tokens.  `id_of` knows
  /// the vocabulary.
  Json added_tokens(const std::function<std::optional<int64_t>(const std::string&)>& id_of) const;
  SpecialIds ids(const std::function<std::optional<int64_t>(const std::string&)>& id_of) const;
};

std::unique_ptr<Tokenizer> read_sentencepiece(std::string_view bytes, const std::string& name,
                                              const SideFiles& beside);
std::unique_ptr<Tokenizer> read_tiktoken(std::string_view bytes, const std::string& name,
                                         const SideFiles& beside);
/// A SentencePiece model and the vocab.json that numbers its pieces: what they hold, and their names for
/// messages.
struct NumberedFiles {
  std::string pieces, pieces_name;
  std::string numbers, numbers_name;
};
bool is_m2m_100(const SideFiles& beside);
std::unique_ptr<Tokenizer> read_m2m_100(const NumberedFiles&, const SideFiles& beside);
/// Marian (opus-mt): source.spm with vocab.json, or target.spm with target_vocab.json.
std::unique_ptr<Tokenizer> read_marian(const NumberedFiles&, const SideFiles& beside);
/// llama2.c's tok*.bin.
std::unique_ptr<Tokenizer> read_llama2c(std::string_view bytes, const std::string& name);
/// vocab.json and merges.txt.
std::unique_ptr<Tokenizer> read_vocab_merges(const std::filesystem::path& vocab,
                                             const std::filesystem::path& merges, const SideFiles& beside);
/// vocab.txt of BERT.
std::unique_ptr<Tokenizer> read_vocab_txt(std::string_view bytes, const std::string& name,
                                          const SideFiles& beside);

/// Each line of a text without its end.
std::vector<std::string_view> lines_of(std::string_view text);

}  // namespace limpid::text

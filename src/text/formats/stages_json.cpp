// Normalisers and pre-tokenizers of tokenizer.json.
#include "text/formats/base64.h"
#include "text/formats/tokenizer_json.h"
#include "text/pipeline/unicode.h"

namespace limpid::text {
namespace {

// Runs `make`, and says where in the file its Error belongs.
template <class F>
auto at_place(const JsonValue& value, F&& make) {
  try {
    return make();
  } catch (const Error& error) {
    value.fail("is wrong: ", error.what());
  }
}

std::unique_ptr<Normalizer> read_bert(const JsonValue& v) {
  BertNormalizerOptions options;
  options.clean_text = boolean_or(v, "clean_text", true);
  options.chinese_characters = boolean_or(v, "handle_chinese_chars", true);
  options.lowercase = boolean_or(v, "lowercase", true);
  options.strip_accents = boolean_or(v, "strip_accents", options.lowercase);
  return bert_normalizer(options);
}

std::unique_ptr<Normalizer> read_replace(const JsonValue& v) {
  const PatternText pattern = read_pattern(v.at("pattern"));
  std::string with = v.at("content").text();
  if (!pattern.regex) return replace_normalizer(pattern.text, std::move(with));
  return at_place(v.at("pattern"), [&] { return replace_normalizer(Regex(pattern.text), std::move(with)); });
}

Charsmap read_charsmap(const JsonValue& v) {
  return at_place(v, [&] { return Charsmap(from_base64(v.text())); });
}

std::unique_ptr<Normalizer> read_precompiled(const JsonValue& v) {
  if (!has_value(v, "precompiled_charsmap") || v.at("precompiled_charsmap").text().empty()) {
    return normalizer_sequence({});
  }
  return charsmap_normalizer(read_charsmap(v.at("precompiled_charsmap")));
}

std::unique_ptr<Normalizer> read_sentencepiece(const JsonValue& v) {
  SentencePieceOptions options;
  if (has_value(v, "precompiled_charsmap")) {
    options.charsmap = std::make_shared<const Charsmap>(read_charsmap(v.at("precompiled_charsmap")));
  }
  options.add_dummy_prefix = boolean_or(v, "add_dummy_prefix", true);
  options.remove_extra_whitespaces = boolean_or(v, "remove_extra_whitespaces", true);
  options.escape_whitespaces = boolean_or(v, "escape_whitespaces", true);
  options.whitespace_as_suffix = boolean_or(v, "whitespace_as_suffix", false);
  if (has_value(v, "user_defined")) {
    v.at("user_defined").each_item([&](const JsonValue& piece) {
      options.user_defined.push_back(piece.text());
    });
  }
  return sentencepiece_normalizer(std::move(options));
}

SplitBehavior read_behavior(const JsonValue& v) {
  const std::string name = v.text();
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  v.unexpected("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

std::unique_ptr<PreTokenizer> read_split(const JsonValue& v) {
  const PatternText pattern = read_pattern(v.at("pattern"));
  const SplitBehavior behavior = read_behavior(v.at("behavior"));
  const bool invert = boolean_or(v, "invert", false);
  if (!pattern.regex) return split_pre_tokenizer(pattern.text, behavior, invert);
  return at_place(v.at("pattern"),
                  [&] { return split_pre_tokenizer(Regex(pattern.text), behavior, invert); });
}

std::string one_character(const JsonValue& v) {
  std::string text = v.text();
  if (text.empty() || character_at(text, 0).size != text.size()) v.unexpected("one character");
  return text;
}

std::unique_ptr<PreTokenizer> read_metaspace(const JsonValue& v) {
  std::string mark = has_value(v, "replacement") ? one_character(v.at("replacement")) : "\xE2\x96\x81";
  PrependScheme scheme =
      boolean_or(v, "add_prefix_space", true) ? PrependScheme::always : PrependScheme::never;
  if (has_value(v, "prepend_scheme")) {
    const std::string name = v.at("prepend_scheme").text();
    if (name == "always")
      scheme = PrependScheme::always;
    else if (name == "first")
      scheme = PrependScheme::first;
    else if (name == "never")
      scheme = PrependScheme::never;
    else
      v.at("prepend_scheme").unexpected("always, first or never");
  }
  return metaspace_pre_tokenizer(std::move(mark), scheme, boolean_or(v, "split", true));
}

std::unique_ptr<PreTokenizer> read_pre_sequence(const JsonValue& v, bool map_bytes) {
  PreTokenizers stages;
  const JsonValue list = v.at("pretokenizers");
  for (size_t i = 0; i < list.size(); ++i) {
    const bool last = i + 1 == list.size();
    if (auto stage = read_pre_tokenizer(list.at(i), map_bytes || !last)) stages.push_back(std::move(stage));
  }
  return pre_tokenizer_sequence(std::move(stages));
}

}  // namespace

std::unique_ptr<Normalizer> read_normalizer(const JsonValue& v) {
  if (v.json().is_null()) return nullptr;
  const std::string type = v.at("type").text();
  if (type == "Sequence") {
    Normalizers stages;
    v.at("normalizers").each_item([&](const JsonValue& each) {
      if (auto stage = read_normalizer(each)) stages.push_back(std::move(stage));
    });
    return normalizer_sequence(std::move(stages));
  }
  if (type == "BertNormalizer") return read_bert(v);
  if (type == "NFC") return unicode_normalizer(UnicodeForm::nfc);
  if (type == "NFD") return unicode_normalizer(UnicodeForm::nfd);
  if (type == "NFKC") return unicode_normalizer(UnicodeForm::nfkc);
  if (type == "NFKD") return unicode_normalizer(UnicodeForm::nfkd);
  if (type == "Lowercase") return lowercase_normalizer();
  if (type == "Strip")
    return strip_normalizer(boolean_or(v, "strip_left", true), boolean_or(v, "strip_right", true));
  if (type == "StripAccents") return strip_accents_normalizer();
  if (type == "Nmt") return nmt_normalizer();
  if (type == "Prepend") return prepend_normalizer(v.at("prepend").text());
  if (type == "Replace") return read_replace(v);
  if (type == "ByteLevel") return byte_level_normalizer();
  if (type == "Precompiled") return read_precompiled(v);
  if (type == "SentencePiece") return read_sentencepiece(v);
  v.at("type").unexpected(
      "Sequence, BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Nmt, Prepend, "
      "Replace, "
      "ByteLevel or Precompiled");
}

std::unique_ptr<PreTokenizer> read_pre_tokenizer(const JsonValue& v, bool map_bytes) {
  if (v.json().is_null()) return nullptr;
  const std::string type = v.at("type").text();
  if (type == "Sequence") return read_pre_sequence(v, map_bytes);
  if (type == "ByteLevel") {
    return byte_level_pre_tokenizer(
        {boolean_or(v, "add_prefix_space", true), boolean_or(v, "use_regex", true), map_bytes});
  }
  if (type == "Split") return read_split(v);
  if (type == "Metaspace") return read_metaspace(v);
  if (type == "BertPreTokenizer") return bert_pre_tokenizer();
  if (type == "Whitespace") return whitespace_pre_tokenizer();
  if (type == "WhitespaceSplit") return split_pre_tokenizer(&is_space, SplitBehavior::removed);
  if (type == "Punctuation") {
    return split_pre_tokenizer(&is_punctuation, has_value(v, "behavior") ? read_behavior(v.at("behavior"))
                                                                         : SplitBehavior::isolated);
  }
  if (type == "Digits") {
    return split_pre_tokenizer(&is_numeric, boolean_or(v, "individual_digits", false)
                                                ? SplitBehavior::isolated
                                                : SplitBehavior::contiguous);
  }
  if (type == "CharDelimiterSplit") {
    return split_pre_tokenizer(one_character(v.at("delimiter")), SplitBehavior::removed, false);
  }
  if (type == "FixedLength") {
    return fixed_length_pre_tokenizer(
        has_value(v, "length") ? static_cast<size_t>(v.at("length").integer(1, INT32_MAX)) : 5);
  }
  v.at("type").unexpected(
      "Sequence, ByteLevel, Split, Metaspace, BertPreTokenizer, Whitespace, WhitespaceSplit, Punctuation, "
      "Digits, "
      "CharDelimiterSplit or FixedLength");
}

bool ends_in_byte_level(const JsonValue& v) {
  if (v.json().is_null()) return false;
  const std::string type = v.at("type").text();
  if (type != "Sequence") return type == "ByteLevel";
  const JsonValue list = v.at("pretokenizers");
  return list.size() > 0 && ends_in_byte_level(list.at(list.size() - 1));
}

}  // namespace limpid::text

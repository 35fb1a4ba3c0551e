// The first stage: a text before it is cut.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/pipeline/aligned_text.h"
#include "text/pipeline/regex.h"

namespace limpid::text {

/// Never changes; used from many threads.  Takes and gives valid UTF-8.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual AlignedText apply(const AlignedText& text) const = 0;
};

using Normalizers = std::vector<std::unique_ptr<const Normalizer>>;

/// One after another.
std::unique_ptr<Normalizer> normalizer_sequence(Normalizers stages);

// ---- normalizers.cpp
struct BertNormalizerOptions {
  bool clean_text = true;
  bool chinese_characters = true;  // blanks around them
  bool strip_accents = true;
  bool lowercase = true;
};
std::unique_ptr<Normalizer> bert_normalizer(const BertNormalizerOptions&);
std::unique_ptr<Normalizer> lowercase_normalizer();
std::unique_ptr<Normalizer> strip_normalizer(bool left, bool right);
std::unique_ptr<Normalizer> strip_accents_normalizer();  // every mark goes
std::unique_ptr<Normalizer> nmt_normalizer();
std::unique_ptr<Normalizer> prepend_normalizer(std::string what);
std::unique_ptr<Normalizer> replace_normalizer(std::string what, std::string with);
std::unique_ptr<Normalizer> replace_normalizer(Regex what, std::string with);
/// Every byte as GPT-2's visible character for it.
std::unique_ptr<Normalizer> byte_level_normalizer();

// ---- unicode_forms.cpp
enum class UnicodeForm { nfc, nfd, nfkc, nfkd };
std::unique_ptr<Normalizer> unicode_normalizer(UnicodeForm);

// ---- charsmap.cpp
/// SentencePiece's precompiled character map (not base64 any more): a double-array trie from strings to
/// their replacements.
class Charsmap {
 public:
  /// Throws Error{work} where the bytes are no such map.
  explicit Charsmap(std::string blob);
  struct Match {
    size_t size = 0;  // of the prefix that is replaced; 0: there is none
    std::string_view with;
  };
  Match shortest_prefix(std::string_view text) const;
  Match longest_prefix(std::string_view text) const;

 private:
  template <class F>
  void prefixes(std::string_view text, F&& found) const;
  uint32_t unit(size_t at) const;
  std::string_view replacement(uint32_t at) const;
  std::string blob_;
  size_t units_ = 0;  // of the trie
};
/// As Hugging Face applies it: grapheme cluster by grapheme cluster, where a cluster under 6 bytes has an
/// entry, else character by character.
std::unique_ptr<Normalizer> charsmap_normalizer(Charsmap map);

// ---- sentencepiece_normalizer.cpp
struct SentencePieceOptions {
  std::shared_ptr<const Charsmap> charsmap;  // null: none
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;
  bool escape_whitespaces = true;
  bool whitespace_as_suffix = false;
  std::vector<std::string> user_defined;  // stand as they are
};
/// SentencePiece's own (src/normalizer.cc).
std::unique_ptr<Normalizer> sentencepiece_normalizer(SentencePieceOptions);

}  // namespace limpid::text

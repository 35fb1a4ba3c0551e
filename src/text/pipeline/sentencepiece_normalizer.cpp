// SentencePiece's normaliser (google/sentencepiece, src/normalizer.cc, Normalizer::Normalize).
#include "text/pipeline/normalizers.h"
#include "text/trie.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

class SentencePiece final : public Normalizer {
 public:
  explicit SentencePiece(SentencePieceOptions options) : options_(std::move(options)) {
    for (const std::string& piece : options_.user_defined) {
      if (!piece.empty()) user_defined_.add(piece, 1);
    }
  }

  AlignedText apply(const AlignedText& from) const override {
    const std::string_view text = from.text();
    const std::string_view blank = options_.escape_whitespaces ? k_blank_mark : " ";
    size_t at = 0;
    if (options_.remove_extra_whitespaces) at = after_blanks(text);
    Rewriter out(from);
    std::string written;                     // what `out` holds, to look at its end
    const bool has_more = at < text.size();  // than blanks; it may come to nothing all the same
    if (has_more && options_.add_dummy_prefix && !options_.whitespace_as_suffix) out.insert(at, blank);
    // Up to the last byte that is no blank, where blanks at the end go: the inserted one goes with them.
    size_t kept = 0;
    bool after_blank = options_.remove_extra_whitespaces;
    while (at < text.size()) {
      const auto [size, replaced] = prefix(text.substr(at));
      std::string_view with = replaced;
      while (after_blank && with.starts_with(' ')) with.remove_prefix(1);
      if (!with.empty()) after_blank = options_.remove_extra_whitespaces && with.back() == ' ';
      written.clear();
      for (const char byte : with) byte == ' ' ? written += blank : written += byte;
      if (written == text.substr(at, size)) {
        out.keep(at, at + size);
      } else {
        out.replace(at, at + size, written);
      }
      std::string_view solid = written;
      while (solid.ends_with(blank)) solid.remove_suffix(blank.size());
      if (!solid.empty()) kept = out.size() - (written.size() - solid.size());
      at += size;
    }
    return finish(out, kept, has_more);
  }

 private:
  AlignedText finish(Rewriter& out, size_t kept, bool has_more) const {
    AlignedText made = out.done();
    const size_t size = made.text().size();
    Rewriter last(made);
    last.keep(0, options_.remove_extra_whitespaces ? std::min(kept, size) : size);
    if (has_more && options_.add_dummy_prefix && options_.whitespace_as_suffix) {
      last.insert(size, options_.escape_whitespaces ? k_blank_mark : " ");
    }
    return last.done();
  }

  size_t after_blanks(std::string_view text) const {
    size_t at = 0;
    while (at < text.size()) {
      const Part part = prefix(text.substr(at));
      if (part.with != " ") break;
      at += part.size;
    }
    return at;
  }

  struct Part {
    size_t size;  // taken from the text
    std::string_view with;
  };
  Part prefix(std::string_view text) const {
    size_t longest = 0;
    user_defined_.each_prefix(text, [&](size_t size, uint32_t) { longest = size; });
    if (longest > 0) return {longest, text.substr(0, longest)};
    const size_t character = character_at(text, 0).size;
    if (options_.charsmap) {
      const Charsmap::Match match = options_.charsmap->longest_prefix(text);
      const bool whole = match.size == text.size() ||
                         (match.size > 0 && (static_cast<unsigned char>(text[match.size]) & 0xC0) != 0x80);
      if (whole) return {match.size, match.with};
    }
    return {character, text.substr(0, character)};
  }

  SentencePieceOptions options_;
  Trie user_defined_;
};

}  // namespace

std::unique_ptr<Normalizer> sentencepiece_normalizer(SentencePieceOptions options) {
  return std::make_unique<SentencePiece>(std::move(options));
}

}  // namespace limpid::text

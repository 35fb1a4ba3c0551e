// WordPiece (Schuster, Nakajima 2012; as in BERT): from the left, the longest piece that fits.  A word with
// one part that is in no piece is unknown as a whole.
#include <algorithm>

#include "core/label.h"
#include "limpid/error.h"
#include "text/models/token_model.h"
#include "text/trie.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

class WordPiece final : public TokenModel {
 public:
  explicit WordPiece(WordPieceParts parts)
      : TokenModel(std::move(parts.vocabulary)), longest_word_(parts.longest_word) {
    const auto unk = vocabulary().id(parts.unk);
    if (!unk) fail_work("wordpiece: the vocabulary lacks its unknown token ", in_quotes(parts.unk));
    unk_ = *unk;
    for (int64_t id = 0; id < vocabulary().size(); ++id) {
      const std::string_view piece = vocabulary().piece(id);
      const auto value = static_cast<uint32_t>(id);
      if (vocabulary().id(piece) != value || piece.empty()) continue;
      begin_.add(piece, value);
      if (piece.starts_with(parts.continuing_prefix) && piece.size() > parts.continuing_prefix.size()) {
        inside_.add(piece.substr(parts.continuing_prefix.size()), value);
      }
    }
  }
  std::string kind() const override { return "wordpiece"; }
  std::unique_ptr<Encoder> encoder(const IdSet* forbidden) const override {
    return std::make_unique<Greedy>(*this, forbidden);
  }

 private:
  class Greedy final : public Encoder {
   public:
    Greedy(const WordPiece& model, const IdSet* forbidden) : model_(model), forbidden_(forbidden) {}

    void encode(std::string_view word, std::vector<Token>& out) override {
      const size_t before = out.size();
      if (!too_long(word) && cut(word, out)) return;
      out.resize(before);
      out.push_back({model_.unk_, 0, static_cast<uint32_t>(word.size())});
    }

   private:
    bool too_long(std::string_view word) const {
      if (word.size() <= model_.longest_word_) return false;
      size_t characters = 0;
      for (const char byte : word) characters += (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
      return characters > model_.longest_word_;
    }

    bool cut(std::string_view word, std::vector<Token>& out) const {
      for (size_t at = 0; at < word.size();) {
        size_t longest = 0;
        uint32_t id = 0;
        (at == 0 ? model_.begin_ : model_.inside_)
            .each_prefix(word.substr(at), [&](size_t size, uint32_t found) {
              if (holds(forbidden_, found)) return;
              longest = size;
              id = found;
            });
        if (longest == 0) return false;
        out.push_back({id, static_cast<uint32_t>(at), static_cast<uint32_t>(at + longest)});
        at += longest;
      }
      return true;
    }

    const WordPiece& model_;
    const IdSet* forbidden_;
  };

  size_t longest_word_;
  uint32_t unk_ = 0;
  Trie begin_, inside_;
};

}  // namespace

std::unique_ptr<TokenModel> wordpiece_model(WordPieceParts parts) {
  return std::make_unique<WordPiece>(std::move(parts));
}

}  // namespace limpid::text

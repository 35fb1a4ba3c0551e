// A piece is a token, or unknown.
#include "core/label.h"
#include "limpid/error.h"
#include "text/models/token_model.h"

namespace limpid::text {
namespace {

class WordLevel final : public TokenModel {
 public:
  WordLevel(Vocabulary vocabulary, const std::optional<std::string>& unk)
      : TokenModel(std::move(vocabulary)) {
    if (unk) unk_ = this->vocabulary().id(*unk);
  }
  std::string kind() const override { return "word_level"; }
  std::unique_ptr<Encoder> encoder(const IdSet* forbidden) const override {
    return std::make_unique<Words>(*this, forbidden);
  }

 private:
  class Words final : public Encoder {
   public:
    Words(const WordLevel& model, const IdSet* forbidden) : model_(model), forbidden_(forbidden) {}
    void encode(std::string_view piece, std::vector<Token>& out) override {
      auto id = model_.vocabulary().id(piece);
      if (!id || holds(forbidden_, *id)) id = model_.unk_;
      if (!id)
        fail_call("tokenizer: it has neither a token ", in_quotes(piece), " nor one for unknown words");
      out.push_back({*id, 0, static_cast<uint32_t>(piece.size())});
    }

   private:
    const WordLevel& model_;
    const IdSet* forbidden_;
  };
  std::optional<uint32_t> unk_;
};

}  // namespace

std::unique_ptr<TokenModel> word_level_model(Vocabulary vocabulary, std::optional<std::string> unk) {
  return std::make_unique<WordLevel>(std::move(vocabulary), unk);
}

}  // namespace limpid::text

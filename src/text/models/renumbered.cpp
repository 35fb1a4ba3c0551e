// A model whose pieces another vocabulary numbers, by their text.
#include "core/label.h"
#include "limpid/error.h"
#include "text/models/token_model.h"

namespace limpid::text {
namespace {

class Renumbered final : public TokenModel {
 public:
  explicit Renumbered(RenumberedParts parts)
      : TokenModel(std::move(parts.numbers)), pieces_(std::move(parts.pieces)), inner_unk_(parts.pieces_unk) {
    const auto unk = vocabulary().id(parts.unk);
    if (!unk) fail_work("numbers: there is none for ", in_quotes(parts.unk), ", what is unknown");
    unk_ = *unk;
    const Vocabulary& inner = pieces_->vocabulary();
    numbers_.resize(static_cast<size_t>(inner.size()), unk_);
    for (int64_t id = 0; id < inner.size(); ++id)
      if (inner.has(id)) numbers_[static_cast<size_t>(id)] = vocabulary().id(inner.piece(id)).value_or(unk_);
  }
  std::string kind() const override { return pieces_->kind(); }
  std::unique_ptr<Encoder> encoder(const IdSet* forbidden) const override {
    return std::make_unique<Numberer>(*this, forbidden);
  }

 private:
  class Numberer final : public Encoder {
   public:
    Numberer(const Renumbered& model, const IdSet* forbidden)
        : model_(model), forbidden_(forbidden), inner_(model.pieces_->encoder(nullptr)) {}

    void encode(std::string_view text, std::vector<Token>& out) override {
      const size_t first = out.size();
      inner_->encode(text, out);
      for (size_t i = first; i < out.size(); ++i) out[i].id = number(out[i], text);
    }

   private:
    // What the pieces do not know may have a number all the same: a letter of the other language.
    uint32_t number(const Token& token, std::string_view text) const {
      const uint32_t id = token.id == model_.inner_unk_
                              ? model_.vocabulary()
                                    .id(text.substr(token.begin, token.end - token.begin))
                                    .value_or(model_.unk_)
                              : model_.numbers_[token.id];
      return holds(forbidden_, id) ? model_.unk_ : id;
    }

    const Renumbered& model_;
    const IdSet* forbidden_;
    std::unique_ptr<Encoder> inner_;
  };

  std::unique_ptr<TokenModel> pieces_;
  std::optional<uint32_t> inner_unk_;
  uint32_t unk_ = 0;
  std::vector<uint32_t> numbers_;  // by the pieces' own
};

}  // namespace

std::unique_ptr<TokenModel> renumbered_model(RenumberedParts parts) {
  return std::make_unique<Renumbered>(std::move(parts));
}

}  // namespace limpid::text

#include "text/padded.h"

namespace limpid {
namespace {

class Padded final : public Tokenizer {
 public:
  Padded(std::shared_ptr<const Tokenizer> inner, int64_t vocabulary)
      : inner_(std::move(inner)), vocabulary_(vocabulary) {}
  std::string kind() const override { return inner_->kind(); }
  int64_t vocabulary() const override { return vocabulary_; }
  std::optional<int64_t> special(std::string_view name) const override { return inner_->special(name); }
  bool is_special(int64_t id) const override { return id < inner_->vocabulary() && inner_->is_special(id); }
  SpecialIds special_ids() const override { return inner_->special_ids(); }
  // Whoever reads it back pads it again: the network says how many tokens there are.
  std::string to_json() const override { return inner_->to_json(); }

 private:
  void append(std::string_view text, Specials specials, Encoding& out) const override {
    out = inner_->encode_with_spans(text, specials);
  }
  std::string bytes_of(int64_t id) const override {
    return id < inner_->vocabulary() ? inner_->token_bytes(id) : join("<unused ", id, ">");
  }
  std::string_view between() const override { return inner_->kind() == "words" ? " " : ""; }
  ModelInput model_input(std::string_view text, const std::string_view* second,
                         const EncodeOptions& options) const override {
    return second == nullptr ? inner_->encode_for_model(text, options)
                             : inner_->encode_for_model(text, *second, options);
  }
  // Unused tokens are written by their names, the runs between them as the inner one decodes them.
  std::string text_of(std::span<const int64_t> ids, DecodeSpecials specials) const override {
    std::string text;
    for (size_t at = 0; at < ids.size();) {
      size_t end = at;
      while (end < ids.size() && ids[end] < inner_->vocabulary()) ++end;
      if (at > 0) text += between();
      if (end > at) text += inner_->decode(ids.subspan(at, end - at), specials);
      for (; end < ids.size() && ids[end] >= inner_->vocabulary(); ++end) {
        if (end > 0) text += between();
        text += bytes_of(ids[end]);
      }
      at = end;
    }
    return text;
  }

  std::shared_ptr<const Tokenizer> inner_;
  int64_t vocabulary_;
};

}  // namespace

std::shared_ptr<const Tokenizer> padded_tokenizer(std::shared_ptr<const Tokenizer> inner,
                                                  int64_t vocabulary) {
  if (inner->vocabulary() > vocabulary)
    fail_call("tokenizer: it has ", inner->vocabulary(), " tokens, expected at most ", vocabulary);
  return std::make_shared<Padded>(std::move(inner), vocabulary);
}

}  // namespace limpid

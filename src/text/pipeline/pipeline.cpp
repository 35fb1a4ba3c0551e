#include "text/pipeline/pipeline.h"

#include <algorithm>

#include "core/label.h"
#include "text/pipeline/byte_alphabet.h"
#include "text/utf8.h"

namespace limpid::text {
namespace {

class Pipeline final : public Tokenizer {
 public:
  explicit Pipeline(PipelineParts parts) : parts_(std::move(parts)) {
    vocabulary_ = parts_.model->vocabulary().size();
    for (const AddedToken& token : parts_.added.all()) vocabulary_ = std::max(vocabulary_, token.id + 1);
  }

  std::string kind() const override { return parts_.model->kind(); }
  int64_t vocabulary() const override { return vocabulary_; }
  std::string to_json() const override { return parts_.json; }
  SpecialIds special_ids() const override { return parts_.special_ids; }

  std::optional<int64_t> special(std::string_view name) const override {
    const AddedToken* token = parts_.added.by_content(name);
    return token == nullptr ? std::nullopt : std::optional(token->id);
  }
  bool is_special(int64_t id) const override {
    return id >= 0 && id < vocabulary_ && holds(&parts_.added.special(), static_cast<uint32_t>(id));
  }

 private:
  class Run;  // one encode call

  void append(std::string_view text, Specials specials, Encoding& out) const override;

  ModelInput model_input(std::string_view text, const std::string_view* second,
                         const EncodeOptions& options) const override {
    const Encoding first = encode_with_spans(text, options.specials);
    if (second == nullptr) return parts_.post.apply(first, nullptr, options.add_special);
    const Encoding other = encode_with_spans(*second, options.specials);
    return parts_.post.apply(first, &other, options.add_special);
  }

  // The token as the file writes it; "" for an id without one.
  const std::string& piece(int64_t id) const {
    static const std::string none;
    if (const AddedToken* token = parts_.added.by_id(id)) return token->content;
    return parts_.model->vocabulary().has(id) ? parts_.model->vocabulary().piece(id) : none;
  }

  std::string bytes_of(int64_t id) const override {
    const std::string& written = piece(id);
    if (parts_.added.by_id(id) != nullptr || parts_.token_text == TokenText::as_written) return written;
    if (parts_.token_text == TokenText::byte_level) {
      return ByteAlphabet::get().bytes(written).value_or(written);
    }
    if (const int byte = byte_of_name(written); byte >= 0) return std::string(1, static_cast<char>(byte));
    std::string out;
    for (size_t at = 0; at < written.size();) {
      const bool mark = std::string_view(written).substr(at).starts_with(k_blank_mark);
      out += mark ? ' ' : written[at];
      at += mark ? k_blank_mark.size() : 1;
    }
    return out;
  }

  std::string text_of(std::span<const int64_t> ids, DecodeSpecials specials) const override {
    std::vector<std::string> tokens;
    tokens.reserve(ids.size());
    for (const int64_t id : ids) {
      if (specials == DecodeSpecials::skip && is_special(id)) continue;
      if (parts_.added.by_id(id) != nullptr || parts_.model->vocabulary().has(id))
        tokens.push_back(piece(id));
    }
    parts_.decoder->apply(tokens);
    std::string text;
    for (const std::string& token : tokens) text += token;
    return text;
  }

  PipelineParts parts_;
  int64_t vocabulary_ = 0;
};

// Encodes one text.  What pieces became is remembered until it ends, so nothing is shared by threads.
class Pipeline::Run {
 public:
  Run(const PipelineParts& parts, std::string_view text, Specials specials, Encoding& out)
      : parts_(parts),
        text_(text),
        specials_(specials),
        out_(out),
        encoder_(parts.model->encoder(specials == Specials::as_tokens ? nullptr : &parts.added.special())) {}

  void all() {
    if (is_valid_utf8(text_)) return before_normalization({text_, 0});
    if (parts_.of_bytes) return runs();
    before_normalization(mended());
  }

 private:
  struct Known {
    size_t begin = 0, count = 0;
  };
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  static constexpr size_t k_word = 128;  // longer pieces hardly come twice
  static constexpr size_t k_words = size_t{1} << 20;

  // What is no UTF-8 becomes U+FFFD.
  AlignedText mended() const {
    const AlignedText given(text_, 0);
    Rewriter out(given);
    for (size_t at = 0; at < text_.size();) {
      const Character c = character_at(text_, at);
      if (c.valid) {
        out.keep(at, at + c.size);
      } else {
        out.replace(at, at + 1, "\xEF\xBF\xBD");
      }
      at += c.size;
    }
    return out.done();
  }

  // Runs of characters, and of bytes that are none: a piece each, past all that knows characters only.
  void runs() {
    for (size_t at = 0; at < text_.size();) {
      const size_t bad = std::min(first_not_utf8(text_.substr(at)), text_.size() - at);
      if (bad > 0) before_normalization({text_.substr(at, bad), at});
      at += bad;
      size_t end = at;
      while (end < text_.size() && !character_at(text_, end).valid) ++end;
      const AlignedText bytes(text_.substr(at, end - at), at);
      if (end > at) piece(bytes, {0, static_cast<uint32_t>(end - at)});
      at = end;
    }
  }

  void token(const AddedToken& found, const Span& place) {
    out_.ids.push_back(found.id);
    out_.spans.push_back(place);
  }

  void before_normalization(const AlignedText& text) {
    if (!parts_.added.any(false)) return normalize(text);
    for (const AddedTokens::Place& place :
         parts_.added.find(text.text(), false, specials_, parts_.special_ids.mask)) {
      const auto [begin, end] = place.bytes;
      if (place.token != nullptr) {
        token(*place.token, text.origin(begin, end));
      } else {
        normalize(text.part(begin, end));
      }
    }
  }

  // Bytes of the language's code that the text begins with; 0: of none.
  size_t language_code(const AlignedText& text) {
    if (!parts_.language_code) return 0;
    const auto& [begin, end] = *parts_.language_code;
    if (!text.text().starts_with(begin)) return 0;
    const size_t at = text.text().find(end);
    if (at == text.text().npos) return 0;
    const size_t size = at + end.size();
    const auto known = parts_.model->vocabulary().id(std::string_view(text.text()).substr(0, size));
    const std::optional<int64_t> id = known ? std::optional<int64_t>(*known) : parts_.special_ids.unk;
    if (!id) return 0;
    out_.ids.push_back(*id);
    out_.spans.push_back(text.origin(0, size));
    return size;
  }

  void normalize(const AlignedText& whole) {
    const size_t code = language_code(whole);
    const AlignedText text = code == 0 ? whole : whole.part(code, whole.text().size());
    if (text.text().empty()) return;
    const AlignedText normal = parts_.normalizer ? parts_.normalizer->apply(text) : text;
    if (!parts_.added.any(true)) return cut(normal);
    for (const AddedTokens::Place& place :
         parts_.added.find(normal.text(), true, specials_, parts_.special_ids.mask)) {
      const auto [begin, end] = place.bytes;
      if (place.token != nullptr) {
        token(*place.token, normal.origin(begin, end));
      } else {
        cut(normal.part(begin, end));
      }
    }
  }

  void cut(const AlignedText& text) {
    if (text.text().empty()) return;
    Pieces pieces{text, {{0, static_cast<uint32_t>(text.text().size())}}};
    if (parts_.pre_tokenizer) parts_.pre_tokenizer->apply(pieces);
    for (const Cut& each : pieces.cuts) piece(pieces.text, each);
  }

  void piece(const AlignedText& text, const Cut& place) {
    const std::string_view word = text.text().substr(place.begin, place.end - place.begin);
    if (word.empty()) return;
    if (word.size() > k_word) {
      tokens_.clear();
      encoder_->encode(word, tokens_);
      return write(text, place.begin, tokens_.data(), tokens_.size());
    }
    auto at = known_.find(word);
    if (at == known_.end()) {
      if (known_.size() >= k_words) known_.clear(), remembered_.clear();
      const size_t begin = remembered_.size();
      encoder_->encode(word, remembered_);
      at = known_.emplace(std::string(word), Known{begin, remembered_.size() - begin}).first;
    }
    write(text, place.begin, remembered_.data() + at->second.begin, at->second.count);
  }

  void write(const AlignedText& text, size_t base, const Token* tokens, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      Span span = text.origin(base + tokens[i].begin, base + tokens[i].end);
      if (parts_.post.trim_offsets) span = trimmed(span);
      out_.ids.push_back(tokens[i].id);
      out_.spans.push_back(span);
    }
  }

  Span trimmed(Span span) const {
    while (span.begin < span.end && text_[span.begin] == ' ') ++span.begin;
    while (span.begin < span.end && text_[span.end - 1] == ' ') --span.end;
    return span;
  }

  const PipelineParts& parts_;
  std::string_view text_;
  Specials specials_;
  Encoding& out_;
  std::unique_ptr<TokenModel::Encoder> encoder_;
  std::unordered_map<std::string, Known, Hash, std::equal_to<>> known_;
  std::vector<Token> remembered_, tokens_;
};

void Pipeline::append(std::string_view text, Specials specials, Encoding& out) const {
  if (!text.empty()) Run(parts_, text, specials, out).all();
}

}  // namespace

std::unique_ptr<Tokenizer> pipeline_tokenizer(PipelineParts parts) {
  return std::make_unique<Pipeline>(std::move(parts));
}

}  // namespace limpid::text

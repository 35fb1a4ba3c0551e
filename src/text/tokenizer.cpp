// What every tokenizer does the same way.
#include "core/label.h"
#include "limpid/text.h"

namespace limpid {

Tokenizer::~Tokenizer() = default;

std::vector<int64_t> Tokenizer::encode(std::string_view text, Specials specials) const {
  return encode_with_spans(text, specials).ids;
}

Encoding Tokenizer::encode_with_spans(std::string_view text, Specials specials) const {
  Encoding out;
  append(text, specials, out);
  return out;
}

ModelInput Tokenizer::encode_for_model(std::string_view text, const EncodeOptions& options) const {
  return model_input(text, nullptr, options);
}

ModelInput Tokenizer::encode_for_model(std::string_view text, std::string_view second,
                                       const EncodeOptions& options) const {
  return model_input(text, &second, options);
}

ModelInput Tokenizer::model_input(std::string_view text, const std::string_view* second,
                                  const EncodeOptions& options) const {
  ModelInput out;
  for (const std::string_view* each : {static_cast<const std::string_view*>(&text), second}) {
    if (each == nullptr) continue;
    const Encoding encoding = encode_with_spans(*each, options.specials);
    const int which = each == second ? 1 : 0;
    out.ids.insert(out.ids.end(), encoding.ids.begin(), encoding.ids.end());
    out.spans.insert(out.spans.end(), encoding.spans.begin(), encoding.spans.end());
    out.type_ids.resize(out.ids.size(), which);
    out.text_of.resize(out.ids.size(), which);
  }
  return out;
}

std::string Tokenizer::decode(std::span<const int64_t> ids, DecodeSpecials specials) const {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocabulary()) {
      fail_call("decode: ids[", i, "] is ", ids[i], ", expected 0 <= id < ", vocabulary(), " (", kind(), ")");
    }
  }
  return text_of(ids, specials);
}

std::string Tokenizer::text_of(std::span<const int64_t> ids, DecodeSpecials specials) const {
  std::string text;
  bool first = true;
  for (const int64_t id : ids) {
    if (specials == DecodeSpecials::skip && is_special(id)) continue;
    if (!first) text += between();
    text += bytes_of(id);
    first = false;
  }
  return text;
}

std::string Tokenizer::token_bytes(int64_t id) const {
  if (id < 0 || id >= vocabulary()) {
    fail_call("token: id is ", id, ", expected 0 <= id < ", vocabulary(), " (", kind(), ")");
  }
  return bytes_of(id);
}

std::string Tokenizer::label(int64_t id) const { return visible(token_bytes(id)); }

std::optional<int64_t> Tokenizer::special(std::string_view) const { return std::nullopt; }

bool Tokenizer::is_special(int64_t) const { return false; }

SpecialIds Tokenizer::special_ids() const { return {}; }

}  // namespace limpid

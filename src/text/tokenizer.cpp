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

std::string Tokenizer::decode(std::span<const int64_t> ids) const {
  std::string text;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocabulary()) {
      fail_call("decode: ids[", i, "] is ", ids[i], ", expected 0 <= id < ", vocabulary(), " (", kind(), ")");
    }
    if (i > 0) text += between();
    text += bytes_of(ids[i]);
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

}  // namespace limpid

#include "text/pipeline/byte_alphabet.h"

#include "text/utf8.h"

namespace limpid::text {

ByteAlphabet::ByteAlphabet() {
  bytes_.fill(-1);
  char32_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    const char32_t point = printable ? static_cast<char32_t>(byte) : next++;
    characters_[static_cast<size_t>(byte)] = utf8(point);
    bytes_[point] = static_cast<int16_t>(byte);
  }
}

const ByteAlphabet& ByteAlphabet::get() {
  static const ByteAlphabet alphabet;
  return alphabet;
}

std::optional<uint8_t> ByteAlphabet::byte(char32_t point) const {
  if (point >= bytes_.size() || bytes_[point] < 0) return std::nullopt;
  return static_cast<uint8_t>(bytes_[point]);
}

std::string ByteAlphabet::written(std::string_view bytes) const {
  std::string out;
  for (const char byte : bytes) out += character(static_cast<uint8_t>(byte));
  return out;
}

std::optional<std::string> ByteAlphabet::bytes(std::string_view symbol) const {
  std::string out;
  for (size_t at = 0; at < symbol.size();) {
    const Character c = character_at(symbol, at);
    const auto found = c.valid ? byte(c.point) : std::nullopt;
    if (!found) return std::nullopt;
    out += static_cast<char>(*found);
    at += c.size;
  }
  return out;
}

}  // namespace limpid::text

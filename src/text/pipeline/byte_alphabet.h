// GPT-2's visible characters for bytes: the printable ones of Latin-1 as themselves, the others as U+0100 and
// on ("Ġ" is the space).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace limpid::text {

class ByteAlphabet {
 public:
  static const ByteAlphabet& get();

  /// The character of a byte, in UTF-8.
  const std::string& character(uint8_t byte) const { return characters_[byte]; }
  /// The byte of a character; nothing where it stands for none.
  std::optional<uint8_t> byte(char32_t point) const;
  std::string written(std::string_view bytes) const;
  /// The bytes written as `symbol`; nothing where it holds another character.
  std::optional<std::string> bytes(std::string_view symbol) const;

 private:
  ByteAlphabet();
  std::array<std::string, 256> characters_;
  std::array<int16_t, 0x144> bytes_;  // by code point; -1: none
};

}  // namespace limpid::text

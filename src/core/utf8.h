// UTF-8: is this text it, and what are its characters?
#pragma once

#include <cstddef>
#include <string_view>

namespace limpid {

/// Where the first byte stands that cannot be part of UTF-8 (overlong forms, surrogates and values above
/// U+10FFFF included), or npos if the whole text is UTF-8.
size_t first_not_utf8(std::string_view text);

inline bool is_utf8(std::string_view text) { return first_not_utf8(text) == std::string_view::npos; }

/// One character of a text, or one byte that belongs to none.
struct Character {
  char32_t point = 0;  // the code point; the byte itself where !valid
  size_t size = 1;     // bytes
  bool valid = true;
};

/// The character that starts at byte `at` < text.size().
Character character_at(std::string_view text, size_t at);

}  // namespace limpid

#include "text/utf8.h"

#include <utf8proc.h>

namespace limpid::text {

bool is_valid_utf8(std::string_view text) { return is_utf8(text); }

bool is_space(char32_t c) {
  if (c < 0x80) return c == ' ' || (c >= '\t' && c <= '\r');
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_word_character(char32_t point) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

std::string utf8(char32_t point) {
  utf8proc_uint8_t bytes[4];
  const utf8proc_ssize_t size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(point), bytes);
  return std::string(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
}

std::vector<Span> words_in(std::string_view text) {
  std::vector<Span> words;
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    const bool space = c.valid && is_space(c.point);
    if (!space && !inside) words.push_back({at, at});
    at += c.size;
    if (!space) words.back().end = at;
    inside = !space;
  }
  return words;
}

}  // namespace limpid::text

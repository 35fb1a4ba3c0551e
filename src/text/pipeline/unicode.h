// What characters mean to the stages of a pipeline.
#pragma once

#include <string>
#include <string_view>

#include "text/utf8.h"

namespace limpid::text {

bool is_punctuation(char32_t point);  // ASCII's signs and Unicode's P
bool is_numeric(char32_t point);      // N
bool is_mark(char32_t point);         // M
bool is_nonspacing_mark(char32_t point);
bool is_control(char32_t point);        // C but for tab, line feed, return (BERT's clean_text)
bool is_cjk_ideograph(char32_t point);  // BERT's table of Chinese characters
bool is_word(char32_t point);           // \w: letters, marks, digits, connectors

/// A character in lower case: one, or two for U+0130.
void append_lower(char32_t point, std::string& out);
void append_utf8(char32_t point, std::string& out);

/// Calls f(character, place) for each.
template <class F>
void each_character(std::string_view text, F&& f) {
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const Character c = byte < 0x80 ? Character{byte, 1, true} : character_at(text, at);
    f(c, at);
    at += c.size;
  }
}

}  // namespace limpid::text

// What characters mean to a tokenizer: spaces, letters, words.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/utf8.h"
#include "limpid/text.h"

namespace limpid::text {

/// U+2581: what SentencePiece writes for a blank.
inline constexpr std::string_view k_blank_mark = "\xE2\x96\x81";

bool is_valid_utf8(std::string_view text);

/// Whether the code point has Unicode's White_Space.
bool is_space(char32_t point);

/// Whether the code point is a letter, a mark on one, or a number.
bool is_word_character(char32_t point);

/// A code point in UTF-8.
std::string utf8(char32_t point);

/// The runs of `text` without white space (bytes that are no character are not white space).
std::vector<Span> words_in(std::string_view text);

}  // namespace limpid::text

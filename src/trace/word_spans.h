// Which tokens of a text are one word.
#pragma once

#include <string>
#include <vector>

#include "limpid/trace.h"

namespace limpid {

/// Tokens [first, end) that are one word.
struct WordSpan {
  int64_t first = 0, end = 0;
  std::string label;   // the word, without blanks before it; of an added token its own label
  bool added = false;  // a token that stands for no text: one that begins or ends it
  size_t text_begin = 0, text_end = 0;

  int64_t count() const { return end - first; }
};

/// In order; every token is in one of them.  Words are letters and digits, ' and -; any other character is
/// one by itself.
std::vector<WordSpan> words_of(const std::string& text, const std::vector<Token>& tokens);

}  // namespace limpid

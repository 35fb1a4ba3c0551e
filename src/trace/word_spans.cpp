#include "trace/word_spans.h"

#include <algorithm>

#include "core/label.h"

namespace limpid {

namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// What may stand within a word: letters and digits (all that is not ASCII counts as letters), ' and -.
bool is_inner(char c) {
  return !is_ascii(c) || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '\'' ||
         c == '-';
}

bool covers_nothing(const Token& token) { return token.begin >= token.end; }

// "[CLS]", "</s>": how tokens that mean something by themselves are called.
bool in_brackets(const std::string& label) {
  if (label.starts_with("<0x")) return false;  // a byte
  return label.size() > 2 &&
         ((label.front() == '<' && label.back() == '>') || (label.front() == '[' && label.back() == ']'));
}

// A token that covers nothing is a part of the character after it, or a blank that was put in before a word;
// any other was added.
bool belongs_to(const std::string& text, const Token& token, const Token& next) {
  if (token.begin != next.begin || next.begin >= text.size()) return false;
  const bool blank = token.label.find_first_not_of(' ') == std::string::npos || token.label == "\xe2\x96\x81";
  return blank || (!is_ascii(text[next.begin]) && !in_brackets(token.label));
}

// Each token's place in the text: parts of one character share it.
std::vector<Token> placed(const std::string& text, std::vector<Token> tokens) {
  const Token* next = nullptr;
  for (size_t i = tokens.size(); i-- > 0;) {
    if (!covers_nothing(tokens[i]))
      next = &tokens[i];
    else if (next && belongs_to(text, tokens[i], *next))
      tokens[i].end = next->end;
    else
      next = nullptr;
  }
  return tokens;
}

// Whether the token goes on with the word of the one before it.
bool continues(const std::string& text, const Token& before, const Token& token) {
  if (covers_nothing(before) || covers_nothing(token)) return false;
  if (token.begin == before.begin) return true;
  if (token.begin == 0 || token.begin >= text.size()) return false;
  const char last = text[token.begin - 1], first = text[token.begin];
  return !is_space(last) && !is_space(first) && is_inner(last) && is_inner(first);
}

// Blanks before a word are its own, as tokenizers have them that write " dog".
bool blanks_before(const std::string& text, const WordSpan& word, const Token& token) {
  if (word.added || covers_nothing(token) || token.begin != word.text_end || word.text_end > text.size())
    return false;
  return text.find_first_not_of(' ', word.text_begin) >= word.text_end;
}

}  // namespace

std::vector<WordSpan> words_of(const std::string& text, const std::vector<Token>& given) {
  const std::vector<Token> tokens = placed(text, given);
  std::vector<WordSpan> out;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto place = static_cast<int64_t>(i);
    const Token& token = tokens[i];
    if (i > 0 && (continues(text, tokens[i - 1], token) || blanks_before(text, out.back(), token))) {
      out.back().end = place + 1;
      out.back().text_end = std::max(out.back().text_end, token.end);
      continue;
    }
    WordSpan word;
    word.first = place;
    word.end = place + 1;
    word.added = !text.empty() && covers_nothing(token);  // bare ids are all that is said
    word.text_begin = token.begin;
    word.text_end = token.end;
    out.push_back(std::move(word));
  }
  for (WordSpan& word : out) {
    if (!word.added && word.text_begin < word.text_end && word.text_end <= text.size())
      word.label = text.substr(word.text_begin, word.text_end - word.text_begin);
    word.label.erase(0, std::min(word.label.find_first_not_of(' '), word.label.size()));
    const std::string& own = given[static_cast<size_t>(word.first)].label;
    word.label = word.label.empty() ? own : visible(word.label);
  }
  return out;
}

}  // namespace limpid

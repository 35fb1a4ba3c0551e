// From a word a person typed to the tokens it became.
#include <algorithm>
#include <charconv>

#include "core/label.h"
#include "limpid/text.h"
#include "text/utf8.h"

namespace limpid {
namespace {

std::string_view part(std::string_view text, const Span& span) {
  return text.substr(span.begin, span.end - span.begin);
}

// The word without the signs before and after it; empty where it is all signs.
Span without_signs(std::string_view text, const Span& word) {
  Span inner{word.end, word.end};
  for (size_t at = word.begin; at < word.end;) {
    const Character c = character_at(text, at);
    if (c.valid && text::is_word_character(c.point)) {
      inner.begin = std::min(inner.begin, at);
      inner.end = at + c.size;
    }
    at += c.size;
  }
  return inner.begin == word.end ? Span{word.end, word.end} : inner;
}

// The tokens that cover any of the bytes.
WordPlace place_of(const Span& bytes, const Encoding& tokens) {
  const auto first = std::partition_point(tokens.spans.begin(), tokens.spans.end(),
                                          [&](const Span& s) { return s.end <= bytes.begin; });
  const auto end =
      std::partition_point(first, tokens.spans.end(), [&](const Span& s) { return s.begin < bytes.end; });
  if (first == end) {
    fail_call("find_word: no token covers bytes ", bytes.begin, " to ", bytes.end,
              " of the text; expected the tokens of this text");
  }
  return {bytes, first - tokens.spans.begin(), end - tokens.spans.begin()};
}

std::string some_words(std::string_view text, const std::vector<Span>& words) {
  constexpr size_t k_shown = 20;
  std::string out;
  for (size_t i = 0; i < words.size() && i < k_shown; ++i) {
    if (i > 0) out += ", ";
    out += in_quotes(part(text, words[i]));
  }
  return words.size() > k_shown ? join(out, " and ", words.size() - k_shown, " more") : out;
}

// A whole number of digits only, with a minus sign before them where `sign`.
std::optional<int64_t> whole_number(std::string_view digits, bool sign, std::string_view argument) {
  std::string_view bare = digits;
  if (sign && bare.starts_with('-')) bare.remove_prefix(1);
  const bool all = std::all_of(bare.begin(), bare.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (bare.empty() || !all) return std::nullopt;
  int64_t value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc()) {
    fail_call("token: the number in ", in_quotes(argument), " is too large");
  }
  return value;
}

// Splits "short#2"; a plain word has no number.
TokenChoice word_and_number(std::string_view argument) {
  if (argument.empty()) fail_call("token: it is empty, expected an index, a word or word#2");
  const size_t mark = argument.rfind('#');
  if (mark == std::string_view::npos || mark == 0) return {std::nullopt, std::string(argument), std::nullopt};
  const auto number = whole_number(argument.substr(mark + 1), false, argument);
  if (!number) return {std::nullopt, std::string(argument), std::nullopt};
  if (*number == 0) fail_call("token: ", in_quotes(argument), " asks for occurrence 0; the first is #1");
  return {std::nullopt, std::string(argument.substr(0, mark)), number};
}

}  // namespace

TokenChoice parse_token_choice(std::string_view argument) {
  if (const auto index = whole_number(argument, true, argument)) return {index, "", std::nullopt};
  return word_and_number(argument);
}

std::vector<WordPlace> find_word(std::string_view text, const Encoding& tokens, std::string_view word) {
  const TokenChoice choice = word_and_number(word);
  const std::vector<Span> words = text::words_in(text);
  std::vector<WordPlace> found;
  for (const Span& whole : words) {
    const Span inner = without_signs(text, whole);
    if (part(text, whole) == choice.word) {
      found.push_back(place_of(whole, tokens));
    } else if (part(text, inner) == choice.word) {
      found.push_back(place_of(inner, tokens));
    }
  }
  if (found.empty()) {
    fail_call("token: the text has no word ", in_quotes(choice.word),
              words.empty() ? "; it has no words" : "; its words are " + some_words(text, words));
  }
  if (!choice.number) return found;
  if (*choice.number > static_cast<int64_t>(found.size())) {
    fail_call("token: ", in_quotes(word), " asks for occurrence ", *choice.number, " of ",
              in_quotes(choice.word), ", which occurs ",
              found.size() == 1 ? "once" : join(found.size(), " times"), "; the text's words are ",
              some_words(text, words));
  }
  return {found[static_cast<size_t>(*choice.number - 1)]};
}

}  // namespace limpid

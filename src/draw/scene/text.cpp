#include "draw/scene/text.h"

#include <algorithm>
#include <cstdint>

#include "core/utf8.h"
#include "draw/scene/dejavu_sans.h"

namespace limpid::draw {

namespace {

constexpr std::string_view k_replacement = "\xef\xbf\xbd", k_ellipsis = "\xe2\x80\xa6";

// The letter at text[at] (valid UTF-8), and how many bytes it takes.
uint32_t letter_at(std::string_view text, size_t at, size_t& length) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  const uint32_t first = byte(at);
  length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (length == 1) return first;
  uint32_t letter = first & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) letter = letter << 6 | (byte(at + i) & 0x3f);
  return letter;
}

// Marks that are drawn on the letter before, and joiners between letters.
bool joins(uint32_t c) {
  return (c >= 0x300 && c <= 0x36f) || (c >= 0x591 && c <= 0x5bd) || (c >= 0x64b && c <= 0x65f) ||
         (c >= 0x200b && c <= 0x200f) || (c >= 0x20d0 && c <= 0x20ff) || (c >= 0xfe00 && c <= 0xfe0f) ||
         (c >= 0x1f3fb && c <= 0x1f3ff) || c == 0x2060 || c == 0xfeff || (c >= 0xe0000 && c <= 0xe0fff);
}

// Control characters, line ends, and what reverses or isolates the text after it; also what XML 1.0 has no
// way to write.
bool unprintable(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029 || (c & 0xfffe) == 0xfffe;
}

double advance(uint32_t c) {
  if (joins(c)) return 0;
  for (const Advances& range : k_dejavu_sans)
    if (c >= range.first && c <= range.last && range.widths[c - range.first] > 0)
      return range.widths[c - range.first] / 2048.0;
  return c >= 0x1f000 ? 1.3 : 1.05;  // emoji and ideographs, from whichever font has them
}

}  // namespace

double text_width(std::string_view text, double size) {
  double width = 0;
  for (size_t at = 0, length = 0; at < text.size(); at += length)
    width += advance(letter_at(text, at, length));
  return width * size;
}

std::string clean(std::string_view text) {
  std::string valid;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t good = std::min(first_not_utf8(rest), rest.size());
    valid += rest.substr(0, good);
    rest.remove_prefix(good);
    if (rest.empty()) break;
    valid += k_replacement;
    rest.remove_prefix(1);
  }
  std::string line;
  bool blank = false;
  for (size_t at = 0, length = 0; at < valid.size(); at += length) {
    const uint32_t c = letter_at(valid, at, length);
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      blank = true;
    } else if (!unprintable(c)) {
      if (blank && !line.empty()) line += ' ';
      blank = false;
      line.append(valid, at, length);
    }
  }
  return line;
}

std::string clean_piece(std::string_view text) {
  const std::string held = clean("|" + std::string(text) + "|");
  return held.substr(1, held.size() - 2);
}

std::string elided(std::string_view text, double size, double width) {
  if (text_width(text, size) <= width) return std::string(text);
  const double room = width - text_width(k_ellipsis, size);
  double used = 0;
  size_t end = 0;
  for (size_t at = 0, length = 0; at < text.size(); at += length) {
    const uint32_t c = letter_at(text, at, length);
    used += advance(c) * size;
    if (used > room) break;
    end = at + length;
  }
  while (end > 0 && text[end - 1] == ' ') --end;
  return std::string(text.substr(0, end)) + std::string(k_ellipsis);
}

namespace {

// Breaks words greedily into lines of at most `width`.
std::vector<std::string> filled(const std::vector<std::string>& words, double size, double width) {
  std::vector<std::string> lines;
  for (const std::string& word : words) {
    const std::string longer = lines.empty() ? word : lines.back() + " " + word;
    if (!lines.empty() && text_width(longer, size) <= width)
      lines.back() = longer;
    else
      lines.push_back(word);
  }
  return lines;
}

}  // namespace

std::vector<std::string> wrapped(std::string_view text, double size, double width) {
  std::vector<std::string> words;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    if (end > 0) words.push_back(elided(rest.substr(0, end), size, width));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (words.empty()) return {""};
  const size_t lines = filled(words, size, width).size();
  double least = 0;
  for (const std::string& word : words) least = std::max(least, text_width(word, size));
  for (double narrower = least; narrower < width; narrower += 1)  // the narrowest that needs no further line
    if (auto even = filled(words, size, narrower); even.size() == lines) return even;
  return filled(words, size, width);
}

std::string subscript(int64_t number) {
  std::string text;
  for (char digit : std::to_string(number))
    text += digit == '-' ? std::string("\xe2\x82\x8b")
                         : std::string("\xe2\x82") + static_cast<char>(0x80 + (digit - '0'));
  return text;
}

}  // namespace limpid::draw

#include "core/label.h"

#include <utf8proc.h>

#include <cstdio>
#include <utility>

#include "core/utf8.h"
#include "core/width.h"

namespace limpid {
namespace {

std::string hex(const char* before, unsigned value, int digits) {
  char out[24];
  std::snprintf(out, sizeof out, "<%s%0*X>", before, digits, value);
  return out;
}

enum class Look { plain, mark, joiner, hidden };

// What a character does to the line it is written on.
Look look(char32_t point) {
  // Zero-width (non-)joiners and variation selectors are part of ordinary Persian, Hindi and emoji.
  if (point == 0x200C || point == 0x200D || (point >= 0xFE00 && point <= 0xFE0F)) return Look::joiner;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(point))) {
    case UTF8PROC_CATEGORY_CC:  // control characters: escape sequences start with one
    case UTF8PROC_CATEGORY_CF:  // format characters: direction overrides, zero-width spaces
    case UTF8PROC_CATEGORY_ZS:  // spaces other than U+0020
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CO:  // private use and unassigned: no one knows their width
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CS:
      return Look::hidden;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_MC:
      return Look::mark;
    default:
      return Look::plain;
  }
}

std::string shown(std::string_view bytes, const char* space) {
  std::string out;
  bool on_letter = false;  // whether a mark would sit on the character before it
  for (size_t at = 0; at < bytes.size();) {
    const Character c = character_at(bytes, at);
    const std::string_view raw = bytes.substr(at, c.size);
    at += c.size;
    const bool had_letter = std::exchange(on_letter, false);
    if (!c.valid) {
      out += hex("0x", c.point, 2);
    } else if (c.point == ' ') {
      out += space;
    } else if (c.point == '\n') {
      out += "\\n";
    } else if (c.point == '\t') {
      out += "\\t";
    } else if (c.point == '\r') {
      out += "\\r";
    } else if (const Look kind = look(c.point);
               kind == Look::hidden || (kind == Look::joiner && !had_letter)) {
      out += hex("U+", c.point, 4);
    } else {
      if (kind == Look::mark && !had_letter) out += "◌";  // or it would sit on the quote or column before
      out += raw;
      on_letter = true;
    }
  }
  return out;
}

}  // namespace

std::string visible(std::string_view bytes) { return shown(bytes, "·"); }
std::string visible_line(std::string_view bytes) { return shown(bytes, " "); }

std::string in_quotes(std::string_view bytes) {
  // Cut before escaping, so that a megabyte given by mistake costs nothing.
  const std::string_view head = bytes.substr(0, 160);
  std::string out = clip_to_width(shown(head, " "), 40);
  return '"' + out + '"';
}

}  // namespace limpid

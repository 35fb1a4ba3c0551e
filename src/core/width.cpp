#include "core/width.h"

#include <utf8proc.h>

#include "core/utf8.h"

namespace limpid {
namespace {

size_t width_of(const Character& c) {
  if (!c.valid) return 1;
  const int width = utf8proc_charwidth(static_cast<utf8proc_int32_t>(c.point));
  return width < 0 ? 0 : static_cast<size_t>(width);
}

// Bytes of the longest beginning of `text` that takes at most `columns` and ends where a character a
// reader would count ends (a grapheme cluster: a letter with its marks, a joined emoji).
size_t fitting_bytes(std::string_view text, size_t columns) {
  size_t fits = 0, used = 0;
  utf8proc_int32_t previous = 0, state = 0;
  for (size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    const auto point = c.valid ? static_cast<utf8proc_int32_t>(c.point) : 0xFFFD;
    if (at > 0 && utf8proc_grapheme_break_stateful(previous, point, &state)) fits = at;
    used += width_of(c);
    if (used > columns) return fits;
    previous = point;
    at += c.size;
  }
  return text.size();
}

}  // namespace

size_t display_width(std::string_view text) {
  size_t width = 0;
  for (size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    width += width_of(c);
    at += c.size;
  }
  return width;
}

std::string clip_to_width(std::string_view text, size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns == 0) return "";
  return std::string(text.substr(0, fitting_bytes(text, columns - 1))) + "…";
}

std::string pad_to_width(std::string_view text, size_t columns) {
  std::string out = clip_to_width(text, columns);
  const size_t width = display_width(out);
  return out.append(columns - width, ' ');
}

}  // namespace limpid

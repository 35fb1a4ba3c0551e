// How much room a text takes in a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace limpid {

/// The columns a text takes: East Asian wide characters and emoji 2, combining marks and control
/// characters 0, a byte that is no character 1, everything else 1.  Characters are added up one by one,
/// as wcwidth does: a terminal that draws joined emoji as one leaves the rest of the columns blank.
/// Knows no colour codes: measure before colouring.
size_t display_width(std::string_view text);

/// The text, or where it is wider than `columns` its beginning and "…", together at most `columns` wide.
/// Never parts a letter from its marks.
std::string clip_to_width(std::string_view text, size_t columns);

/// clip_to_width, then spaces up to exactly `columns`.
std::string pad_to_width(std::string_view text, size_t columns);

}  // namespace limpid

// Text in figures: how wide it is, how it is cut and wrapped.  The one source of widths for every layout.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace limpid::draw {

// Sizes of text, in units of the scene.
inline constexpr double k_label_size = 14, k_small_size = 12, k_title_size = 13;
// How far text reaches above and below its baseline, as a share of its size.
inline constexpr double k_ascent = 0.76, k_descent = 0.24;

/// The width of one line of DejaVu Sans; letters the font lacks count as wide as they can be.
double text_width(std::string_view text, double size);

/// The text as one line that any painter can show: bytes that are not UTF-8 become U+FFFD, control characters
/// (and those that change the direction of what follows) go, runs of white space become one blank.
std::string clean(std::string_view text);

/// The same of a piece of a line: a blank at its ends stays.
std::string clean_piece(std::string_view text);

/// The text, cut with "…" to be at most `width` wide.
std::string elided(std::string_view text, double size, double width);

/// The text in lines of about equal width, broken at blanks, as few as keep each within `width` (words that
/// are wider alone are elided).
std::vector<std::string> wrapped(std::string_view text, double size, double width);

/// "X₁₂": the number in small digits.
std::string subscript(int64_t number);

}  // namespace limpid::draw

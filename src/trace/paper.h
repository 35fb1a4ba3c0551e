// Paper and ink: lines of text that are never wider than the terminal, and few colours with one meaning each.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "limpid/trace.h"

namespace limpid {

/// What a piece of text is; its colour is the same in terminal, figure and page.
enum class Ink { plain, heading, faint, query, key, value, weights, alarm };
Ink ink_of(Role);

/// Turns ink into escape sequences, or into nothing.
class Pen {
 public:
  explicit Pen(const PageOptions& options) : colour_(options.colour), true_colour_(options.true_colour) {}
  bool colour() const { return colour_; }
  std::string write(std::string_view text, Ink ink, bool bold = false) const;
  /// On purple, the deeper the larger `share` (0 to 1), in black or white, whichever reads better.
  std::string shaded(std::string_view text, double share) const;

 private:
  std::string code(int ground, int red, int green, int blue) const;
  bool colour_, true_colour_;
};

/// One line being written, left to right.  What does not fit is cut with "…".
class Line {
 public:
  Line(const Pen& pen, size_t columns) : pen_(&pen), columns_(columns) {}
  Line& add(std::string_view text, Ink ink = Ink::plain, bool bold = false);
  Line& shaded(std::string_view text, double share);
  /// Spaces up to this column; nothing if the line is already there.
  Line& to(size_t column);
  Line& skip(size_t columns) { return to(width_ + columns); }
  /// The text, so that it ends at `column`.
  Line& right(std::string_view text, size_t column, Ink ink = Ink::plain);
  /// Whether `text` fits between here and the end, with `gap` spaces before it.
  bool fits(std::string_view text, size_t gap = 0) const;
  size_t width() const { return width_; }
  size_t left() const { return columns_ - width_; }
  const Pen& pen() const { return *pen_; }
  const std::string& text() const { return text_; }

 private:
  std::string taken(std::string_view text);
  const Pen* pen_;
  size_t columns_, width_ = 0, spaces_ = 0;  // spaces wait until something follows them
  std::string text_;
};

class Paper {
 public:
  explicit Paper(const PageOptions& options);
  size_t columns() const { return columns_; }
  const Pen& pen() const { return pen_; }
  /// A new line; the reference holds.
  Line& line(size_t indent = 0);
  void blank();
  /// Text broken between words.
  void paragraph(std::string_view text, size_t indent = 0, Ink ink = Ink::plain);
  std::string text() const;

 private:
  Pen pen_;
  size_t columns_;
  std::deque<Line> lines_;
};

}  // namespace limpid

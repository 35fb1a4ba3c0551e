// A page of letters, one to a cell, on which lines join where they meet.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace limpid::draw {

class TextCanvas {
 public:
  TextCanvas(int64_t columns, int64_t rows);
  int64_t columns() const { return columns_; }
  int64_t rows() const { return rows_; }

  /// Words from a cell on; what leaves the page is not written.  Wide letters take two cells.
  void write(int64_t column, int64_t row, std::string_view words);
  void letter(int64_t column, int64_t row, std::string_view one);
  /// Lines between two cells of one row or one column; `dashed` shows where they do not meet others.
  void line(int64_t column, int64_t row, int64_t to_column, int64_t to_row, bool dashed = false);
  /// A rectangle from corner to corner, both included.
  void rectangle(int64_t left, int64_t top, int64_t right, int64_t bottom, bool round = false);
  /// Empties the inside of a rectangle.
  void clear(int64_t left, int64_t top, int64_t right, int64_t bottom);
  bool blank(int64_t column, int64_t row) const;

  /// Lines without blanks at their ends, each ended; no blank lines at top and bottom.
  std::string text() const;

 private:
  struct Cell {
    std::string letter;                                   // what is written; nothing: a blank, or the line's
    unsigned char arms = 0;                               // of lines: up 1, right 2, down 4, left 8
    bool dashed = false, round = false, covered = false;  // covered: the right half of a wide letter
  };
  Cell* at(int64_t column, int64_t row);
  void arm(int64_t column, int64_t row, unsigned char arms, bool dashed, bool round = false);

  int64_t columns_, rows_;
  std::vector<Cell> cells_;
};

}  // namespace limpid::draw

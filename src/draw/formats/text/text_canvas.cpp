#include "draw/formats/text/text_canvas.h"

#include <algorithm>

#include "core/utf8.h"
#include "core/width.h"

namespace limpid::draw {

namespace {

constexpr unsigned char k_up = 1, k_right = 2, k_down = 4, k_left = 8;

// By the arms that meet in a cell.
constexpr std::string_view k_lines[] = {" ", "╵", "╶", "└", "╷", "│", "┌", "├",
                                        "╴", "┘", "─", "┴", "┐", "┤", "┬", "┼"};
constexpr std::string_view k_round[] = {" ", "╵", "╶", "╰", "╷", "│", "╭", "├",
                                        "╴", "╯", "─", "┴", "╮", "┤", "┬", "┼"};

}  // namespace

TextCanvas::TextCanvas(int64_t columns, int64_t rows)
    : columns_(columns), rows_(rows), cells_(static_cast<size_t>(columns * rows)) {}

TextCanvas::Cell* TextCanvas::at(int64_t column, int64_t row) {
  if (column < 0 || row < 0 || column >= columns_ || row >= rows_) return nullptr;
  return &cells_[static_cast<size_t>(row * columns_ + column)];
}

bool TextCanvas::blank(int64_t column, int64_t row) const {
  if (column < 0 || row < 0 || column >= columns_ || row >= rows_) return false;
  const Cell& cell = cells_[static_cast<size_t>(row * columns_ + column)];
  return cell.letter.empty() && cell.arms == 0 && !cell.covered;
}

void TextCanvas::letter(int64_t column, int64_t row, std::string_view one) {
  if (Cell* cell = at(column, row)) *cell = {std::string(one), 0, false, false, false};
}

void TextCanvas::write(int64_t column, int64_t row, std::string_view words) {
  for (size_t i = 0; i < words.size();) {
    const Character c = character_at(words, i);
    const std::string_view letters = words.substr(i, c.size);
    const auto width = static_cast<int64_t>(display_width(letters));
    if (width == 0) {  // a mark of the letter before
      if (Cell* cell = at(column - 1, row); cell && !cell->letter.empty()) cell->letter += letters;
    } else if (column >= 0 && column + width <= columns_) {
      letter(column, row, letters);
      for (int64_t k = 1; k < width; ++k)
        if (Cell* cell = at(column + k, row)) *cell = {"", 0, false, false, true};
    }
    column += width;
    i += c.size;
  }
}

void TextCanvas::arm(int64_t column, int64_t row, unsigned char arms, bool dashed, bool round) {
  Cell* cell = at(column, row);
  if (!cell) return;
  cell->dashed = cell->arms == 0 ? dashed : cell->dashed && dashed;
  cell->round = cell->arms == 0 ? round : cell->round && round;
  cell->arms |= arms;
}

void TextCanvas::line(int64_t column, int64_t row, int64_t to_column, int64_t to_row, bool dashed) {
  const int64_t across = (to_column > column) - (to_column < column), down = (to_row > row) - (to_row < row);
  if (across == 0 && down == 0) return;
  const unsigned char ahead = across > 0   ? k_right
                              : across < 0 ? k_left
                              : down > 0   ? k_down
                                           : k_up,
                      back = across > 0   ? k_left
                             : across < 0 ? k_right
                             : down > 0   ? k_up
                                          : k_down;
  while (true) {
    const bool last = column == to_column && row == to_row;
    arm(column, row, last ? 0 : ahead, dashed);
    if (last) return;
    column += across;
    row += down;
    arm(column, row, back, dashed);
  }
}

void TextCanvas::rectangle(int64_t left, int64_t top, int64_t right, int64_t bottom, bool round) {
  for (int64_t column = left + 1; column < right; ++column) {
    arm(column, top, k_left | k_right, false);
    arm(column, bottom, k_left | k_right, false);
  }
  for (int64_t row = top + 1; row < bottom; ++row) {
    arm(left, row, k_up | k_down, false);
    arm(right, row, k_up | k_down, false);
  }
  arm(left, top, k_right | k_down, false, round);
  arm(right, top, k_left | k_down, false, round);
  arm(left, bottom, k_right | k_up, false, round);
  arm(right, bottom, k_left | k_up, false, round);
}

void TextCanvas::clear(int64_t left, int64_t top, int64_t right, int64_t bottom) {
  for (int64_t row = top; row <= bottom; ++row)
    for (int64_t column = left; column <= right; ++column)
      if (Cell* cell = at(column, row)) *cell = {};
}

std::string TextCanvas::text() const {
  std::vector<std::string> lines;
  for (int64_t row = 0; row < rows_; ++row) {
    std::string line;
    size_t used = 0;
    for (int64_t column = 0; column < columns_; ++column) {
      const Cell& cell = cells_[static_cast<size_t>(row * columns_ + column)];
      if (cell.covered) continue;
      if (!cell.letter.empty())
        line += cell.letter;
      else if (cell.dashed && cell.arms == (k_up | k_down))
        line += "┆";
      else if (cell.dashed && cell.arms == (k_left | k_right))
        line += "┄";
      else
        line += (cell.round ? k_round : k_lines)[cell.arms];
      if (line.back() != ' ') used = line.size();
    }
    line.resize(used);
    lines.push_back(std::move(line));
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  const auto first =
      std::find_if(lines.begin(), lines.end(), [](const std::string& line) { return !line.empty(); });
  std::string out;
  for (auto line = first; line != lines.end(); ++line) out += *line + "\n";
  return out;
}

}  // namespace limpid::draw

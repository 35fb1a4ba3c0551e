// Tables of numbers: one word a row, aligned, cut where the page ends, and a line that says what was left
// out.
#pragma once

#include "trace/paper.h"
#include "trace/reading.h"

namespace limpid {

/// Where tables begin.
inline constexpr size_t k_indent = 4;

/// The labels of these places on an axis, at most `most` columns wide, padded to one width.  k_gap becomes
/// "⋮".
std::vector<std::string> row_labels(const Reading&, Axis axis, const std::vector<int64_t>& places,
                                    size_t most, int64_t of = 0);

/// Which rows of a value stand on the page.
struct ShownRows {
  std::vector<int64_t> positions,
      index;  // what each is of, and where it stands among the numbers; k_gap between
  int64_t left_out = 0;
};
/// Of `size` rows the first and the last, in `most` lines; where only the rows of `places` are there (not
/// empty), those of them among the first and the last of `length`.
ShownRows shown_rows(int64_t size, const std::vector<int64_t>& places, int64_t length, int64_t most);

/// Numbers [rows, columns], or one row [columns].  Rows and columns are named after their axes.  `places`:
/// the positions that the rows are of, where only some are there.
void print_table(Paper&, const Reading&, const ConstView& numbers, Ink, const PageOptions&,
                 const std::vector<int64_t>& places = {});

/// For each row [V] (or rows [T,V]) the few candidates with the largest numbers.
void print_largest(Paper&, const Reading&, const ConstView& numbers, const PageOptions&,
                   const std::vector<int64_t>& places = {});

/// The `most` likeliest candidates of one row [V], each with a bar.
void print_bars(Paper&, const Reading&, const ConstView& row, const PageOptions&, size_t most = 10);

/// "⋮ 12 more words" as a row of a table.
void print_gap(Paper&, const Reading&, Axis axis, int64_t left_out);

}  // namespace limpid

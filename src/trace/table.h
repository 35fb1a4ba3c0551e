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
                                    size_t most);

/// Numbers [rows, columns], or one row [columns].  Rows and columns are named after their axes.
void print_table(Paper&, const Reading&, const ConstView& numbers, Ink, const PageOptions&);

/// For each row [V] (or rows [T,V]) the few candidates with the largest numbers.
void print_largest(Paper&, const Reading&, const ConstView& numbers, const PageOptions&);

/// The `most` likeliest candidates of one row [V], each with a bar.
void print_bars(Paper&, const Reading&, const ConstView& row, const PageOptions&, size_t most = 10);

/// "⋮ 12 more words" as a row of a table.
void print_gap(Paper&, const Reading&, Axis axis, int64_t left_out);

}  // namespace limpid

// A value of the run as a matrix: two of its axes, one head of it, and where each number stands.
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "limpid/scene.h"

namespace limpid::draw {

/// Two axes of a kept value.  The trace must outlive it.
struct Matrix {
  const Tensor* tensor = nullptr;
  Source source;                        // of its first number
  int row_axis = -1, column_axis = -1;  // of the value; -1: it has no such axis, and one row or column
  int64_t rows = 1, columns = 1;
  // Where only some rows of a value were kept (NAME@rows): the axis that was cut down, and where this row
  // stands on it.
  int cut_axis = -1;
  int64_t cut_at = 0;
  double taken = -INFINITY;  // where it is a mask: what the cells that are taken away hold (weights: 0)

  double at(int64_t row, int64_t column) const;
  Source source_at(int64_t row, int64_t column) const;
  /// Of one number made of all of them.
  Source whole(Source::Of) const;
  /// One row as a matrix of its own.
  Matrix row(int64_t row) const;
  Matrix transposed() const;
};

/// The value (or kept parameter) of that name, of the first sentence and of this head; nothing if the trace
/// holds no such numbers, or if the value has further axes.  `head` counts query heads; a value with fewer
/// key heads gives the one that this head reads.  A T x S value that was kept only as its pooled map
/// (NAME@map) gives the map.
std::optional<Matrix> matrix_of(const Trace&, const std::string& name, Axis rows, Axis columns, int64_t head,
                                int64_t heads);

/// One row of it, at this position: of the whole value, or of the rows that were kept of it (NAME@rows).
std::optional<Matrix> row_matrix_of(const Trace&, const std::string& name, Axis rows, Axis columns,
                                    int64_t head, int64_t heads, int64_t position);

/// "%.2f", or as many decimals more as the numbers need where all are small, or an exponent.
std::string format_for(const Matrix&, int decimals = 2);
std::string format_of(double most, int decimals = 2);  // `most`: the largest of them, without its sign

/// Borders of `bins` (or fewer) parts of `count` places, as even as can be: bins + 1 numbers.
std::vector<int64_t> even_bins(int64_t count, int64_t bins);

/// The grid's cells from the matrix: pooled by their mean where `most_rows` or `most_columns` are fewer than
/// it has.  `mask` takes cells away: of scores those that are -inf, of the weights those that are 0.  low and
/// high are the least and the largest number, or 0 and 1 for a matrix of shares; place and size are the
/// caller's.
SceneGrid grid_of(const Matrix&, const Matrix* mask, int64_t most_rows, int64_t most_columns);

}  // namespace limpid::draw

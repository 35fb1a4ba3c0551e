// Gaps in a series: which cells are gaps, and what becomes of them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "limpid/data.h"

namespace limpid::data {

/// An empty cell, "NA", "?", ...: what files write for a value that is missing.
bool is_marked_gap(std::string_view field);

/// Reads cells and counts gaps in the table's `gaps` and `odd`.
class GapCounter {
 public:
  GapCounter(SeriesTable& table, bool refuse) : table_(table), refuse_(refuse) {}
  /// The number of a cell, or NaN.  `place` says where the cell is, for a message.
  double value(const std::string& field, const std::function<std::string()>& place);

 private:
  SeriesTable& table_;
  bool refuse_;
};

/// Puts numbers in the place of NaN, column by column.
void fill_gaps(Tensor& values, Gaps gaps);

}  // namespace limpid::data

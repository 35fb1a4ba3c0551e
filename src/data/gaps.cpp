#include "data/gaps.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/label.h"
#include "core/number_text.h"
#include "data/content.h"

namespace limpid::data {

namespace {

constexpr std::string_view k_gap_marks[] = {"", "na", "n/a", "nan", "null", "none", "?", "-"};

constexpr double k_gap = std::numeric_limits<double>::quiet_NaN();

// "1,5" is a number where decimals have a comma.
bool is_decimal_comma(std::string field) {
  const size_t comma = field.find(',');
  if (comma == field.npos) return false;
  field[comma] = '.';
  return parse_number(field).has_value();
}

// Fills the gaps of one column between two values; `first` and `second` are its rows, outside where there is
// none.
void fill_between(double* column, int64_t stride, int64_t first, int64_t second, int64_t rows, Gaps gaps) {
  const bool before = first >= 0, after = second < rows;
  for (int64_t row = first + 1; row < second; ++row) {
    double& cell = column[row * stride];
    if (!before || !after || gaps == Gaps::previous) {
      cell = before ? column[first * stride] : column[second * stride];
    } else {
      const double share = static_cast<double>(row - first) / static_cast<double>(second - first);
      cell = std::lerp(column[first * stride], column[second * stride], share);
    }
  }
}

}  // namespace

bool is_marked_gap(std::string_view field) {
  const std::string mark = lower_case(trimmed(field));
  return std::find(std::begin(k_gap_marks), std::end(k_gap_marks), mark) != std::end(k_gap_marks);
}

double GapCounter::value(const std::string& field, const std::function<std::string()>& place) {
  const auto number = parse_number(trimmed(field));
  if (number && std::isfinite(*number)) return *number;
  const bool marked = is_marked_gap(field);
  const std::string what =
      marked ? ""
             : join(place(), ": ", in_quotes(field), " is no ", number ? "finite " : "", "number",
                    is_decimal_comma(field) ? "; a decimal is written with a point" : "");
  if (refuse_) fail_work(marked ? place() + " is a gap" : what);
  if (!marked) table_.odd.add(what);
  ++table_.gaps;
  return k_gap;
}

void fill_gaps(Tensor& values, Gaps gaps) {
  if (gaps == Gaps::keep) return;
  const int64_t rows = values.shape()[0].size, width = values.shape()[1].size;
  for (int64_t i = 0; i < width; ++i) {
    double* column = values.data<double>() + i;
    int64_t last = -1;  // the last row that holds a value
    for (int64_t row = 0; row < rows; ++row) {
      if (std::isnan(column[row * width])) continue;
      fill_between(column, width, last, row, rows, gaps);
      last = row;
    }
    if (last >= 0) fill_between(column, width, last, rows, rows, gaps);
  }
}

}  // namespace limpid::data

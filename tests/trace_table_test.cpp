#include "trace/table.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/width.h"
#include "limpid/model.h"

namespace limpid {
namespace {

// A row of 0.12 and, at one place, another number, on a page of these columns.
std::string table_of(int64_t count, int64_t place, double other, size_t columns) {
  const Trace trace = Model::textbook_walk("Life is short", {}, 7).trace("Life is short");
  PageOptions options;
  options.columns = columns;
  options.decimals = 2;
  Tensor row(DType::f64, {{Axis::none, 1}, {Axis::none, count}});
  for (int64_t i = 0; i < count; ++i) row.data<double>()[i] = i == place ? other : 0.12;
  Paper paper(options);
  print_table(paper, Reading(trace), row, Ink::plain, options);
  return paper.text();
}

int64_t numbers_in(const std::string& text) {
  int64_t count = 0;
  for (size_t at = text.find("0.12"); at != text.npos; at = text.find("0.12", at + 1)) ++count;
  return count;
}

// A number that is not shown does not widen the columns that are.
TEST(Tables, NumbersThatAreNotShownTakeNoRoom) {
  const std::string plain = table_of(40, -1, 0, 60);
  const std::string hidden = table_of(40, 39, 0.0001, 60);  // "<0.01"
  EXPECT_EQ(hidden, plain);
  EXPECT_EQ(numbers_in(plain), 8) << plain;
  EXPECT_EQ(table_of(40, 39, -1234.5, 60), plain);
  // One that is shown does.
  const std::string shown = table_of(40, 2, 0.0001, 60);
  EXPECT_NE(shown.find("<0.01"), shown.npos);
  EXPECT_LT(numbers_in(shown), 8) << shown;
}

// Where the wide number is the first that might still fit, the table ends before it.
TEST(Tables, AnyPlaceOfAWideNumberFitsThePage) {
  for (int64_t place = 0; place < 12; ++place)
    for (size_t columns : {30, 47, 60, 80}) {
      const std::string text = table_of(12, place, -123456.78, columns);
      for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        EXPECT_LE(display_width(text.substr(at, end - at)), columns) << text;
        at = end + 1;
      }
    }
}

}  // namespace
}  // namespace limpid

#include <gtest/gtest.h>

#include <cmath>

#include "data/readers.h"
#include "files/test_files.h"

namespace limpid {
namespace {

using Names = std::vector<std::string>;

SeriesTable series(const std::string& content, const SeriesOptions& options = {}) {
  return data::series_table({"x.csv", content}, options);
}

std::vector<double> column(const SeriesTable& table, int64_t i) {
  std::vector<double> out;
  for (int64_t row = 0; row < table.values.shape()[0].size; ++row) out.push_back(table.values.at({row, i}));
  return out;
}

TEST(Series, times_and_columns) {
  const SeriesTable t = series("date,a,b\n2016-07-01,1,2.5\n2016-07-02,-3e2, 4 \n");
  EXPECT_EQ(t.times, (Names{"2016-07-01", "2016-07-02"}));
  EXPECT_EQ(t.columns, (Names{"a", "b"}));
  EXPECT_EQ(t.values.dtype(), DType::f64);
  EXPECT_EQ(t.values.shape().text(), "[2,2]");
  EXPECT_EQ(column(t, 1), (std::vector<double>{2.5, 4}));
  EXPECT_EQ(t.gaps, 0);
}

TEST(Series, without_names_or_times) {
  const SeriesTable bare = series("1,2\n3,4\n");
  EXPECT_EQ(bare.columns, (Names{"0", "1"}));
  EXPECT_TRUE(bare.times.empty());
  const SeriesTable timed = series("Jan;1\nFeb;2\n");
  EXPECT_EQ(timed.times, (Names{"Jan", "Feb"}));
  EXPECT_EQ(timed.columns, (Names{"1"}));
  EXPECT_EQ(series("year,x\n1749,1\n1750,2\n").times, (Names{"1749", "1750"}))
      << "called a time, though a number";
  EXPECT_EQ(series("5\n6\n7\n").values.shape().text(), "[3,1]");
}

TEST(Series, columns_are_chosen) {
  const std::string table = "t,x,y,place\n1,2,3,here\n4,5,6,there\n";
  const SeriesTable all = series(table);
  EXPECT_EQ(all.columns, (Names{"t", "x", "y"}));
  EXPECT_EQ(all.left_out, (Names{"place"}));
  const SeriesTable chosen = series(table, {.columns = {"y", "1"}, .time = "place"});
  EXPECT_EQ(chosen.columns, (Names{"y", "x"}));
  EXPECT_EQ(column(chosen, 0), (std::vector<double>{3, 6}));
  EXPECT_EQ(chosen.times, (Names{"here", "there"}));
}

constexpr const char* k_gappy = "m,x,y\n1,,1\n2,4,NA\n3,?,nan\n4,N/A,7\n5,8,-\n";

TEST(Series, gaps_are_filled_with_the_value_before) {
  const SeriesTable t = series(k_gappy);
  EXPECT_EQ(t.gaps, 6);
  EXPECT_EQ(t.odd.count, 0);
  EXPECT_EQ(column(t, 1), (std::vector<double>{4, 4, 4, 4, 8}));
  EXPECT_EQ(column(t, 2), (std::vector<double>{1, 1, 1, 7, 7}));
}

TEST(Series, gaps_are_interpolated_kept_or_refused) {
  const SeriesTable line = series(k_gappy, {.gaps = Gaps::interpolate});
  EXPECT_EQ(column(line, 2), (std::vector<double>{1, 3, 5, 7, 7}));
  EXPECT_DOUBLE_EQ(line.values.at({2, 1}), 4 + 4.0 / 3);
  const SeriesTable kept = series(k_gappy, {.gaps = Gaps::keep});
  EXPECT_TRUE(std::isnan(kept.values.at({0, 1})));
  EXPECT_EQ(kept.gaps, 6);
  EXPECT_TRUE(holds(error_of([] { series(k_gappy, {.gaps = Gaps::refuse}); }),
                    {"x.csv: line 2, column 2 (\"x\") is a gap"}));
}

TEST(Series, what_is_no_number_is_a_gap_that_is_named) {
  const SeriesTable t = series("d,x\n1,0.3\n2,?0.2\n3,inf\n4,\"0,5\"\n");
  EXPECT_EQ(column(t, 1), (std::vector<double>{0.3, 0.3, 0.3, 0.3}));
  EXPECT_EQ(t.gaps, 3);
  ASSERT_EQ(t.odd.count, 3);
  EXPECT_TRUE(holds(t.odd.first[0], {"x.csv: line 3, column 2 (\"x\")", "\"?0.2\" is no number"}));
  EXPECT_TRUE(holds(t.odd.first[1], {"line 4", "no finite number"}));
  EXPECT_TRUE(holds(t.odd.first[2], {"line 5", "with a point"}));
}

TEST(Series, rows_of_another_width_are_named) {
  const SeriesTable t = series("d,x\n1,2\n3\n4,5,6\n7,8\n");
  EXPECT_EQ(column(t, 0), (std::vector<double>{1, 7}));
  EXPECT_EQ(t.skipped.count, 2);
  EXPECT_TRUE(holds(t.skipped.first[0], {"line 3 has 1 field, expected 2"}));
}

TEST(Series, times_run_forwards) {
  EXPECT_TRUE(holds(error_of([] { series("date,x\n2020-03,1\n2020-02,2\n2020-01,3\n"); }),
                    {"backwards", "\"2020-03\"", "\"2020-01\"", "earliest first"}));
  EXPECT_EQ(series("date,x\n2020-03,1\n2020-02,2\n2020-04,3\n").times.size(), 3u);
}

TEST(Series, what_the_names_file_says) {
  const TestFolder folder;
  write_file_whole(folder / "x.csv", "1\n2\n");
  EXPECT_EQ(read_series(folder / "x.csv").about, "");
  write_file_whole(folder / "x.names", "Sunspots of a year \n\nSource: a book\n");
  EXPECT_EQ(read_series(folder / "x.csv").about, "Sunspots of a year");
}

}  // namespace
}  // namespace limpid

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bit>
#include <cmath>

#include "files/csv_rows.h"
#include "files/test_files.h"
#include "limpid/files.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;

using Names = std::vector<std::string>;

CsvNumbers numbers(std::string_view text, const CsvOptions& options = {}) {
  return read_csv(bytes_of(text), "x.csv", options);
}
CsvText words(std::string_view text, const CsvOptions& options = {}) {
  return read_csv_text(bytes_of(text), "x.csv", options);
}
std::string error_in(std::string_view text, const CsvOptions& options = {}) {
  return error_of([&] { numbers(text, options); });
}

TEST(Csv, reads_numbers_with_and_without_names) {
  const CsvNumbers named = numbers("a,b\n1,2.5\n-3e2, 4 \n");
  EXPECT_EQ(named.columns, (Names{"a", "b"}));
  EXPECT_EQ(named.values.shape(), Shape::unnamed({2, 2}));
  EXPECT_EQ(named.values.dtype(), DType::f64);
  EXPECT_EQ(named.values.at({0, 1}), 2.5);
  EXPECT_EQ(named.values.at({1, 0}), -300);
  EXPECT_EQ(named.values.at({1, 1}), 4);
  const CsvNumbers bare = numbers("1,2\n3,4");
  EXPECT_TRUE(bare.columns.empty());
  EXPECT_EQ(bare.values.at({1, 1}), 4);
  EXPECT_TRUE(std::isnan(numbers("nan,inf").values.at({0, 0})));
  EXPECT_EQ(numbers("1,-inf").values.at({0, 1}), -INFINITY);
}

TEST(Csv, header_may_be_said) {
  EXPECT_EQ(numbers("1,2\n3,4\n", {.header = CsvHeader::present}).columns, (Names{"1", "2"}));
  EXPECT_TRUE(holds(error_in("a,b\n3,4\n", {.header = CsvHeader::absent}),
                    {"line 1, column 1", "'a' is not a number"}));
  EXPECT_EQ(numbers("a,b\n").values.shape(), Shape::unnamed({0, 2}));
}

TEST(Csv, line_ends_quotes_and_marks) {
  const CsvText t = words("\xef\xbb\xbfname,\"said, \"\"so\"\"\"\r\n\r\n\"two\r\nlines\",5\" pipe\r\n,\"\"\n",
                          {.header = CsvHeader::absent});
  ASSERT_EQ(t.rows.size(), 3u);
  EXPECT_EQ(t.rows[0], (Names{"name", "said, \"so\""}));
  EXPECT_EQ(t.rows[1], (Names{"two\r\nlines", "5\" pipe"}));
  EXPECT_EQ(t.rows[2], (Names{"", ""}));
  EXPECT_EQ(numbers("\"1\",\"2\"\r3,4\r").values.at({1, 0}), 3);
  EXPECT_EQ(numbers("1;2\n", {.separator = ';'}).values.at({0, 1}), 2);
  EXPECT_EQ(words("text,label\nhi,a\n").columns, (Names{"text", "label"}));
}

TEST(Csv, columns_are_chosen_by_name) {
  const std::string_view text = "date,x,y\n2016-07-01,1,2\n2016-07-02,3,4\n";
  const CsvNumbers t = numbers(text, {.columns = {"y", "x"}});
  EXPECT_EQ(t.columns, (Names{"y", "x"}));
  EXPECT_EQ(t.values.at({1, 0}), 4);
  EXPECT_EQ(t.values.at({1, 1}), 3);
  EXPECT_EQ(words(text, {.columns = {"date"}}).rows[1], (Names{"2016-07-02"}));
  const auto missing = [&](std::string_view csv) {
    return error_of([&] { numbers(csv, {.columns = {"z"}}); }, Error::Kind::call);
  };
  EXPECT_TRUE(holds(missing(text), {"no column 'z'", "'date', 'x', 'y'"}));
  EXPECT_TRUE(holds(missing("a,b\n"), {"no column 'z'"}));
  EXPECT_TRUE(holds(missing("1,2\n"), {"column 'z'", "names no columns"}));
}

TEST(Csv, errors_name_line_and_column) {
  EXPECT_TRUE(holds(error_in(""), {"x.csv", "empty"}));
  EXPECT_TRUE(holds(error_in("\n\n"), {"x.csv", "empty"}));
  EXPECT_TRUE(holds(error_in("date,t\n2016-07-01,5\n", {.labels = CsvLabels::absent}),
                    {"line 2, column 1 ('date')", "'2016-07-01' is not a number"}));
  EXPECT_TRUE(holds(error_in("a,b\n1,2\n\n3,?0.2\n"), {"line 4, column 2 ('b')", "'?0.2'"}));
  EXPECT_TRUE(holds(error_in("1,2\n3,\n"), {"line 2, column 2", "'' is not a number"}));
  EXPECT_TRUE(holds(error_in("1,2\n3\n"), {"line 2 has 1 field,", "expected 2 as in line 1"}));
  EXPECT_TRUE(holds(error_in("1,2\n3,4,5\n"), {"line 2 has 3 fields,", "expected 2"}));
  EXPECT_TRUE(holds(error_in("a,b\n1,\"2\n3,4\n"), {"line 2, column 2", "never closed"}));
  EXPECT_TRUE(holds(error_in("a,b\n1,\"2\"3\n"), {"line 2, column 2", "'3' after a closing quote"}));
  EXPECT_TRUE(holds(error_in("\"a\nb\",c\n1,x\n"), {"line 3, column 2 ('c')", "'x'"}));
  EXPECT_TRUE(holds(error_in("1,1e999\n"), {"line 1, column 2"}));
  EXPECT_TRUE(holds(error_in("1,\x1b[31m" + std::string(100, 'x') + "\n"), {"'?[31mxxx", "...'"}));
  EXPECT_TRUE(holds(error_of([] { numbers("1", {.separator = '"'}); }, Error::Kind::call), {"separator"}));
}

TEST(Csv, the_separator_is_found_in_the_first_line) {
  for (const std::string_view text :
       {"1,2\n3,4\n", "1;2\n3;4\n", "1\t2\n3\t4\n", "1 2\n3 4\n", "  1   2  \n\n 3 \t4\n", "\n1, 2\n3 ,4\n",
        "\"1\";2\n3;4\n", "x y\n1 2\n3 4\n", "\"a,b\";\"c\td\"\n1;2\n3;4\n", "1\t 2\n3\t4 \n"}) {
    const CsvNumbers t = numbers(text);
    ASSERT_EQ(t.values.shape().text(), "[2,2]") << text;
    EXPECT_EQ(t.values.at({1, 0}), 3) << text;
    EXPECT_EQ(t.values.at({1, 1}), 4) << text;
    EXPECT_TRUE(t.labels.empty());
  }
  EXPECT_EQ(numbers("1\n2\n").values.shape().text(), "[2,1]");
  EXPECT_EQ(words("two words\nthree more words\n").rows.size(), 1u);  // texts are not cut at blanks
  EXPECT_EQ(numbers("1|2\n", {.separator = '|'}).values.shape().text(), "[1,2]");
  EXPECT_TRUE(holds(error_in("1|2\n3|4\n"), {"'3|4' is not a number"}));
  EXPECT_TRUE(holds(error_in("1,5;2,5\n3,5;4,5\n"), {"line 2, column 2", "'4,5' is not a number"}));
  EXPECT_TRUE(holds(error_in("1 2\n3 4 5\n"), {"line 2 has 3 fields", "expected 2 as in line 1", "blanks"}));
}

TEST(Csv, a_column_of_names_is_kept_apart) {
  const Names rows = {"Life", "is"};
  for (const std::string_view text :
       {"word,x,y\nLife,1,2\nis,3,4\n", "Life,1,2\nis,3,4\n", ",x,y\nLife,1,2\nis,3,4\n",  // pandas
        "x y\nLife 1 2\nis 3 4\n",                                                         // R
        "\"Life\"\t1\t2\n\"is\"\t3\t4\n"}) {
    const CsvNumbers t = numbers(text);
    EXPECT_EQ(t.labels, rows) << text;
    ASSERT_EQ(t.values.shape().text(), "[2,2]") << text;
    EXPECT_EQ(t.values.at({1, 1}), 4) << text;
    if (!t.columns.empty()) {
      EXPECT_EQ(t.columns, (Names{"x", "y"})) << text;
    }
  }
  EXPECT_EQ(numbers(",0,1\n0,5,6\n1,7,8\n").labels, (Names{"0", "1"}));  // numbers as names: pandas' index
  EXPECT_EQ(numbers("7,1\n8,2\n", {.labels = CsvLabels::present}).labels, (Names{"7", "8"}));
  EXPECT_EQ(numbers("n,x,y\na,1,2\n", {.columns = {"y"}}).values.at({0, 0}), 2);
  // one name among numbers is a mistake, not a column of names
  EXPECT_TRUE(holds(error_in("x,y\n1,2\nLife,4\n"), {"line 3, column 1 ('x')", "'Life' is not a number"}));
  EXPECT_TRUE(
      holds(error_in("word,x\nLife,1\n,2\n"), {"line 2, column 1 ('word')", "'Life' is not a number"}));
  EXPECT_TRUE(holds(error_in("word,x\nLife,one\n"), {"line 2, column 2 ('x')", "'one' is not a number"}));
}

TEST(Csv, rows_go_on_behind_a_faulty_one) {
  CsvRows rows("a,\"b\"c,\"d\n\ne,\"f\ng\"\n", "x.csv", ',');
  CsvRow row;
  std::string fault;
  ASSERT_TRUE(rows.next(row, fault));
  EXPECT_TRUE(holds(fault, {"line 1, column 2", "'c' after a closing quote"}));
  ASSERT_TRUE(rows.next(row, fault));
  EXPECT_EQ(fault, "");
  EXPECT_EQ(rows.line(), 3);
  EXPECT_EQ(row, (Names{"e", "f\ng"}));
  EXPECT_FALSE(rows.next(row, fault));
}

TEST(Csv, quotes_may_be_characters_like_others) {
  CsvRows rows("\"a\tb\"\n\"\"\"\n", "x.tsv", '\t', false);
  CsvRow row;
  ASSERT_TRUE(rows.next(row));
  EXPECT_EQ(row, (Names{"\"a", "b\""}));
  ASSERT_TRUE(rows.next(row));
  EXPECT_EQ(row, (Names{"\"\"\""}));
}

TEST(Csv, what_is_written_reads_back) {
  const TestFolder folder;
  const auto t = Tensor::of<double>(Shape::unnamed({2, 3}), {0.1, -1e300, 5e-324, INFINITY, 0, 123456789.5});
  write_csv(folder / "a.csv", t, {"plain", "with, comma", "with \"quote\""});
  EXPECT_EQ(read_file(folder / "a.csv"),
            "plain,\"with, comma\",\"with \"\"quote\"\"\"\n0.1,-1e+300,5e-324\ninf,0,123456789.5\n");
  const CsvNumbers back = read_csv(folder / "a.csv");
  EXPECT_EQ(back.columns, (Names{"plain", "with, comma", "with \"quote\""}));
  for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(back.values.at({i / 3, i % 3}), t.at({i / 3, i % 3}));
  EXPECT_EQ(csv_bytes(Tensor::of<float>(Shape::unnamed({2}), {0.1f, 2})), "0.1\n2\n");
  EXPECT_EQ(csv_bytes(Tensor::of<int64_t>(Shape::unnamed({1, 2}), {INT64_MIN, INT64_MAX})),
            "-9223372036854775808,9223372036854775807\n");
  EXPECT_EQ(csv_bytes(t.view().permuted({1, 0}).window(0, 0, 1)), "0.1,inf\n");
  EXPECT_TRUE(holds(error_of([&] { csv_bytes(t, {"a"}); }, Error::Kind::call), {"1 names", "3 columns"}));
  EXPECT_TRUE(holds(error_of([&] { csv_bytes(Tensor(DType::f32, Shape{})); }, Error::Kind::call),
                    {"[rows, columns]"}));
}

TEST(Csv, every_double_comes_back) {
  EXPECT_TRUE(rc::check([](const std::vector<uint64_t>& bits) {
    RC_PRE(!bits.empty());
    std::vector<double> values;
    for (uint64_t b : bits) values.push_back(std::bit_cast<double>(b * 0x9e3779b97f4a7c15));
    const auto count = static_cast<int64_t>(values.size());
    const Tensor back =
        numbers(csv_bytes(Tensor::of(Shape::unnamed({count, 1}), values)), {.header = CsvHeader::absent})
            .values;
    for (int64_t i = 0; i < count; ++i) {
      const double value = values[static_cast<size_t>(i)], got = back.at({i, 0});
      const bool equal = value == got || (std::isnan(value) && std::isnan(got));
      RC_ASSERT(equal);
    }
  }));
}

TEST(Csv, any_bytes_give_a_table_or_an_error) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    for (auto header : {CsvHeader::automatic, CsvHeader::present, CsvHeader::absent}) {
      error_of([&] { words(text, {.header = header}); });
      error_of([&] { numbers(text, {.header = header}); });
    }
  }));
  const std::string whole = "\"a\",b\r\n1,\"2\"\r\n";
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string broken = whole;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << (bit % 8)));
    error_of([&] { numbers(broken); });
  }
}

TEST(Csv, tables_of_the_data_folder_load) {
  const fs::path folder = data_folder();
  if (!fs::exists(folder / "timeseries"))
    GTEST_SKIP() << "no " << folder << " (LIMPID_DATA names the data folder)";
  const CsvNumbers ett = read_csv(folder / "timeseries/ETTh1.csv", {.columns = {"HUFL", "OT"}});
  EXPECT_EQ(ett.values.shape(), Shape::unnamed({17420, 2}));
  EXPECT_NEAR(ett.values.at({0, 1}), 30.531, 1e-3);
  const CsvText intents = read_csv_text(folder / "classify/banking77/train.csv");
  EXPECT_EQ(intents.columns, (Names{"text", "category"}));
  EXPECT_EQ(intents.rows.size(), 10003u);
  EXPECT_EQ(intents.rows[0][1], "card_arrival");
}

}  // namespace
}  // namespace limpid

// Texts with a class or a number each.
#include <gtest/gtest.h>

#include "data/readers.h"
#include "files/deflate.h"
#include "files/test_files.h"

namespace limpid {
namespace {

using Words = std::vector<std::string>;
using Numbers = std::vector<int64_t>;

LabelledTexts texts(const std::string& content, const TableOptions& options = {}, const Words& classes = {},
                    const std::string& name = "x.csv") {
  return data::labelled_texts({name, content}, options, classes);
}

TEST(LabelledTexts, csv_with_names_of_columns) {
  const LabelledTexts t =
      texts("text,category\r\n\"Hello, \"\"you\"\"\",greeting\r\n\"two\nlines\", card \r\nbye,greeting\r\n");
  EXPECT_EQ(t.texts, (Words{"Hello, \"you\"", "two\nlines", "bye"}));
  EXPECT_EQ(t.classes, (Words{"card", "greeting"}));
  EXPECT_EQ(t.labels, (Numbers{1, 0, 1}));
  EXPECT_EQ(t.skipped.count, 0);
}

TEST(LabelledTexts, tabs_without_names_and_quotes_that_are_the_writers_own) {
  const LabelledTexts t =
      texts("ham\tGo on, now\nspam\t\"FREE\" prize\nham\t\"ok\nham\tlater\n", {}, {}, "SMS");
  EXPECT_EQ(t.texts, (Words{"Go on, now", "\"FREE\" prize", "\"ok", "later"}));
  EXPECT_EQ(t.classes, (Words{"ham", "spam"}));
  EXPECT_EQ(t.labels, (Numbers{0, 1, 0, 0}));
  EXPECT_EQ(texts("a\t\"x\ty\"\nb\tz\na\tw\n", {.quotes = true}).texts[0], "x\ty");
}

TEST(LabelledTexts, json_lines) {
  const LabelledTexts t = texts(
      "{\"text\": \"a\\nb\", \"label\": 10, \"id\": 7}\n\n{\"label\": 2, \"text\": \"c\"}\r\n{\"text\": "
      "\"d\", "
      "\"label\": 10}",
      {}, {}, "x.jsonl");
  EXPECT_EQ(t.texts, (Words{"a\nb", "c", "d"}));
  EXPECT_EQ(t.classes, (Words{"2", "10"})) << "whole numbers are in the order of their values";
  EXPECT_EQ(t.labels, (Numbers{1, 0, 1}));
  const std::string nested =
      "{\"data\": {\"text\": \"a\", \"flag\": true}, \"n\": 1}\n{\"data\": {\"text\": \"b\", \"flag\": "
      "false}, \"n\": 2}\n";
  const LabelledTexts deep = texts(nested, {.label = "data.flag"}, {}, "unnamed");
  EXPECT_EQ(deep.texts, (Words{"a", "b"}));
  EXPECT_EQ(deep.classes, (Words{"false", "true"}));
}

TEST(LabelledTexts, columns_by_name_number_and_guess) {
  const std::string three = "id,Message,Class\n1,one,a\n2,two,b\n";
  EXPECT_EQ(texts(three).texts, (Words{"one", "two"}));
  EXPECT_EQ(texts(three, {.text = "class", .label = "id"}).texts, (Words{"a", "b"}));
  EXPECT_EQ(texts(three, {.text = "1", .label = "2"}).labels, (Numbers{0, 1}));
  EXPECT_EQ(texts("7,x,one\n8,y,two\n", {.text = "2", .label = "1"}).texts, (Words{"one", "two"}));
  EXPECT_EQ(texts("text,wording\na,b\n", {.label = "text"}).texts, (Words{"b"}))
      << "of two the other is the other";
  EXPECT_EQ(texts("kind,words\nk,some words\n", {.label = "kind", .header = true}).texts,
            (Words{"some words"}));
  EXPECT_EQ(texts("label,text\nlabel,text\n", {.text = "1", .label = "0", .header = false}).texts.size(), 2u);
}

TEST(LabelledTexts, the_separator_is_one_by_which_rows_are_alike) {
  EXPECT_EQ(texts("text;label\na, b;x\nc;y\n").texts, (Words{"a, b", "c"}));
  EXPECT_EQ(texts("text,label\na; b,x\nc,y\n").texts, (Words{"a; b", "c"}));
  EXPECT_EQ(texts("so; it is,x\nno,y\nyes,x\n").texts, (Words{"so; it is", "no", "yes"}));
  EXPECT_EQ(texts("text|label\na|x\n", {.separator = "|"}).texts, (Words{"a"}));
  EXPECT_EQ(texts("a,b\tx\nc,d\ty\ne,f\tx\n", {}, {}, "x.tsv").texts, (Words{"a,b", "c,d", "e,f"}));
}

TEST(LabelledTexts, long_texts_do_not_hide_the_separator) {
  std::string table = "text,label\n";
  for (int i = 0; i < 30; ++i)
    table += join("\"", std::string(40'000, 'a'), "; b\",", i % 2 ? "x" : "y", "\n");
  EXPECT_EQ(texts(table).texts.size(), 30u);
}

TEST(LabelledTexts, classes_that_are_known) {
  const LabelledTexts t = texts("text,label\na,spam\nb,eggs\nc,ham\n", {}, {"spam", "ham", "other"});
  EXPECT_EQ(t.labels, (Numbers{0, 1}));
  EXPECT_EQ(t.classes, (Words{"spam", "ham", "other"}));
  EXPECT_EQ(t.skipped.count, 1);
  EXPECT_TRUE(holds(t.skipped.first[0], {"x.csv: line 3", "\"eggs\"", "3 classes", "\"spam\", \"ham\""}));
}

TEST(LabelledTexts, rows_that_cannot_be_used_are_counted_and_the_first_named) {
  std::string table = "text,label\ngood,a\nlonely\n\xff\xfe,a\n ,a\nno class,\n";
  for (int i = 0; i < 20; ++i) table += "one,two,three\n";
  const LabelledTexts t = texts(table + "fine,b\n");
  EXPECT_EQ(t.texts, (Words{"good", "fine"}));
  EXPECT_EQ(t.skipped.count, 24);
  ASSERT_EQ(t.skipped.first.size(), SkippedRows::k_named);
  EXPECT_TRUE(holds(t.skipped.first[0], {"line 3 has 1 field, expected 2 as in line 1"}));
  EXPECT_TRUE(holds(t.skipped.first[1], {"line 4: the text is not UTF-8", "byte 1 is 0xFF"}));
  EXPECT_TRUE(holds(t.skipped.first[2], {"line 5: the text is empty"}));
  EXPECT_TRUE(holds(t.skipped.first[3], {"line 6: the class is empty"}));
}

TEST(LabelledTexts, a_first_row_that_may_be_names_is_asked_about) {
  std::string table = "Klasse\tKommentar\n";
  for (int i = 0; i < 12; ++i) table += join(i % 2 ? "gut" : "schlecht", "\tNummer ", i, "\n");
  EXPECT_TRUE(
      holds(error_of([&] { texts(table); }, Error::Kind::call), {"first row", "\"Klasse\"", "header"}));
  EXPECT_EQ(texts(table, {.header = true}).texts.size(), 12u);
  EXPECT_EQ(texts(table, {.header = false}).texts.size(), 13u);
}

TEST(LabelledTexts, repeats_of_a_text_go) {
  const LabelledTexts t = without_repeats(texts("text,label\na,x\nb,y\na,y\na ,x\nb,y\n"));
  EXPECT_EQ(t.texts, (Words{"a", "b", "a "}));
  EXPECT_EQ(t.labels, (Numbers{0, 1, 0}));
  EXPECT_EQ(t.classes, (Words{"x", "y"}));
}

TEST(LabelledTexts, compressed_files_and_marks) {
  const TestFolder folder;
  write_file_whole(folder / "x.csv.gz", gzipped("\xef\xbb\xbftext,label\na,b\n"));
  EXPECT_EQ(read_labelled_texts(folder / "x.csv.gz").texts, (Words{"a"}));
  write_file_whole(folder / "x.jsonl.gz", gzipped("{\"text\": \"a\", \"label\": \"b\"}"));
  EXPECT_EQ(read_labelled_texts(folder / "x.jsonl.gz").texts, (Words{"a"}));
}

TEST(NumberedTexts, numbers_to_predict) {
  const NumberedTexts t =
      data::numbered_texts({"x.csv", "review,stars\ngood, 4.5\nbad,-1e0\nodd,many\nfar,inf\n"}, {});
  EXPECT_EQ(t.texts, (Words{"good", "bad"}));
  EXPECT_EQ(t.numbers, (std::vector<double>{4.5, -1}));
  EXPECT_EQ(t.skipped.count, 2);
  EXPECT_TRUE(holds(t.skipped.first[0], {"line 4", "\"many\" is no finite number"}));
}

TEST(Lines, ends_marks_and_empty_lines) {
  const auto lines = [](const std::string& content) { return data::lines({"x.txt", content}); };
  EXPECT_EQ(lines("\xef\xbb\xbf"
                  "a\r\n\n b \nlast"),
            (Words{"a", "", " b ", "last"}));
  EXPECT_EQ(lines("a\n"), (Words{"a"}));
  EXPECT_EQ(lines(""), Words{});
  EXPECT_TRUE(holds(error_of([&] { lines("a\nb\xe9\n"); }), {"x.txt: line 2", "UTF-8"}));
}

TextTable read_table(const std::string& content, const TableOptions& options = {},
                     const std::string& name = "x.csv") {
  return data::text_table({name, content}, options);
}

TEST(TextTables, the_column_of_texts_and_all_others) {
  const TextTable t = read_table("id,message,mood\n1,\"a, b\",x\n2,,y\n3,c,z\n");
  EXPECT_EQ(t.columns, (Words{"id", "message", "mood"}));
  EXPECT_EQ(t.text, 1U);
  ASSERT_EQ(t.rows.size(), 2U);
  EXPECT_EQ(t.rows[0], (Words{"1", "a, b", "x"}));
  EXPECT_EQ(t.rows[1], (Words{"3", "c", "z"}));
  EXPECT_EQ(t.skipped.count, 1);
  EXPECT_EQ(read_table("a,b,c\nx,y,z\n", {.text = "c"}).text, 2U);
  EXPECT_EQ(read_table("label,what\n?,y\n").text, 1U);  // the other is of classes
}

TEST(TextTables, one_column_without_a_name) {
  const TextTable t = read_table("rain\nsun\n");
  EXPECT_FALSE(t.header);
  EXPECT_EQ(t.columns, (Words{"0"}));
  EXPECT_EQ(t.rows.size(), 2U);
}

TEST(TextTables, where_other_columns_are_missing_the_texts_stay) {
  const TextTable t = read_table("{\"text\": \"a\", \"n\": 1}\n{\"text\": \"b\"}\n", {}, "x.jsonl");
  EXPECT_EQ(t.columns, Words{"text"});
  EXPECT_EQ(t.rows, (std::vector<Words>{{"a"}, {"b"}}));
  EXPECT_EQ(read_table("{\"n\": 1, \"text\": \"a\"}\n", {}, "x.jsonl").columns, (Words{"n", "text"}));
}

TEST(TextTables, what_cannot_be_guessed_is_asked_for) {
  EXPECT_THROW(read_table("a,b,c\nx,y,z\n"), Error);
  EXPECT_THROW(read_table("a,b,c\nx,y,z\n", {.text = "d"}), Error);
  EXPECT_THROW(read_table("text\n"), Error);
  EXPECT_THROW(read_table(""), Error);
}

}  // namespace
}  // namespace limpid

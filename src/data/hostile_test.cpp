// Files that are not what they should be: each is one error, of the right kind, on one line, that names the
// file and what is wrong.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/readers.h"
#include "data/test_idx.h"
#include "files/deflate.h"
#include "files/image/test_image.h"
#include "files/test_files.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;

using Pieces = std::vector<std::string>;

constexpr auto k_call = Error::Kind::call;
constexpr auto k_work = Error::Kind::work;

// A call with a file that it cannot use.
struct HostileCase {
  const char* what;
  Error::Kind kind;
  std::function<void()> read;
  Pieces says;
};

void expect_one_clear_line(const HostileCase& hostile) {
  SCOPED_TRACE(hostile.what);
  try {
    hostile.read();
    ADD_FAILURE() << "nothing was said";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.kind(), hostile.kind) << message;
    for (const std::string& piece : hostile.says)
      EXPECT_NE(message.find(piece), message.npos) << "no '" << piece << "' in: " << message;
    EXPECT_EQ(message.find_first_of(std::string_view("\n\r\0\x1b", 4)), message.npos) << message;
    EXPECT_LT(message.size(), 500u) << message;
  }
}

void expect_clear_lines(const std::vector<HostileCase>& cases) {
  for (const HostileCase& hostile : cases) expect_one_clear_line(hostile);
}

std::function<void()> texts_of(const std::string& content, const TableOptions& options = {},
                               const std::string& name = "x.csv", const Pieces& classes = {}) {
  return [=] { data::labelled_texts({name, content}, options, classes); };
}
std::function<void()> pairs_of(const std::string& content, const PairOptions& options = {},
                               const std::string& name = "x.tsv") {
  return [=] { data::table_of_pairs({name, content}, options); };
}
std::function<void()> parallel_of(const std::string& source, const std::string& target) {
  return [=] { data::parallel_texts({"x.en", source}, {"x.de", target}); };
}
std::function<void()> idx_of(const std::string& images, const std::string& labels, int64_t limit = 0,
                             const Pieces& classes = {}) {
  return [=] { data::idx_images({"images", images}, {"labels", labels}, limit, classes); };
}
std::function<void()> series_of(const std::string& content, const SeriesOptions& options = {}) {
  return [=] { data::series_table({"x.csv", content}, options); };
}

const std::string k_utf16 = std::string("\xff\xfet\0e\0x\0t\0", 10);

TEST(HostileData, tables_of_texts) {
  std::string own_classes = "text,label\n";
  for (int i = 0; i < 30; ++i) own_classes += join("text ", i, ",class ", i, "\n");
  expect_clear_lines({
      {"an empty file", k_work, texts_of(""), {"x.csv", "empty"}},
      {"blank lines alone", k_work, texts_of(" \n\r\n\n"), {"x.csv", "empty"}},
      {"a mark alone", k_work, texts_of("\xef\xbb\xbf\n"), {"x.csv"}},
      {"names of columns alone", k_work, texts_of("text,label\n"), {"x.csv", "no rows below the names"}},
      {"a missing column",
       k_call,
       texts_of("text,label\na,b\n", {.text = "txt"}),
       {"no column \"txt\"", "\"text\", \"label\""}},
      {"a number of no column",
       k_call,
       texts_of("a,b\nc,d\n", {.text = "7", .label = "0"}),
       {"no column \"7\"", "0 to 1"}},
      {"columns that nobody can guess",
       k_call,
       texts_of("a,b,c\n1,2,3\n", {.header = true}),
       {"which column", "texts", "\"a\", \"b\", \"c\""}},
      {"three columns without names",
       k_call,
       texts_of("x y,z,1\nu v,w,2\n"),
       {"which column", "number, 0 to 2", "header"}},
      {"two columns that are alike", k_call, texts_of("a,b\nc,d\ne,f\n"), {"which column"}},
      {"one column", k_call, texts_of("text\nhello\n"), {"one column", "expected"}},
      {"one column for both",
       k_call,
       texts_of("text,label\na,b\n", {.text = "text", .label = "0"}),
       {"cannot both be column \"text\""}},
      {"a column of two spellings",
       k_call,
       texts_of("Text,TEXT,label\na,b,c\n", {.text = "text"}),
       {"\"Text\" or \"TEXT\""}},
      {"a quote that is never closed",
       k_work,
       texts_of("text,label\n\"a,b\nc,d\n"),
       {"x.csv: line 2, column 1", "never closed"}},
      {"more behind a closing quote",
       k_work,
       texts_of("text,label\n\"a\"b,c\n"),
       {"its only row cannot be used", "line 2", "after a closing quote"}},
      {"names that are quoted wrongly",
       k_work,
       texts_of("\"text\"x,label\na,b\n"),
       {"line 1", "after a closing quote"}},
      {"all rows too short",
       k_work,
       texts_of("text,label\na\nb\n"),
       {"none of its 2 rows", "line 2 has 1 field, expected 2"}},
      {"all rows too long",
       k_work,
       texts_of("text,label\na,b,c\n"),
       {"its only row cannot be used", "3 fields, expected 2"}},
      {"bytes of Latin-1",
       k_work,
       texts_of("text,label\ncaf\xe9,a\n"),
       {"line 2: the text is not UTF-8", "byte 4 is 0xE9"}},
      {"half a character", k_work, texts_of("text,label\na\xe2\x82,a\n"), {"not UTF-8"}},
      {"a NUL byte",
       k_work,
       texts_of(std::string("text,label\na\0b,c\n", 17)),
       {"line 2", "NUL byte (byte 2)"}},
      {"a NUL byte in a class",
       k_work,
       texts_of(std::string("text,label\na,b\0\n", 16)),
       {"line 2: the class holds a NUL byte"}},
      {"classes of no row",
       k_work,
       texts_of("text,label\na,b\n", {}, "x.csv", {"ham", "spam"}),
       {"its only row cannot be used", "\"b\"", "2 classes (\"ham\", \"spam\")"}},
      {"a class given twice",
       k_call,
       texts_of("text,label\na,b\n", {}, "x.csv", {"a", "a"}),
       {"\"a\" is given twice"}},
      {"a class a row", k_call, texts_of(own_classes), {"30 rows", "class of its own", "label"}},
      {"a separator of two characters",
       k_call,
       texts_of("text,label\na,b\n", {.separator = "ab"}),
       {"'ab'", "one character or jsonl"}},
      {"a quote as the separator", k_call, texts_of("text,label\na,b\n", {.separator = "\""}), {"separator"}},
      {"UTF-16", k_work, texts_of(k_utf16), {"x.csv is text in UTF-16", "iconv"}},
      {"an image", k_work, texts_of(image_bytes("rgb.png")), {"x.csv is a PNG image", "expected a table"}},
      {"a page", k_work, texts_of("<!DOCTYPE html><html><body>Sign in</body></html>"), {"x.csv is", "HTML"}},
      {"an archive", k_work, texts_of(std::string("PK\3\4\x14\0\0\0\xff\xff", 10)), {"x.csv is a", "zip"}},
      {"escape codes in names",
       k_call,
       texts_of("\x1b[31mred,b,c\n1,2,3\n", {.header = true}),
       {"which column"}},
      {"a million separators",
       k_work,
       texts_of(std::string(1'000'001, ',') + "\n"),
       {"x.csv: line 1", "more than 1000000 fields"}},
  });
}

TEST(HostileData, json_lines) {
  const auto jsonl = [](const std::string& content, const TableOptions& options = {}) {
    return texts_of(content, options, "x.jsonl");
  };
  expect_clear_lines({
      {"no JSON", k_work, jsonl("text,label\n"), {"its only row cannot be used", "line 1", "not JSON"}},
      {"a broken line alone", k_work, jsonl("{\"text\": \"a\", \n"), {"line 1", "not JSON"}},
      {"a list", k_work, jsonl("[\"a\", \"b\"]\n"), {"line 1 is a list, expected a JSON object"}},
      {"one list of all",
       k_work,
       texts_of("[{\"text\": 1}]", {}, "x.json"),
       {"one JSON list", "an object a line", "jq"}},
      {"a key that no line has",
       k_call,
       jsonl("{\"text\": \"a\", \"label\": 1}\n", {.label = "klass"}),
       {"no column \"klass\"", "\"text\", \"label\""}},
      {"a label that is a list",
       k_work,
       jsonl("{\"text\": \"a\", \"label\": [1]}\n"),
       {"line 1: \"label\" is a list, expected text or a number"}},
      {"a label that is null", k_work, jsonl("{\"text\": \"a\", \"label\": null}\n"), {"\"label\" is null"}},
      {"a key given twice",
       k_work,
       jsonl("{\"text\": \"a\", \"text\": \"b\", \"label\": 1}\n"),
       {"line 1", "given twice"}},
      {"deep brackets", k_work, jsonl(std::string(100'000, '[') + "\n"), {"line 1", "nested"}},
      {"bytes that are no UTF-8",
       k_work,
       jsonl("{\"text\": \"\xff\", \"label\": 1}\n"),
       {"line 1 is not UTF-8"}},
  });
  // One broken line among others is a skipped row.
  const LabelledTexts t =
      data::labelled_texts({"x.jsonl",
                            "{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\"\n{\"text\": "
                            "\"c\"}\n{\"text\": \"d\", \"label\": 1}\n"},
                           {}, {});
  EXPECT_EQ(t.texts.size(), 2u);
  EXPECT_EQ(t.skipped.count, 2);
  EXPECT_TRUE(holds(t.skipped.first[0], {"x.jsonl: line 2", "not JSON"}));
  EXPECT_TRUE(holds(t.skipped.first[1], {"x.jsonl: line 3 has no \"label\""}));
}

TEST(HostileData, numbers_and_pairs) {
  const auto numbered = [](const std::string& content, const TableOptions& options = {}) {
    return [=] { data::numbered_texts({"x.csv", content}, options); };
  };
  expect_clear_lines({
      {"words as numbers",
       k_work,
       numbered("text,score\na,good\nb,bad\n"),
       {"none of its 2 rows", "\"good\" is no finite number"}},
      {"numbers without names", k_call, numbered("a,1\nb,2\n"), {"which column", "numbers"}},
      {"unlike lengths", k_work, parallel_of("a\nb\n", "c\n"), {"x.en has 2 lines, x.de has 1"}},
      {"an empty side", k_work, parallel_of("a\n", ""), {"x.de", "empty"}},
      {"blank sides",
       k_work,
       parallel_of("a\n\n", "\nb\n"),
       {"none of its 2 pairs", "line 1: the target is empty"}},
      {"a side that is no text", k_work, parallel_of("a\n", k_utf16), {"x.de is text in UTF-16"}},
      {"bytes that are no UTF-8",
       k_work,
       parallel_of("a\xff\n", "b\n"),
       {"x.en: its only pair cannot be used: line 1: the source is not UTF-8"}},
      {"three columns of pairs", k_call, pairs_of("a\tb\tc\nd\te\tf\n"), {"which column", "sources"}},
      {"one column of pairs", k_call, pairs_of("a\nb\n"), {"one column", "tabs"}},
      {"pairs without a target",
       k_call,
       pairs_of("en\tde\na\tb\n", {.target = "fr"}),
       {"no column \"fr\"", "\"en\", \"de\""}},
      {"names of pairs alone", k_work, pairs_of("source\ttarget\n"), {"no rows below the names"}},
  });
}

TEST(HostileData, idx) {
  const std::string images = idx_bytes({2, 2, 2}, "abcdefgh"), labels = idx_bytes({2}, "\1\2");
  expect_clear_lines({
      {"nothing", k_work, idx_of("", labels), {"images: is empty", "IDX"}},
      {"no IDX", k_work, idx_of("text,label\na,b\n", labels), {"images: is no IDX file"}},
      {"an unknown type", k_work, idx_of(idx_bytes({2, 2, 2}, "abcdefgh", 7), labels), {"its type is 7"}},
      {"floats",
       k_work,
       idx_of(idx_bytes({1, 1, 1}, "abcd", 0x0D), labels),
       {"32-bit floats, expected bytes"}},
      {"labels for images", k_work, idx_of(labels, labels), {"images: is [2], expected images"}},
      {"images for labels",
       k_work,
       idx_of(images, images),
       {"labels: is [2,2,2], expected labels", "exchanged"}},
      {"cut off in its header",
       k_work,
       idx_of(images.substr(0, 9), labels),
       {"cut off in its header", "9 bytes, expected 16"}},
      {"cut off",
       k_work,
       idx_of(images.substr(0, images.size() - 1), labels),
       {"[2,2,2], which is 8 bytes, but 7 follow", "cut off"}},
      {"too long", k_work, idx_of(images + "x", labels), {"8 bytes, but 9 follow", "too long"}},
      {"absurd counts",
       k_work,
       idx_of(idx_bytes({0xffffffff, 0xffffffff, 0xffffffff}, "abc"), labels),
       {"more than any file holds", "cut off"}},
      {"no images",
       k_work,
       idx_of(idx_bytes({0, 28, 28}, ""), idx_bytes({0}, "")),
       {"images: holds nothing"}},
      {"200 axes",
       k_work,
       idx_of(std::string("\0\0\x08\xc8", 4) + std::string(900, 'x'), labels),
       {"200 axes"}},
      {"unlike counts",
       k_work,
       idx_of(images, idx_bytes({3}, "\1\2\3")),
       {"images holds 2 images, labels 3 labels"}},
      {"two channels",
       k_work,
       idx_of(idx_bytes({1, 1, 1, 2}, "ab"), idx_bytes({1}, "\1")),
       {"2 channels, expected 1 or 3"}},
      {"a limit below 0", k_call, idx_of(images, labels, -1), {"limit of -1"}},
      {"classes of no label",
       k_work,
       idx_of(images, labels, 0, {"cat"}),
       {"labels: none of its 2 labels", "\"1\"", "\"cat\""}},
  });
}

TEST(HostileData, series) {
  expect_clear_lines({
      {"nothing", k_work, series_of(""), {"x.csv", "empty"}},
      {"names alone", k_work, series_of("date,x\n"), {"no rows below the names"}},
      {"words alone", k_work, series_of("a,b\nc,d\n"), {"no column holds numbers", "\"d\""}},
      {"gaps alone", k_work, series_of("date,x\n1,NA\n2,?\n"), {"no column holds numbers"}},
      {"a missing column",
       k_call,
       series_of("date,x\n1,2\n", {.columns = {"y"}}),
       {"no column \"y\"", "\"date\", \"x\""}},
      {"a column of words",
       k_work,
       series_of("date,x,w\n1,2,one\n", {.columns = {"w"}}),
       {"\"w\" holds no number", "\"one\""}},
      {"a column twice",
       k_call,
       series_of("date,x\n1,2\n", {.columns = {"x", "1"}}),
       {"\"1\" is asked for twice"}},
      {"a missing time", k_call, series_of("date,x\n1,2\n", {.time = "when"}), {"no column \"when\""}},
      {"a gap that is refused",
       k_work,
       series_of("date,x\n1,2\n2,\n", {.gaps = Gaps::refuse}),
       {"line 3, column 2 (\"x\") is a gap"}},
      {"a word that is refused",
       k_work,
       series_of("date,x\n1,2\n2,two\n", {.gaps = Gaps::refuse}),
       {"line 3", "\"two\" is no number"}},
      {"times that run backwards", k_work, series_of("date,x\n2003,2\n2002,3\n2001,4\n"), {"backwards"}},
      {"rows too short", k_work, series_of("date,x\n1\n2\n"), {"none of its 2 rows", "line 2 has 1 field"}},
      {"an image", k_work, series_of(image_bytes("rgb.png")), {"x.csv is a PNG image"}},
  });
}

TEST(HostileData, files_and_folders) {
  const TestFolder folder;
  const auto path = [&](const std::string& name) { return folder / name; };
  fs::create_directories(path("empty"));
  fs::create_directories(path("loose"));
  fs::create_directories(path("bad/a"));
  fs::copy_file(image_path("rgb.png"), path("loose/a.png"));
  write_file_whole(path("bad/a/a.png"), "no image");
  write_file_whole(path("a.csv"), "text,label\na,b\n");
  const std::string packed = gzipped("text,label\na,b\n");
  write_file_whole(path("cut.csv.gz"), packed.substr(0, packed.size() - 9));
  write_file_whole(path("i.gz"), gzipped(idx_bytes({2, 2, 2}, "abcdefgh")).substr(0, 30));
  expect_clear_lines({
      {"no such file", k_work, [&] { read_labelled_texts(path("none.csv")); }, {"none.csv", "No such file"}},
      {"a folder for a file",
       k_work,
       [&] { read_labelled_texts(folder.path()); },
       {"is a folder, expected a file"}},
      {"a folder for lines", k_work, [&] { read_lines(folder.path()); }, {"is a folder"}},
      {"a folder for pairs", k_work, [&] { read_pairs(path("a.csv"), folder.path()); }, {"is a folder"}},
      {"a folder for a series", k_work, [&] { read_series(folder.path()); }, {"is a folder"}},
      {"gzip cut off", k_work, [&] { read_labelled_texts(path("cut.csv.gz")); }, {"cut.csv.gz", "cut off"}},
      {"IDX in gzip cut off", k_work, [&] { read_idx(path("i.gz"), path("a.csv")); }, {"i.gz", "cut off"}},
      {"a file for a folder",
       k_work,
       [&] { read_image_folder(path("a.csv")); },
       {"a.csv is a file, expected a folder"}},
      {"no such folder", k_work, [&] { read_image_folder(path("none")); }, {"none", "no such folder"}},
      {"an empty folder", k_work, [&] { read_image_folder(path("empty")); }, {"empty holds no folders"}},
      {"images without classes",
       k_work,
       [&] { read_image_folder(path("loose")); },
       {"loose holds images, but no folders"}},
      {"images that are none",
       k_work,
       [&] { read_image_folder(path("bad")); },
       {"none of its files is an image", "a.png"}},
      {"two channels",
       k_call,
       [&] { read_image_folder(path("bad"), {.channels = 2}); },
       {"2 channels, expected 1 (grey) or 3"}},
      {"a size below 0", k_call, [&] { read_image_folder(path("bad"), {.height = -1}); }, {"height -1"}},
      {"an absurd size",
       k_call,
       [&] { read_image_folder(path("bad"), {.height = 1 << 30, .width = 1 << 30}); },
       {"expected at most"}},
  });
}

TEST(HostileData, a_file_that_may_not_be_read) {
  const TestFolder folder;
  write_file_whole(folder / "a.csv", "text,label\na,b\n");
  ::chmod((folder / "a.csv").c_str(), 0);
  const bool root = ::geteuid() == 0;  // who may read every file, and so becomes nobody
  constexpr uid_t k_nobody = 65534;
  if (root && ::seteuid(k_nobody) != 0) GTEST_SKIP() << "root cannot become another user here";
  expect_one_clear_line({"no permission",
                         k_work,
                         [&] { read_labelled_texts(folder / "a.csv"); },
                         {"a.csv", "Permission denied"}});
  if (root) ASSERT_EQ(::seteuid(0), 0);
}

TEST(HostileData, any_bytes_give_examples_or_an_error) {
  EXPECT_TRUE(rc::check([](const std::string& content) {
    for (const char* name : {"x.csv", "x.tsv", "x.jsonl", "x"})
      for (const auto& header : {std::optional<bool>(), std::optional(true), std::optional(false)}) {
        const auto quietly = [](const std::function<void()>& read) {
          try {
            read();
          } catch (const Error&) {
          }
        };
        quietly([&] { data::labelled_texts({name, content}, {.header = header}, {}); });
        quietly([&] { data::numbered_texts({name, content}, {.header = header}); });
        quietly([&] { data::table_of_pairs({name, content}, {.header = header}); });
        quietly([&] { data::series_table({name, content}, {.header = header}); });
        quietly([&] {
          data::idx_images({name, std::string("\0\0\x08\x03", 4) + content}, {name, content}, 0, {});
        });
      }
  }));
}

}  // namespace
}  // namespace limpid

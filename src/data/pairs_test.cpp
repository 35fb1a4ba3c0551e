#include <gtest/gtest.h>

#include "data/readers.h"
#include "files/deflate.h"
#include "files/test_files.h"

namespace limpid {
namespace {

using Sentences = std::vector<std::string>;

TextPairs parallel(const std::string& source, const std::string& target) {
  return data::parallel_texts({"x.en", source}, {"x.de", target});
}
TextPairs table(const std::string& content, const PairOptions& options = {},
                const std::string& name = "x.tsv") {
  return data::table_of_pairs({name, content}, options);
}

TEST(Pairs, parallel_files) {
  const TextPairs p = parallel("a dog\r\n a \"cat\"\t\n\nlast", "ein Hund\neine Katze\nnichts\nzu\tletzt\n");
  EXPECT_EQ(p.source, (Sentences{"a dog", "a \"cat\"", "last"}));
  EXPECT_EQ(p.target, (Sentences{"ein Hund", "eine Katze", "zu\tletzt"}));
  EXPECT_EQ(p.skipped.count, 1);
  EXPECT_TRUE(holds(p.skipped.first[0], {"x.en: line 3", "the source is empty"}));
}

TEST(Pairs, parallel_files_of_unlike_length) {
  EXPECT_TRUE(holds(error_of([] { parallel("a\nb\nc\n", "d\n"); }),
                    {"x.en has 3 lines", "x.de has 1", "as many in both"}));
}

TEST(Pairs, tables) {
  const Sentences source = {"a", "b"}, target = {"c", "d"};
  for (const auto& [content, name] :
       {std::pair("a\tc\nb\td\n", "x.tsv"), std::pair("en\tde\na\tc\nb\td\n", "x.tsv"),
        std::pair("id,tgt,src\n1,c,a\n2,d,b\n", "x.csv"),
        std::pair("{\"translation\": {\"en\": \"a\", \"de\": \"c\"}}\n{\"translation\": "
                  "{\"en\": \"b\", \"de\": \"d\"}}\n",
                  "x.jsonl")}) {
    const TextPairs p = table(content, {}, name);
    EXPECT_EQ(p.source, source) << content;
    EXPECT_EQ(p.target, target) << content;
  }
  const TextPairs back = table("en,de,fr\na,c,e\nb,d,f\n", {.source = "fr", .target = "en"}, "x.csv");
  EXPECT_EQ(back.source, (Sentences{"e", "f"}));
  EXPECT_EQ(back.target, source);
}

TEST(Pairs, files_on_disk) {
  const TestFolder folder;
  write_file_whole(folder / "a.gz", gzipped("one\ntwo\n"));
  write_file_whole(folder / "b", "eins\nzwei\n");
  EXPECT_EQ(read_pairs(folder / "a.gz", folder / "b").target, (Sentences{"eins", "zwei"}));
  write_file_whole(folder / "c.tsv", "one\teins\n");
  EXPECT_EQ(read_pairs(folder / "c.tsv").target, (Sentences{"eins"}));
}

}  // namespace
}  // namespace limpid

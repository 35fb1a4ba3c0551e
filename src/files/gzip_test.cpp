#include "files/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "files/deflate.h"
#include "files/test_files.h"

namespace limpid {
namespace {

std::string unpacked(const std::string& packed) { return gunzip(bytes_of(packed), "x.gz"); }
std::string gzip_refusal(const std::string& packed) {
  return error_of([&] { unpacked(packed); });
}

std::string sample_text() {
  std::string text;
  for (int i = 0; i < 400; ++i) text += join("line ", i * i, "\n");
  return text;
}

TEST(Gzip, what_was_packed_comes_back) {
  for (const std::string& text : {std::string(), std::string("a"), sample_text(), std::string(3 << 20, 'x')})
    EXPECT_EQ(unpacked(gzipped(text)), text) << text.size();
}

TEST(Gzip, members_one_after_another_and_zeros_behind) {
  const std::string two = gzipped("one\n") + gzipped("two\n");
  EXPECT_EQ(unpacked(two), "one\ntwo\n");
  EXPECT_EQ(unpacked(two + std::string(512, '\0')), "one\ntwo\n");
  EXPECT_TRUE(holds(gzip_refusal(two + "more"), {"x.gz", "4 bytes", "no gzip", "behind the 8"}));
}

TEST(Gzip, cut_off_anywhere) {
  const std::string whole = gzipped(sample_text());
  for (size_t size = 2; size < whole.size(); ++size)
    EXPECT_TRUE(holds(gzip_refusal(whole.substr(0, size)), {"x.gz", "cut off"})) << size;
}

TEST(Gzip, damage_is_found) {
  const std::string whole = gzipped(sample_text());
  size_t refused = 0;
  for (size_t at = 2; at < whole.size(); ++at) {
    std::string broken = whole;
    broken[at] = static_cast<char>(broken[at] ^ 0x55);
    std::string content;
    const std::string said = error_of([&] { content = unpacked(broken); });
    refused += !said.empty();
    if (said.empty())
      EXPECT_EQ(content, sample_text()) << at;  // the time, the name, the system: not the content
  }
  EXPECT_GT(refused, whole.size() - 10);
  EXPECT_TRUE(holds(gzip_refusal("no gzip"), {"x.gz is no gzip file"}));
}

TEST(Gzip, a_bomb_is_refused_before_it_fills_the_memory) {
  std::string bomb;
  const std::string part = gzipped(std::string(32 << 20, '\0'));
  for (int i = 0; i < 9; ++i) bomb += part;  // 288 MB of 300 KB
  EXPECT_TRUE(holds(gzip_refusal(bomb), {"x.gz", "more than 268435456", "fill the memory"}));
}

TEST(Gzip, files_are_told_by_their_content) {
  const TestFolder folder;
  write_file_whole(folder / "packed.txt", gzipped("some text"));
  write_file_whole(folder / "plain.gz", "some text");
  EXPECT_EQ(read_file_unpacked(folder / "packed.txt"), "some text");
  EXPECT_EQ(read_file_unpacked(folder / "plain.gz"), "some text");
}

}  // namespace
}  // namespace limpid

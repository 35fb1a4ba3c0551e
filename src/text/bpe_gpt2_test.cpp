#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "limpid/files.h"
#include "text/test_text.h"

namespace limpid::text {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<int64_t>;

TEST(Gpt2, ConformsToTheRecordedIds) {
  const fs::path data = data_folder() / "tokenizers";
  if (!fs::exists(data / "gpt2" / "vocab.bpe")) GTEST_SKIP() << "no " << data;
  const auto gpt2 = load_gpt2_bpe((data / "gpt2").string());
  EXPECT_EQ(gpt2->vocabulary(), 50257);
  EXPECT_EQ(gpt2->special("<|endoftext|>"), 50256);
  EXPECT_EQ(gpt2->encode("Hello world"), (Ids{15496, 995}));

  const std::string separator = "\n__ggml_vocab_test__\n";
  const std::string texts = read_file(data / "conformance" / "ggml-vocab-gpt-2.gguf.inp");
  std::istringstream lines(read_file(data / "conformance" / "ggml-vocab-gpt-2.gguf.out"));
  int cases = 0;
  for (size_t at = 0, end; (end = texts.find(separator, at)) != texts.npos;
       at = end + separator.size(), ++cases) {
    const std::string text = texts.substr(at, end - at);
    std::string line;
    ASSERT_TRUE(std::getline(lines, line));
    std::istringstream numbers(line);
    const Ids expected{std::istream_iterator<int64_t>(numbers), {}};
    EXPECT_EQ(gpt2->encode(text), expected) << "case " << cases << ": " << text;
    EXPECT_EQ(gpt2->decode(expected), text);
  }
  EXPECT_EQ(cases, 46);

  const auto again = tokenizer_from_json(gpt2->to_json());
  EXPECT_EQ(again->encode("Life is short, isn't it? 日本"), gpt2->encode("Life is short, isn't it? 日本"));
  EXPECT_EQ(again->decode(Ids{50256}), "<|endoftext|>");
}

class Gpt2Files : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("limpid_gpt2_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const char* name, const std::string& content) { std::ofstream(folder_ / name) << content; }
  std::string refused() {
    return message_of(Error::Kind::work, [&] { load_gpt2_bpe(folder_.string()); });
  }
  fs::path folder_;
};

TEST_F(Gpt2Files, SmallOnesLoad) {
  write("merges.txt", "#version: 0.2\nh e\nl l\r\nhe ll\nĠ w\n");
  const auto bpe = load_gpt2_bpe(folder_.string());
  EXPECT_EQ(bpe->vocabulary(), 256 + 4 + 1);
  EXPECT_EQ(bpe->encode("hello w"), (Ids{258, 'o' - '!', 259}));  // ids follow GPT-2's order of bytes
  EXPECT_EQ(bpe->label(259), "·w");
  EXPECT_EQ(bpe->decode(Ids{0, 220}), "! ");
}

TEST_F(Gpt2Files, WrongOnesAreNamed) {
  EXPECT_HAS(refused(), "neither vocab.bpe nor merges.txt");
  write("vocab.bpe", "#version: 0.2\nh e\nhe\n");
  EXPECT_HAS(refused(), "vocab.bpe line 3 is \"he\"");
  write("vocab.bpe", "h e\nhe llo\n");
  EXPECT_HAS(refused(), "line 2");
  write("vocab.bpe", "h e\nh e\n");
  EXPECT_HAS(refused(), "makes \"he\", which is a token already");
  write("vocab.bpe", "h 日\n");
  EXPECT_HAS(refused(), "line 1");
  write("vocab.bpe", "h e\n");
  write("encoder.json", "{\"he\": 3");
  EXPECT_HAS(refused(), "encoder.json: it is not JSON");
  write("encoder.json", "{\"he\": 256}");
  EXPECT_HAS(refused(), "has 1 tokens, the merges make 258");
}

}  // namespace
}  // namespace limpid::text

// Tokenizers of real models against what Hugging Face's library says of them (shared/data/tokenizers/hf).
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "limpid/files.h"
#include "limpid/text.h"
#include "text/test_text.h"

namespace limpid {
namespace {

using nlohmann::json;

class RealTokenizer : public ::testing::TestWithParam<const char*> {};

TEST_P(RealTokenizer, EqualsTheReference) {
  const std::filesystem::path folder = text::data_folder() / "tokenizers/hf" / GetParam();
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no sample files: " << folder;
  const auto tokenizer = tokenizer_from_json(read_file(folder / "tokenizer.json"));
  const json cases = json::parse(read_file(folder / "expected.json"));
  ASSERT_GE(cases.size(), 100u);
  for (const json& each : cases) {
    const std::string text = each["text"];
    const std::vector<int64_t> ids = each["ids"], with_special = each["ids_special"];
    EXPECT_EQ(tokenizer->encode(text, Specials::as_tokens), ids) << text;
    EXPECT_EQ(tokenizer->encode_for_model(text, {true, Specials::as_tokens}).ids, with_special) << text;
    EXPECT_EQ(tokenizer->decode(ids), each["decoded"].get<std::string>()) << text;
    StreamDecoder stream(*tokenizer, DecodeSpecials::keep);
    std::string streamed;
    for (const int64_t id : ids) streamed += stream.push(id);
    EXPECT_EQ(streamed + stream.finish(), each["decoded"].get<std::string>()) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(HuggingFace, RealTokenizer,
                         ::testing::Values("bert-base-uncased", "clip", "gpt-neox-20b", "roberta-base",
                                           "t5-small", "whisper-tiny"),
                         [](const auto& named) {
                           std::string name = named.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace limpid

// llama.cpp's conformance texts and the tokens it makes of them, with the vocabularies in their first
// formats.
#include <gtest/gtest.h>

#include <sstream>

#include "limpid/files.h"
#include "text/formats/document.h"
#include "text/formats/formats.h"
#include "text/test_text.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;

struct Case {
  const char *name, *vocabulary;
};

class Conformance : public ::testing::TestWithParam<Case> {};

std::vector<std::string> texts(const fs::path& path) {
  const std::string all = read_file(path), end = "\n__ggml_vocab_test__\n";
  std::vector<std::string> out;
  for (size_t at = 0, next; (next = all.find(end, at)) != all.npos; at = next + end.size()) {
    out.push_back(all.substr(at, next - at));
  }
  return out;
}

std::vector<int64_t> numbers(std::string_view line) {
  std::istringstream in{std::string(line)};
  std::vector<int64_t> out;
  for (int64_t id; in >> id;) out.push_back(id);
  return out;
}

void equal(const Tokenizer& tokenizer, const std::string& name) {
  const fs::path folder = text::data_folder() / "tokenizers/conformance";
  const std::vector<std::string> inputs = texts(folder / (name + ".inp"));
  const std::string outputs = read_file(folder / (name + ".out"));
  const std::vector<std::string_view> lines = text::lines_of(outputs);
  ASSERT_EQ(inputs.size(), 46u);
  ASSERT_GE(lines.size(), inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    EXPECT_EQ(tokenizer.encode(inputs[i]), numbers(lines[i])) << inputs[i];
}

TEST_P(Conformance, EqualsLlamaCpp) {
  const fs::path folder = text::data_folder() / "tokenizers" / GetParam().vocabulary;
  if (!fs::exists(folder)) GTEST_SKIP() << "no sample files: " << folder;
  equal(*load_tokenizer(folder.string()), GetParam().name);
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, Conformance,
                         ::testing::Values(Case{"ggml-vocab-gpt-2.gguf", "gpt2"},
                                           Case{"ggml-vocab-bert-bge.gguf", "bert"},
                                           Case{"ggml-vocab-llama-spm.gguf", "llama2"}),
                         [](const auto& named) { return std::string(named.param.vocabulary); });

// The same through the parts of a GGUF file, made of the vocabularies at hand.
TEST(GgufTokenizer, EqualsLlamaCppForGpt2) {
  const fs::path folder = text::data_folder() / "tokenizers/gpt2";
  if (!fs::exists(folder)) GTEST_SKIP() << "no sample files: " << folder;
  GgufTokenizerParts parts;
  parts.model = "gpt2";
  parts.pre = "gpt-2";
  const Json ids = parse_json(read_file(folder / "encoder.json"), {"encoder.json"});
  parts.tokens.resize(ids.size());
  parts.types.assign(ids.size(), 1);
  for (const auto& [piece, id] : ids.items()) parts.tokens[id.get<size_t>()] = piece;
  parts.types.back() = 3;
  const std::string merges = read_file(folder / "vocab.bpe");
  for (const std::string_view line : text::lines_of(merges)) {
    if (!line.starts_with("#version") && !line.empty()) parts.merges.emplace_back(line);
  }
  parts.special.bos = parts.special.eos = 50256;
  const auto tokenizer = gguf_tokenizer(parts, "gpt2.gguf");
  equal(*tokenizer, "ggml-vocab-gpt-2.gguf");
  EXPECT_TRUE(tokenizer->is_special(50256));
  EXPECT_EQ(tokenizer->encode("<|endoftext|>", Specials::as_tokens), std::vector<int64_t>{50256});
  equal(*tokenizer_from_json(tokenizer->to_json()), "ggml-vocab-gpt-2.gguf");
}

TEST(GgufTokenizer, EqualsLlamaCppForBert) {
  const fs::path folder = text::data_folder() / "tokenizers/bert";
  if (!fs::exists(folder)) GTEST_SKIP() << "no sample files: " << folder;
  GgufTokenizerParts parts;
  parts.model = "bert";
  const std::string vocabulary = read_file(folder / "vocab.txt");
  for (const std::string_view token : text::lines_of(vocabulary)) {  // as convert_hf_to_gguf.py writes them
    const bool bracketed = token.starts_with('[') && token.ends_with(']') && token.size() > 2;
    parts.tokens.push_back(token.starts_with("##") && token.size() > 2 ? std::string(token.substr(2))
                           : bracketed                                 ? std::string(token)
                                                                       : "\xE2\x96\x81" + std::string(token));
  }
  const auto tokenizer = gguf_tokenizer(parts, "bert.gguf");
  equal(*tokenizer, "ggml-vocab-bert-bge.gguf");
  EXPECT_EQ(tokenizer->encode_for_model("hello").ids, (std::vector<int64_t>{101, 7592, 102}));
}

// AntiBERTy's is one: nothing beside it says that its letters are capitals.
TEST(VocabTxt, WithCapitalsIsOfTextsAsTheyAre) {
  const text::SideFiles none;
  const std::string start = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  EXPECT_EQ(text::read_vocab_txt(start + "A\nC\n", "vocab.txt", none)->encode("A C"),
            (std::vector<int64_t>{5, 6}));
  EXPECT_EQ(text::read_vocab_txt(start + "a\nc\n", "vocab.txt", none)->encode("A C"),
            (std::vector<int64_t>{5, 6}));
}

TEST(Llama2c, ReadsTok512) {
  const fs::path file = text::data_folder() / "models/stories260K/tok512.bin";
  if (!fs::exists(file)) GTEST_SKIP() << "no sample files: " << file;
  const auto tokenizer = load_tokenizer(file.string());
  EXPECT_EQ(tokenizer->vocabulary(), 512);
  const std::string text = "One day, a clever fox found a shiny key under the old oak tree.";
  const ModelInput input = tokenizer->encode_for_model(text);
  EXPECT_EQ(input.ids.size(), 35u);  // golden.json: n_tokens, with BOS
  EXPECT_EQ(input.ids[0], 1);
  EXPECT_EQ(tokenizer->decode(input.ids, DecodeSpecials::skip), text);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("é \xE4\xBD\xA0\t!")), "é \xE4\xBD\xA0\t!");
}

}  // namespace
}  // namespace limpid

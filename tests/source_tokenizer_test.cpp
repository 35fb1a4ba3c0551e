// An encoder-decoder with a vocabulary for what it reads and one for what it writes: Marian's tiny network
// (LIMPID_DATA: conformance/families) with three rows more in the encoder's table, before its own.
#include <cstring>
#include <nlohmann/json.hpp>

#include "family_test.h"
#include "limpid/files.h"
#include "text/formats/test_folder.h"

namespace limpid {
namespace {

constexpr int64_t k_more = 3;

TensorFile apart(TensorFile file) {
  const Tensor shared = std::move(file.tensors.at("model.shared.weight"));
  file.tensors.erase("model.shared.weight");
  const int64_t rows = shared.shape()[0].size, width = shared.shape()[1].size;
  Tensor longer(DType::f32, Shape::unnamed({rows + k_more, width}));
  std::fill_n(longer.data<float>(), k_more * width, 0.5f);
  std::memcpy(longer.data<float>() + k_more * width, shared.raw(), shared.bytes());
  file.tensors["model.encoder.embed_tokens.weight"] = std::move(longer);
  file.tensors["model.decoder.embed_tokens.weight"] = shared;
  return file;
}

// "w5" has the number 5, and of what is read 5 + k_more.
std::string numbers(int64_t more) {
  nlohmann::json all = {{"</s>", more}, {"<unk>", 1 + more}, {"<pad>", 96 + more}};
  for (int64_t i = 2; i < 90; ++i) all[join("▁w", i)] = i + more;
  return all.dump();
}

class SourceTokenizer : public testing::Test {
 protected:
  void SetUp() override {
    const std::filesystem::path data = data_folder("conformance/families/marian");
    if (data.empty()) GTEST_SKIP() << "no conformance/families/marian (LIMPID_DATA names the data folder)";
    auto config = nlohmann::json::parse(read_file((data / "config.json").string()));
    config["share_encoder_decoder_embeddings"] = false;
    config["decoder_vocab_size"] = config["vocab_size"];
    config["vocab_size"] = config["vocab_size"].get<int64_t>() + k_more;
    folder.write("config.json", config.dump());
    write_safetensors((std::filesystem::path(folder.path()) / "model.safetensors").string(),
                      apart(read_safetensors((data / "model.safetensors").string())));
    std::string pieces = text::scored("<unk>", 2) + text::scored("<s>", 3) + text::scored("</s>", 3);
    for (int64_t i = 2; i < 90; ++i) pieces += text::scored(join("▁w", i));
    folder.write("source.spm", pieces);
    folder.write("target.spm", pieces);
    folder.write("vocab.json", numbers(k_more));
    folder.write("target_vocab.json", numbers(0));
    folder.write("tokenizer_config.json", R"({"separate_vocabs":true})");
    one_for_both.emplace(Model::load(data.string()));
  }

  text::Folder folder{"source_tokenizer"};
  std::optional<Model> one_for_both;
};

TEST_F(SourceTokenizer, ReadsByOneVocabularyAndWritesByAnother) {
  const Model m = Model::load(folder.path());
  EXPECT_EQ(m.source_tokenizer()->vocabulary(), m.tokenizer()->vocabulary() + k_more);
  EXPECT_EQ(source_vocabulary_of(m.config()), vocabulary_of(m.config()) + k_more);
  EXPECT_EQ(m.encode("w3 w4"), (std::vector<int64_t>{3 + k_more, 4 + k_more, k_more}));
  EXPECT_EQ(m.generate(std::vector<int64_t>{3 + k_more, 4 + k_more, k_more}, {.tokens = 6}),
            one_for_both->generate(std::vector<int64_t>{3, 4, 0}, {.tokens = 6}));
}

TEST_F(SourceTokenizer, IsKeptInAFileOfLimpids) {
  const Model m = Model::load(folder.path());
  const std::string file = (std::filesystem::path(folder.path()) / "own.safetensors").string();
  m.save(file);
  const Model again = Model::load(file);
  EXPECT_EQ(again.encode("w3 w4"), m.encode("w3 w4"));
  EXPECT_EQ(again.generate("w3 w4", {.tokens = 6}), m.generate("w3 w4", {.tokens = 6}));
  EXPECT_NE(again.source_tokenizer(), again.tokenizer());
}

TEST_F(SourceTokenizer, ATokenizerOfTheCallsIsRefused) {
  LoadOptions options;
  options.tokenizer = byte_tokenizer();
  EXPECT_HAS(text::message_of(Error::Kind::call, [&] { Model::load(folder.path(), options); }),
             "one for what it writes");
}

}  // namespace
}  // namespace limpid

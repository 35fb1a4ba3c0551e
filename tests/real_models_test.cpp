// Real models whose files are among the test data (LIMPID_DATA): read as they are, by what a user calls.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "core/json.h"
#include "data.h"
#include "limpid/model.h"

namespace limpid {
namespace {

// llama2.c's stories260K, with its tokenizer of 512 pieces.
class Stories : public testing::Test {
 protected:
  void SetUp() override {
    folder = data_folder("models/stories260K");
    if (folder.empty()) GTEST_SKIP() << "no models/stories260K (LIMPID_DATA names the data folder)";
    LoadOptions options;
    options.tokenizer = load_tokenizer(folder + "/tok512.bin");
    model.emplace(Model::load(folder + "/model.safetensors", options));
  }
  std::string folder;
  std::optional<Model> model;
};

TEST_F(Stories, HasThePublishedLoss) {
  const JsonSource source{"golden.json"};
  const Json golden = parse_json(read_file(folder + "/golden.json"), source);
  const Evaluation e = model->evaluate(golden.at("sentence").get<std::string>());
  EXPECT_EQ(e.tokens, golden.at("n_tokens").get<int64_t>() - 1);  // <s> is predicted from nothing
  EXPECT_NEAR(e.nats, golden.at("nll").get<double>(), 1e-3);
}

TEST_F(Stories, WritesThePublishedText) {
  GenerateOptions options;
  options.tokens = 120;
  const std::string published = read_file(folder + "/stories260K.md");
  std::string written;
  model->generate(std::vector<int64_t>{1}, options,
                  [&](const GeneratedToken& token) { written += token.piece; });
  ASSERT_FALSE(written.empty());
  if (written[0] == ' ') written.erase(0, 1);  // the space before the first word is not printed
  EXPECT_TRUE(written.starts_with("Once upon a time, there was a little girl named Lily."));
  EXPECT_NE(published.find(written.substr(0, 200)), std::string::npos) << written;
}

TEST_F(Stories, TheProgramsOwnFileGivesTheSameModel) {
  EXPECT_EQ(Model::load(folder + "/stories260K.bin").hash(), model->hash());
  const std::string bytes = read_file(folder + "/stories260K.bin");
  const auto path = std::filesystem::temp_directory_path() / join("limpid-stories-", ::getpid(), ".bin");
  write_file_whole(path, bytes.substr(0, bytes.size() - 4));
  EXPECT_THROW(Model::load(path.string()), Error);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace limpid

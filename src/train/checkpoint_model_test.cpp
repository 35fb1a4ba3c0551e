// The model in a checkpoint is the one that the run's reports judge.
#include <gtest/gtest.h>

#include <filesystem>

#include "limpid/files.h"
#include "limpid/train.h"
#include "train/test_helpers.h"

namespace limpid {
namespace {

Recipe recipe_of_steps(double average) {
  Recipe r;
  GptConfig c;
  c.layers = 1;
  c.heads = 2;
  c.width = 16;
  c.context = 16;
  r.network = c;
  r.steps = 12;
  r.batch = 4;
  r.context = 16;
  r.epoch = 4;
  r.average = average;
  r.title = "sayings";
  return r;
}

std::vector<std::string> sayings() {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "Life is short and art is long. ";
  return {text};
}

struct TemporaryFile {
  std::string path;
  explicit TemporaryFile(const std::string& name)
      : path((std::filesystem::temp_directory_path() / name).string()) {}
  ~TemporaryFile() { std::filesystem::remove(path); }
};

TEST(CheckpointModel, IsTheModelThatReportsJudge) {
  for (const double average : {0.0, 0.9}) {
    const TemporaryFile file("limpid_checkpoint_model_test.safetensors");
    Trainer trainer(recipe_of_steps(average), sayings());
    for (int step = 0; step < 5; ++step) trainer.step();
    trainer.save(file.path);
    const RunProgress progress = checkpoint_progress(file.path);
    EXPECT_EQ(progress.step, 5);
    EXPECT_EQ(progress.steps, 12);
    const Model model = checkpoint_model(file.path);
    EXPECT_EQ(model.title(), "sayings, after step 5");
    ASSERT_NE(model.tokenizer(), nullptr);
    trainer.with_judged_model([&](const Model& judged) {
      EXPECT_TRUE(same_bits(model.parameters(), judged.parameters())) << average;
      EXPECT_EQ(model.encode("art is long"), judged.encode("art is long"));
    });
  }
}

TEST(CheckpointModel, AnotherFileIsRefused) {
  const TemporaryFile file("limpid_checkpoint_model_other.safetensors");
  write_safetensors(file.path, TensorFile{});
  EXPECT_THROW(checkpoint_model(file.path), Error);
  EXPECT_THROW(checkpoint_progress(file.path), Error);
}

}  // namespace
}  // namespace limpid

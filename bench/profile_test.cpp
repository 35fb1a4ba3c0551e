#include "bench/profile.h"

#include <gtest/gtest.h>

#include <cstring>

namespace limpid::bench {
namespace {

// Grouped heads, learned positions, untied logits, dropout: whatever a recipe may ask for.
Recipe small_recipe() {
  Recipe recipe;
  recipe.network = GptConfig{
      .context = 16, .layers = 2, .heads = 4, .kv_heads = 2, .width = 16, .tied = false, .dropout = 0.1};
  recipe.tokenizer = "bytes";
  recipe.context = 16;
  recipe.batch = 3;
  recipe.steps = 5;
  return recipe;
}

std::string small_text() {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "so it goes on ";
  return text;
}

TEST(StepProfile, TakesTheTrainersSteps) {
  const std::vector<std::string> texts = {small_text()};
  Trainer trainer(small_recipe(), texts);
  const PreparedTask task = prepare(trainer.recipe(), texts);
  StepProfile profile(trainer.recipe(), trainer.model().parameters(), task.data->batch(0, false));
  EXPECT_EQ(profile.step(), trainer.step());
  for (const auto& [name, tensor] : trainer.model().parameters())
    EXPECT_EQ(std::memcmp(tensor.raw(), profile.parameters().at(name).raw(), tensor.bytes()), 0) << name;
  EXPECT_TRUE(profile.parts().count("attention_gradient"));
  EXPECT_GT(profile.parts().at("linear").seconds, 0);
}

// By hand: a layer's weights are q 16x16, k and v 16x8 each, the joining 16x16, feed-forward 2 x 16x64; the
// logits' 16x256; 3 x 16 tokens; 16 17 / 2 cells a head of 4 numbers, in 3 sequences of 4 heads.
TEST(StepProfile, CountsWhatTheNetworkAsksFor) {
  const std::vector<std::string> texts = {small_text()};
  Trainer trainer(small_recipe(), texts);
  const PreparedTask task = prepare(trainer.recipe(), texts);
  StepProfile profile(trainer.recipe(), trainer.model().parameters(), task.data->batch(0, false));
  profile.step();
  const double weights = 2 * (16 * 16 + 2 * 16 * 8 + 16 * 16 + 2 * 16 * 64) + 16 * 256;
  const double cells = 2 * 3 * 4 * (16 * 17 / 2.0);
  EXPECT_DOUBLE_EQ(profile.operations(), 6 * weights * 3 * 16 + 6 * 2 * cells * 4);
}

}  // namespace
}  // namespace limpid::bench

#include "bench/score.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace limpid::bench {
namespace {

// Two texts that no window divides, with characters of two bytes.
Recipe scored_recipe() {
  Recipe recipe;
  recipe.network = GptConfig{.context = 8, .layers = 1, .heads = 2, .width = 8};
  recipe.tokenizer = "bytes";
  recipe.data = {{"folder/first.txt"}, {"second.txt"}};
  recipe.context = 8;
  recipe.steps = 0;
  return recipe;
}

std::vector<std::string> small_texts() {
  std::string first, second;
  for (int i = 0; i < 60; ++i) first += i % 7 ? "so it goes é " : "and on\n";
  for (int i = 0; i < 40; ++i) second += i % 3 ? "Life is short. " : "ü";
  return {first, second};
}

// A network that learned nothing but is sure of itself: what it says depends on all that it sees.
void sharpen(Model& model) {
  for (auto& [name, tensor] : model.parameters())
    for (int64_t i = 0; i < tensor.count(); ++i) tensor.data<float>()[i] *= 8;
}

TEST(Score, InWholeWindowsIsWhatTrainingReports) {
  Trainer trainer(scored_recipe(), small_texts());
  sharpen(trainer.model());
  const auto reported = trainer.evaluate();
  Score sum;
  for (const SplitText& text : split(trainer.recipe(), *trainer.model().tokenizer(), small_texts()))
    sum += score_model(trainer.model(), text, 8, 8);
  EXPECT_EQ(sum.tokens, reported.tokens);
  EXPECT_EQ(sum.characters, reported.characters);
  EXPECT_LT(sum.characters, sum.tokens);
  // Training adds up losses that its kernel rounded to float, a few ulps each; the score is in double.
  EXPECT_NEAR(sum.per_token(), reported.loss, 1e-6);
  EXPECT_NEAR(sum.per_character(), reported.loss_per_character(), 1e-6);
}

TEST(Score, EveryStepScoresEveryTokenOnceAfterTheTokensBeforeIt) {
  Trainer trainer(scored_recipe(), small_texts());
  Model& model = trainer.model();
  sharpen(model);
  const auto texts = split(trainer.recipe(), *model.tokenizer(), small_texts());
  EXPECT_EQ(texts[0].name, "first.txt");
  const auto& tokens = texts[1].held_out;
  for (int64_t step : {1, 3, 4, 7}) {
    double expected = 0;
    for (int64_t target = 1; target < static_cast<int64_t>(tokens.size()); ++target) {
      // The window that scores this token begins 8 before its own end, which is 8 + a multiple of step.
      const int64_t last = static_cast<int64_t>(tokens.size()) - 1;
      const int64_t end = std::min(last, target <= 8 ? 8 : 8 + (target - 8 + step - 1) / step * step);
      const std::vector<int64_t> seen(tokens.begin() + std::max<int64_t>(0, end - 8),
                                      tokens.begin() + target);
      const RunResult result =
          model.run(Tensor::of<int64_t>({{Axis::B, 1}, {Axis::T, static_cast<int64_t>(seen.size())}}, seen),
                    {.keep = {"probs"}});
      const Tensor& probs = result["probs"];
      const int64_t row = static_cast<int64_t>(seen.size()) - 1;
      expected -= std::log(probs.at({0, row, tokens[static_cast<size_t>(target)]}));
    }
    EXPECT_NEAR(score_model(model, texts[1], 8, step).nats, expected, 1e-3) << "step " << step;
  }
  EXPECT_THROW(score_model(model, texts[1], 8, 9), Error);
}

}  // namespace
}  // namespace limpid::bench

// What a language model is worth on text that it never saw, and what n-grams are on the same tokens.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "limpid/model.h"
#include "limpid/train.h"

namespace limpid::bench {

/// One text of a recipe, split as training splits it (train/task_data.h), each part as the tokenizer's
/// tokens.
struct SplitText {
  std::string name;
  std::vector<int64_t> training, held_out;
  int64_t characters = 0;  // code points of the held-out tokens but the first, which nobody predicts
};

/// `texts` as read_texts gives them.  Throws Error{call} where nothing is held out.
std::vector<SplitText> split(const Recipe& recipe, const Tokenizer& tokenizer,
                             const std::vector<std::string>& texts);

struct Score {
  double nats = 0;  // the sum of -ln p
  int64_t tokens = 0, characters = 0;

  double per_token() const { return nats / static_cast<double>(tokens); }
  double per_character() const { return nats / static_cast<double>(characters); }
  Score& operator+=(const Score& other);
};

/// The model on every held-out token but the first, in windows of `context` tokens of which each begins
/// `step` tokens after the one before it and is scored where that one ended.  With step = context this is
/// what training reports; with a smaller step every token but the first few sees at least context - step
/// before it.
Score score_model(Model& model, const SplitText& text, int64_t context, int64_t step);

}  // namespace limpid::bench

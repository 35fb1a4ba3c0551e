// The text as examples: which tokens a step reads, and what it should predict.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "limpid/train.h"

namespace limpid {

/// Tokens in, and the token after each: both [B,T].
struct Batch {
  Tensor tokens, targets;
  int64_t count() const { return tokens.count(); }
};

/// How many bytes of a text, from its start, are for training; the rest is held out.  Never cuts a character.
size_t training_bytes(const Recipe&, const std::string& text);

/// Batches are functions of (seed, step), so a resumed run reads what an unbroken one would have.
class Dataset {
 public:
  /// Splits every text, the last part of each held out.  Throws Error{call} for a text too short for the
  /// recipe.
  Dataset(const Recipe&, const Tokenizer&, const std::vector<std::string>& texts);

  Batch batch(int64_t step) const;
  int64_t steps_per_pass() const;
  bool holds_out() const { return !held_out_.empty(); }
  /// What an evaluation reads, in order: windows of `context` tokens that do not overlap, or lines.
  std::vector<Batch> evaluation() const;
  /// Code points that the predicted tokens of evaluation() stand for.
  int64_t evaluation_characters() const { return evaluation_characters_; }
  int64_t training_tokens() const;

 private:
  using Tokens = std::vector<int64_t>;
  Batch window(const Tokens& text, int64_t first, int64_t length) const;
  void split_stream(const Tokenizer&, const std::string& text);
  void split_lines(const Tokenizer&, const std::string& text);
  void count_characters(const Tokenizer&);

  const Recipe recipe_;
  std::vector<Tokens> training_, held_out_;  // texts, or lines
  int64_t evaluation_characters_ = 0;
};

}  // namespace limpid

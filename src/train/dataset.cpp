#include "train/dataset.h"

#include <algorithm>

#include "limpid/random.h"

namespace limpid {

namespace {

int64_t characters_in(const std::string& utf8) {
  return std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

// The first byte at or after `at` where a code point starts, so that a split never cuts a character.
size_t character_start(const std::string& text, size_t at) {
  while (at < text.size() && (text[at] & 0xC0) == 0x80) ++at;
  return at;
}

}  // namespace

// The last `validation` of the characters is held out, as nanoGPT splits.
size_t training_bytes(const Recipe& recipe, const std::string& text) {
  return character_start(text,
                         static_cast<size_t>((1 - recipe.validation) * static_cast<double>(text.size())));
}

Dataset::Dataset(const Recipe& recipe, const Tokenizer& tokenizer, const std::vector<std::string>& texts)
    : recipe_(recipe) {
  for (const std::string& text : texts) {
    if (recipe.examples == Examples::stream)
      split_stream(tokenizer, text);
    else
      split_lines(tokenizer, text);
  }
  if (training_.empty()) {
    if (recipe.examples == Examples::lines)
      fail_call("train: the text has no line of two tokens or more to learn from");
    fail_call("train: the text is too short: no part of it has ", recipe.context + 1, " tokens (context ",
              recipe.context, " and one to predict)");
  }
  count_characters(tokenizer);
}

void Dataset::split_stream(const Tokenizer& tokenizer, const std::string& text) {
  const size_t cut = training_bytes(recipe_, text);
  Tokens first = tokenizer.encode(std::string_view(text).substr(0, cut));
  Tokens last = tokenizer.encode(std::string_view(text).substr(cut));
  if (static_cast<int64_t>(first.size()) > recipe_.context) training_.push_back(std::move(first));
  if (last.size() > 1) held_out_.push_back(std::move(last));
}

void Dataset::split_lines(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<Tokens> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    Tokens tokens = tokenizer.encode(std::string_view(text).substr(at, end - at));
    if (tokens.size() > 1) lines.push_back(std::move(tokens));
    at = end + 1;
  }
  const size_t held = static_cast<size_t>(recipe_.validation * static_cast<double>(lines.size()));
  for (size_t i = 0; i < lines.size(); ++i)
    (i + held < lines.size() ? training_ : held_out_).push_back(std::move(lines[i]));
}

Batch Dataset::window(const Tokens& text, int64_t first, int64_t length) const {
  const Shape shape = {{Axis::B, 1}, {Axis::T, length}};
  const auto at = text.begin() + first;
  return {Tensor::of<int64_t>(shape, Tokens(at, at + length)),
          Tensor::of<int64_t>(shape, Tokens(at + 1, at + 1 + length))};
}

int64_t Dataset::training_tokens() const {
  int64_t count = 0;
  for (const Tokens& text : training_) count += static_cast<int64_t>(text.size());
  return count;
}

int64_t Dataset::steps_per_pass() const {
  if (recipe_.examples == Examples::lines) return static_cast<int64_t>(training_.size());
  return std::max<int64_t>(1, training_tokens() / (recipe_.batch * recipe_.context));
}

Batch Dataset::batch(int64_t step) const {
  const uint32_t stream = stream_named("batches");
  if (recipe_.examples == Examples::lines) {
    // Each pass reads every line once, in an order of its own.
    const int64_t pass = step / steps_per_pass();
    std::vector<size_t> order(training_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    Random random(recipe_.seed + static_cast<uint64_t>(pass), stream);
    random.shuffle(order);
    const Tokens& line = training_[order[static_cast<size_t>(step % steps_per_pass())]];
    return window(line, 0, static_cast<int64_t>(line.size()) - 1);
  }
  // Windows start anywhere, every start in every text equally likely.
  int64_t starts = 0;
  for (const Tokens& text : training_) starts += static_cast<int64_t>(text.size()) - recipe_.context;
  const Shape shape = {{Axis::B, recipe_.batch}, {Axis::T, recipe_.context}};
  Batch batch{Tensor(DType::i64, shape), Tensor(DType::i64, shape)};
  for (int64_t row = 0; row < recipe_.batch; ++row) {
    const double u = uniform(recipe_.seed, stream, static_cast<uint32_t>(step), static_cast<uint64_t>(row));
    int64_t start = static_cast<int64_t>(u * static_cast<double>(starts));
    for (const Tokens& text : training_) {
      const int64_t here = static_cast<int64_t>(text.size()) - recipe_.context;
      if (start >= here) {
        start -= here;
        continue;
      }
      std::copy_n(text.begin() + start, recipe_.context,
                  batch.tokens.data<int64_t>() + row * recipe_.context);
      std::copy_n(text.begin() + start + 1, recipe_.context,
                  batch.targets.data<int64_t>() + row * recipe_.context);
      break;
    }
  }
  return batch;
}

std::vector<Batch> Dataset::evaluation() const {
  std::vector<Batch> all;
  for (const Tokens& text : holds_out() ? held_out_ : training_) {
    const int64_t predicted = static_cast<int64_t>(text.size()) - 1;
    const int64_t width = recipe_.examples == Examples::lines ? predicted : recipe_.context;
    const int64_t whole = predicted / width, rows = 16;
    for (int64_t w = 0; w < whole; w += rows) {  // several windows a run
      const int64_t count = std::min(rows, whole - w);
      const Shape shape = {{Axis::B, count}, {Axis::T, width}};
      const auto at = text.begin() + w * width;
      all.push_back({Tensor::of<int64_t>(shape, Tokens(at, at + count * width)),
                     Tensor::of<int64_t>(shape, Tokens(at + 1, at + 1 + count * width))});
    }
    if (predicted % width) all.push_back(window(text, whole * width, predicted % width));
  }
  return all;
}

void Dataset::count_characters(const Tokenizer& tokenizer) {
  for (const Tokens& text : holds_out() ? held_out_ : training_)
    for (size_t i = 1; i < text.size(); ++i)
      evaluation_characters_ += characters_in(tokenizer.token_bytes(text[i]));
}

}  // namespace limpid

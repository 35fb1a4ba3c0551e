// The next word: texts as windows of tokens, and the token after each.
#include <algorithm>

#include "limpid/random.h"
#include "train/task_data.h"

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

Batch batch_of(Tensor tokens, Tensor targets) {
  const int64_t count = tokens.count();
  Batch batch;
  batch.examples = tokens.shape()[0].size;
  batch.positions = count;
  batch.inputs["tokens"] = std::move(tokens);
  batch.inputs["targets"] = std::move(targets);
  return batch;
}

class Texts final : public TaskData {
 public:
  // Splits every text, the last part of each held out.
  Texts(const Recipe&, const Tokenizer&, const std::vector<std::string>& texts);

  Batch batch(int64_t step, bool) const override;
  int64_t steps_per_pass() const override;
  bool has(Part part) const override { return part == Part::held_out && !held_out_.empty(); }
  int64_t evaluation_batches(Part) const override { return static_cast<int64_t>(windows_.size()); }
  Batch evaluation_batch(Part, int64_t) const override;
  int64_t evaluation_characters() const override { return evaluation_characters_; }
  uint64_t digest() const override { return digest_; }

 private:
  using Tokens = std::vector<int64_t>;
  // Rows that follow one another in a text: windows that do not overlap, or a line.
  struct Windows {
    size_t text;
    int64_t first, rows, width;
  };
  const std::vector<Tokens>& evaluated() const { return held_out_.empty() ? training_ : held_out_; }
  void split_stream(const Tokenizer&, const std::string& text);
  void split_lines(const Tokenizer&, const std::string& text);
  void count_characters(const Tokenizer&);
  void cut_windows();
  int64_t training_tokens() const;

  const Recipe recipe_;
  std::vector<Tokens> training_, held_out_;  // texts, or lines
  std::vector<Windows> windows_;             // of what is evaluated
  int64_t evaluation_characters_ = 0;
  uint64_t digest_;
};

Batch window(const std::vector<int64_t>& text, int64_t first, int64_t rows, int64_t width) {
  const Shape shape = {{Axis::B, rows}, {Axis::T, width}};
  const auto at = text.begin() + first;
  const int64_t count = rows * width;
  return batch_of(Tensor::of<int64_t>(shape, std::vector<int64_t>(at, at + count)),
                  Tensor::of<int64_t>(shape, std::vector<int64_t>(at + 1, at + 1 + count)));
}

Texts::Texts(const Recipe& recipe, const Tokenizer& tokenizer, const std::vector<std::string>& texts)
    : recipe_(recipe), digest_(digest_of(texts)) {
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
  cut_windows();
  count_characters(tokenizer);
}

void Texts::split_stream(const Tokenizer& tokenizer, const std::string& text) {
  const size_t cut = training_bytes(recipe_, text);
  Tokens first = tokenizer.encode(std::string_view(text).substr(0, cut));
  Tokens last = tokenizer.encode(std::string_view(text).substr(cut));
  if (static_cast<int64_t>(first.size()) > recipe_.context) training_.push_back(std::move(first));
  if (last.size() > 1) held_out_.push_back(std::move(last));
}

void Texts::split_lines(const Tokenizer& tokenizer, const std::string& text) {
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

int64_t Texts::training_tokens() const {
  int64_t count = 0;
  for (const Tokens& text : training_) count += static_cast<int64_t>(text.size());
  return count;
}

int64_t Texts::steps_per_pass() const {
  if (recipe_.examples == Examples::lines) return static_cast<int64_t>(training_.size());
  return std::max<int64_t>(1, training_tokens() / (recipe_.batch * recipe_.context));
}

Batch Texts::batch(int64_t step, bool) const {
  const uint32_t stream = stream_named("batches");
  if (recipe_.examples == Examples::lines) {
    // Each pass reads every line once, in an order of its own.
    const int64_t pass = step / steps_per_pass();
    std::vector<size_t> order(training_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    Random random(recipe_.seed + static_cast<uint64_t>(pass), stream);
    random.shuffle(order);
    const Tokens& line = training_[order[static_cast<size_t>(step % steps_per_pass())]];
    return window(line, 0, 1, static_cast<int64_t>(line.size()) - 1);
  }
  // Windows start anywhere, every start in every text equally likely.
  int64_t starts = 0;
  for (const Tokens& text : training_) starts += static_cast<int64_t>(text.size()) - recipe_.context;
  const Shape shape = {{Axis::B, recipe_.batch}, {Axis::T, recipe_.context}};
  Tensor tokens(DType::i64, shape), targets(DType::i64, shape);
  for (int64_t row = 0; row < recipe_.batch; ++row) {
    const double u = uniform(recipe_.seed, stream, static_cast<uint32_t>(step), static_cast<uint64_t>(row));
    int64_t start = static_cast<int64_t>(u * static_cast<double>(starts));
    for (const Tokens& text : training_) {
      const int64_t here = static_cast<int64_t>(text.size()) - recipe_.context;
      if (start >= here) {
        start -= here;
        continue;
      }
      std::copy_n(text.begin() + start, recipe_.context, tokens.data<int64_t>() + row * recipe_.context);
      std::copy_n(text.begin() + start + 1, recipe_.context, targets.data<int64_t>() + row * recipe_.context);
      break;
    }
  }
  return batch_of(std::move(tokens), std::move(targets));
}

void Texts::cut_windows() {
  constexpr int64_t k_rows = 16;  // several windows a run
  for (size_t t = 0; t < evaluated().size(); ++t) {
    const int64_t predicted = static_cast<int64_t>(evaluated()[t].size()) - 1;
    const int64_t width = recipe_.examples == Examples::lines ? predicted : recipe_.context;
    const int64_t whole = predicted / width;
    for (int64_t w = 0; w < whole; w += k_rows)
      windows_.push_back({t, w * width, std::min(k_rows, whole - w), width});
    if (predicted % width) windows_.push_back({t, whole * width, 1, predicted % width});
  }
}

Batch Texts::evaluation_batch(Part, int64_t i) const {
  const Windows& w = windows_[static_cast<size_t>(i)];
  return window(evaluated()[w.text], w.first, w.rows, w.width);
}

void Texts::count_characters(const Tokenizer& tokenizer) {
  for (const Tokens& text : evaluated())
    for (size_t i = 1; i < text.size(); ++i)
      evaluation_characters_ += characters_in(tokenizer.token_bytes(text[i]));
}

}  // namespace

// The last `validation` of the characters is held out, as nanoGPT splits.
size_t training_bytes(const Recipe& recipe, const std::string& text) {
  return character_start(text,
                         static_cast<size_t>((1 - recipe.validation) * static_cast<double>(text.size())));
}

PreparedTask prepare_texts(const Recipe& recipe, const std::vector<std::string>& texts,
                           std::shared_ptr<const Tokenizer> tokenizer) {
  PreparedTask out{recipe, std::move(tokenizer), nullptr};
  if (!out.tokenizer) {
    // bpe never learns from the held-out text; characters and words must know all that there are.
    std::vector<std::string> read;
    for (const std::string& text : texts)
      read.push_back(recipe.tokenizer == "bpe" ? text.substr(0, training_bytes(recipe, text)) : text);
    out.tokenizer = tokenizer_of(recipe, read);
  }
  set_vocabulary(out.recipe.network, out.tokenizer->vocabulary());
  out.data = std::make_unique<Texts>(out.recipe, *out.tokenizer, texts);
  return out;
}

}  // namespace limpid

// Texts, each of a class.
#include <algorithm>

#include "train/task_data.h"

namespace limpid {

namespace {

using Tokens = std::vector<int64_t>;

struct Encoded {
  std::vector<Tokens> tokens;
  std::vector<int64_t> labels;
  size_t size() const { return tokens.size(); }
};

Encoded encoded(const LabelledTexts& from, const Recipe& recipe, const Tokenizer& tokenizer) {
  Encoded out;
  for (size_t i = 0; i < from.texts.size(); ++i) {
    Tokens tokens = model_tokens(tokenizer, from.texts[i], recipe.context);
    if (tokens.empty()) continue;  // only white space, of which `words` has no token
    out.tokens.push_back(std::move(tokens));
    out.labels.push_back(from.labels[i]);
  }
  return out;
}

// Examples about as long as one another, in batches.
std::vector<std::vector<size_t>> by_length(const Encoded& from, int64_t batch) {
  std::vector<size_t> order(from.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return from.tokens[a].size() < from.tokens[b].size(); });
  std::vector<std::vector<size_t>> out;
  for (size_t first = 0; first < order.size(); first += static_cast<size_t>(batch))
    out.emplace_back(
        order.begin() + static_cast<int64_t>(first),
        order.begin() + static_cast<int64_t>(std::min(order.size(), first + static_cast<size_t>(batch))));
  return out;
}

class TextClasses final : public TaskData {
 public:
  TextClasses(const Recipe& recipe, const Tokenizer& tokenizer, const Parts<LabelledTexts>& from)
      : recipe_(recipe), names_(from.training.classes), training_(encoded(from.training, recipe, tokenizer)) {
    if (training_.size() == 0) fail_call("train: no text to learn from is left");
    if (from.held_out) held_out_ = encoded(*from.held_out, recipe, tokenizer);
    if (from.test) test_ = encoded(*from.test, recipe, tokenizer);
    std::vector<int64_t> lengths(training_.size());
    for (size_t i = 0; i < training_.size() && !packs_texts(recipe); ++i)
      lengths[i] = static_cast<int64_t>(training_.tokens[i].size());
    order_ = ExampleOrder(std::move(lengths), recipe.batch, recipe.seed);
    held_out_batches_ = by_length(evaluated(Part::held_out), k_rows);
    test_batches_ = by_length(test_, k_rows);
    digest_ = digest_of(from.training.texts);
    digest_ = digest_of(from.training.labels.data(), from.training.labels.size() * sizeof(int64_t), digest_);
  }

  bool packs() const override { return true; }
  Batch batch(int64_t step, bool packed) const override {
    std::vector<Tokens> lists;
    std::vector<int64_t> labels;
    for (const size_t i : order_.batch(step)) {
      const auto row = static_cast<int64_t>(i);
      Tokens left = drop_words(training_.tokens[i], {.probability = recipe_.word_dropout},
                               {recipe_.seed, static_cast<uint32_t>(step), {&row, 1}});
      lists.push_back(left.empty() ? training_.tokens[i] : std::move(left));
      labels.push_back(training_.labels[i]);
    }
    return made(lists, labels, packed);
  }
  int64_t steps_per_pass() const override { return order_.steps_per_pass(); }
  bool has(Part part) const override { return (part == Part::test ? test_ : held_out_).size() > 0; }
  int64_t evaluation_batches(Part part) const override { return static_cast<int64_t>(batches(part).size()); }
  Batch evaluation_batch(Part part, int64_t number) const override {
    const Encoded& from = evaluated(part);
    std::vector<Tokens> lists;
    std::vector<int64_t> labels;
    for (const size_t i : batches(part)[static_cast<size_t>(number)]) {
      lists.push_back(from.tokens[i]);
      labels.push_back(from.labels[i]);
    }
    return made(lists, labels, false);
  }
  ModelTasks tasks() const override {
    ModelTasks tasks;
    tasks.classes = names_;
    tasks.longest_text = recipe_.context;
    return tasks;
  }
  uint64_t digest() const override { return digest_; }

 private:
  static constexpr int64_t k_rows = 64;  // of an evaluation's batch

  const Encoded& evaluated(Part part) const {
    return part == Part::test ? test_ : held_out_.size() > 0 ? held_out_ : training_;
  }
  const std::vector<std::vector<size_t>>& batches(Part part) const {
    return part == Part::test ? test_batches_ : held_out_batches_;
  }
  static Batch made(const std::vector<Tokens>& lists, const std::vector<int64_t>& labels, bool packed) {
    Batch batch;
    batch.examples = static_cast<int64_t>(lists.size());
    add_tokens(&batch, "tokens", lists, packed);
    batch.inputs["lengths"] = lengths_of(lists);
    batch.inputs["targets"] = Tensor::of<int64_t>({{Axis::B, batch.examples}}, labels);
    return batch;
  }

  const Recipe recipe_;
  std::vector<std::string> names_;
  Encoded training_, held_out_, test_;
  ExampleOrder order_{{0}, 1, 0};
  std::vector<std::vector<size_t>> held_out_batches_, test_batches_;
  uint64_t digest_ = 0;
};

}  // namespace

PreparedTask prepare_classes(const Recipe& recipe, const Parts<LabelledTexts>& data,
                             std::shared_ptr<const Tokenizer> tokenizer) {
  PreparedTask out{recipe, std::move(tokenizer), nullptr};
  if (!out.tokenizer) out.tokenizer = tokenizer_of(recipe, data.training.texts);
  set_vocabulary(out.recipe.network, out.tokenizer->vocabulary());
  require_classes(data.training.classes);
  set_outputs(out.recipe.network, static_cast<int64_t>(data.training.classes.size()));
  out.data = std::make_unique<TextClasses>(out.recipe, *out.tokenizer, data);
  return out;
}

}  // namespace limpid

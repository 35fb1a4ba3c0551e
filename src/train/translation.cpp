// Pairs of texts: the second beside the first.
#include <algorithm>

#include "train/task_data.h"

namespace limpid {

namespace {

using Tokens = std::vector<int64_t>;

constexpr const char* k_start = "<s>";
constexpr const char* k_end = "</s>";

struct Pairs {
  std::vector<Tokens> source, target;  // the target from its start token to its end token
  std::vector<std::string> texts;      // of the targets
  size_t size() const { return source.size(); }
};

class Translation final : public TaskData {
 public:
  Translation(const Recipe& recipe, const Given& given, const Parts<TextPairs>& from)
      : recipe_(recipe), tokenizer_(given.tokenizer), writing_(*given.writing) {
    training_ = encoded(from.training);
    if (training_.size() == 0) fail_call("train: no pair to learn from is left");
    if (from.held_out) held_out_ = encoded(*from.held_out);
    if (from.test) test_ = encoded(*from.test);
    std::vector<int64_t> lengths(training_.size());
    for (size_t i = 0; i < training_.size() && !packs_texts(recipe); ++i)
      lengths[i] = static_cast<int64_t>(training_.source[i].size() + training_.target[i].size());
    order_ = ExampleOrder(std::move(lengths), recipe.batch, recipe.seed);
    digest_ = digest_of(from.training.target, digest_of(from.training.source));
    for (const std::string& text : evaluated(Part::held_out).texts)
      characters_ += std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
  }

  Batch batch(int64_t step, bool packed) const override {
    return made(training_, order_.batch(step), packed);
  }
  bool packs() const override { return true; }
  int64_t steps_per_pass() const override { return order_.steps_per_pass(); }
  bool has(Part part) const override { return (part == Part::test ? test_ : held_out_).size() > 0; }
  int64_t evaluation_batches(Part part) const override {
    return batches_of(static_cast<int64_t>(evaluated(part).size()), k_rows);
  }
  Batch evaluation_batch(Part part, int64_t number) const override {
    const Pairs& from = evaluated(part);
    return made(from, places_in_batch(number, static_cast<int64_t>(from.size()), k_rows), false);
  }
  int64_t evaluation_characters() const override { return characters_; }
  ModelTasks tasks() const override {
    ModelTasks tasks;
    tasks.writing = writing_;
    return tasks;
  }
  uint64_t digest() const override { return digest_; }

 private:
  static constexpr int64_t k_rows = 64;  // of an evaluation's batch

  const Pairs& evaluated(Part part) const {
    return part == Part::test ? test_ : held_out_.size() > 0 ? held_out_ : training_;
  }

  // Pairs of which one is longer than the recipe's context are left out.
  Pairs encoded(const TextPairs& from) const {
    Pairs out;
    const auto longest = static_cast<size_t>(recipe_.context);
    for (size_t i = 0; i < from.source.size(); ++i) {
      Tokens source = model_tokens(*tokenizer_, from.source[i], recipe_.context + 1),
             target = {writing_.start};
      if (writing_.first) target.push_back(*writing_.first);
      const Tokens text = tokenizer_->encode(from.target[i]);
      target.insert(target.end(), text.begin(), text.end());
      target.push_back(writing_.ends.front());
      if (source.empty() || text.empty() || source.size() > longest || target.size() > longest) continue;
      out.source.push_back(std::move(source));
      out.target.push_back(std::move(target));
      out.texts.push_back(from.target[i]);
    }
    return out;
  }

  static Batch made(const Pairs& from, const std::vector<size_t>& chosen, bool packed) {
    std::vector<Tokens> sources, tokens, targets;
    Batch batch;
    for (const size_t i : chosen) {
      sources.push_back(from.source[i]);
      tokens.emplace_back(from.target[i].begin(), from.target[i].end() - 1);
      targets.emplace_back(from.target[i].begin() + 1, from.target[i].end());
    }
    batch.examples = static_cast<int64_t>(chosen.size());
    add_tokens(&batch, "tokens", tokens, packed);
    add_tokens(&batch, "source", sources, packed);
    batch.inputs["targets"] = packed ? row_of(targets) : rows_of(targets, -1);
    if (!packed) batch.inputs["source_lengths"] = lengths_of(sources);
    return batch;
  }

  const Recipe recipe_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  const Writing writing_;
  Pairs training_, held_out_, test_;
  ExampleOrder order_{{0}, 1, 0};
  int64_t characters_ = 0;
  uint64_t digest_ = 0;
};

}  // namespace

PreparedTask prepare_translation(const Recipe& recipe, const Parts<TextPairs>& data, const Given& given) {
  if (!reads_source(recipe.network))
    fail_call("train: the task 'translation' needs a network with an \"encoder\"");
  if (!given.tokenizer && recipe.tokenizer != "bpe")
    fail_call(
        "train: the task 'translation' needs the tokenizer 'bpe', which has tokens for a text's start "
        "and end; the recipe says '",
        recipe.tokenizer, "'");
  PreparedTask out{recipe, given.tokenizer, nullptr};
  if (!out.tokenizer) {
    std::vector<std::string> texts = data.training.source;
    texts.insert(texts.end(), data.training.target.begin(), data.training.target.end());
    out.tokenizer = tokenizer_of(recipe, texts, {k_start, k_end});
  }
  set_vocabulary(out.recipe.network, out.tokenizer->vocabulary());
  Given known = given;
  known.tokenizer = out.tokenizer;
  if (!known.writing) {
    const auto start = out.tokenizer->special(k_start), end = out.tokenizer->special(k_end);
    if (!start || !end)
      fail_call(
          "train: the model to begin from does not say which tokens begin and end a text that it writes");
    known.writing = Writing{.start = *start, .ends = {*end}, .beams = 5};
  }
  if (known.writing->ends.empty())
    fail_call("train: the model to begin from does not say which token ends a text that it writes");
  out.data = std::make_unique<Translation>(out.recipe, known, data);
  return out;
}

}  // namespace limpid

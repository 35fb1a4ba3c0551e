// What a task learns from, as batches: what one run of the network reads.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "limpid/train.h"

namespace limpid {

/// What one run reads, by the names of the network's inputs, "targets" among them.
struct Batch {
  std::map<std::string, Tensor> inputs;
  int64_t examples = 0;
  int64_t positions = 0;  // tokens or patches: what the speed is told in
};

enum class Part { held_out, test };

/// Rows [first, end) of a table.
struct RowRange {
  int64_t first = 0, end = 0;
};

/// A table of series as it is learned from: at mean 0 and deviation 1 of the training rows.
struct SeriesWindows {
  std::vector<float> values;  // [rows, channels]
  int64_t channels = 0, look_back = 0, horizon = 0, period = 0;
  RowRange training, held_out,
      test;  // of which windows are cut; the later two begin `look_back` rows earlier
  double at(int64_t row, int64_t channel) const {
    return values[static_cast<size_t>(row * channels + channel)];
  }
};

/// Batches are functions of (seed, step), so a resumed run reads what an unbroken one would have.
class TaskData {
 public:
  virtual ~TaskData() = default;

  /// What a step learns from; of a task that packs() and with `packed` as Purpose::train_packed reads it.
  virtual Batch batch(int64_t step, bool packed) const = 0;
  /// Are the examples texts of different lengths, which can stand one behind another?
  virtual bool packs() const { return false; }
  virtual int64_t steps_per_pass() const = 0;
  /// Whether there are examples of this part.
  virtual bool has(Part) const = 0;
  /// What an evaluation of this part reads, in order; where nothing is held out, the training examples.
  virtual int64_t evaluation_batches(Part) const = 0;
  virtual Batch evaluation_batch(Part, int64_t) const = 0;
  /// Code points that the predicted tokens of the held-out part stand for; 0 where they stand for none.
  virtual int64_t evaluation_characters() const { return 0; }
  /// Of a table of series; else none.
  virtual const SeriesWindows* series() const { return nullptr; }
  /// What a finished model should know of its task.
  virtual ModelTasks tasks() const { return {}; }
  /// A number for the data, so that a checkpoint is not continued on other data.
  virtual uint64_t digest() const = 0;
};

/// A recipe with its network filled in from the data, and the data as batches.
struct PreparedTask {
  Recipe recipe;
  std::shared_ptr<const Tokenizer> tokenizer;  // none for images and series
  std::unique_ptr<TaskData> data;
};
/// What there is already: of a run that goes on, or of a model that it begins from.
struct Given {
  std::shared_ptr<const Tokenizer> tokenizer;  // none: it is made of the training texts
  std::optional<Writing> writing;              // how an encoder-decoder begins and ends its texts
};
/// Throws Error{call} where the data does not fit the recipe.
PreparedTask prepare(const Recipe&, const TrainingData&, const Given& = {});

// ---- the tasks, a file each -------------------------------------------------------------------------

PreparedTask prepare_texts(const Recipe&, const std::vector<std::string>& texts,
                           std::shared_ptr<const Tokenizer>);
PreparedTask prepare_classes(const Recipe&, const Parts<LabelledTexts>&, std::shared_ptr<const Tokenizer>);
PreparedTask prepare_images(const Recipe&, const Parts<LabelledImages>&);
PreparedTask prepare_forecast(const Recipe&, const SeriesTable&);
PreparedTask prepare_translation(const Recipe&, const Parts<TextPairs>&, const Given&);
PreparedTask prepare_algorithm(const Recipe&, std::shared_ptr<const Tokenizer>);

// ---- what several of them need ------------------------------------------------------------------------

/// How many bytes of a text, from its start, are for training; the rest is held out.  Never cuts a character.
size_t training_bytes(const Recipe&, const std::string& text);

/// The tokenizer that the recipe names, made of the training texts; `special` are tokens of a bpe tokenizer
/// that no text has.
std::shared_ptr<const Tokenizer> tokenizer_of(const Recipe&, const std::vector<std::string>& texts,
                                              const std::vector<std::string>& special = {});

/// A text as a model takes it, special tokens round it included; of a longer one the first `longest` tokens,
/// of which those that the tokenizer adds stay.
std::vector<int64_t> model_tokens(const Tokenizer&, const std::string& text, int64_t longest);

/// Do the recipe's texts stand one behind another in a batch?
inline bool packs_texts(const Recipe& recipe) { return recipe.pack && packs(recipe.network); }

/// Token lists as the input `name` of a batch ("tokens", "source"): side by side as [B,T], or `packed` one
/// behind another as [1,T], with the inputs that say which text a token is of, and where in it it stands.
void add_tokens(Batch*, const std::string& name, const std::vector<std::vector<int64_t>>& lists, bool packed);
/// Token lists as rows [B,T], behind whose ends `padding` stands.
Tensor rows_of(const std::vector<std::vector<int64_t>>& lists, int64_t padding);
/// Token lists one behind another, [1,T].
Tensor row_of(const std::vector<std::vector<int64_t>>& lists);
/// [B]
Tensor lengths_of(const std::vector<std::vector<int64_t>>& lists);

/// The order in which examples are learned from: each pass has every example once, drawn anew.  Of examples
/// of different lengths those of a batch are about as long as one another.
class ExampleOrder {
 public:
  /// `lengths`: of the examples; all the same where they have none, or where it makes no difference.
  ExampleOrder(std::vector<int64_t> lengths, int64_t batch, uint64_t seed);
  int64_t steps_per_pass() const { return static_cast<int64_t>(batches_); }
  /// The examples of a step.
  std::vector<size_t> batch(int64_t step) const;

 private:
  void draw(int64_t pass) const;

  std::vector<int64_t> lengths_;
  size_t size_, batches_;
  uint64_t seed_;
  mutable int64_t pass_ = -1;
  mutable std::vector<std::vector<size_t>> drawn_;  // the batches of that pass
};

/// Throws Error{call} unless there are two to tell apart.
void require_classes(const std::vector<std::string>& classes);

/// How many batches of `size` hold `count` examples, and the places of those in one of them.
int64_t batches_of(int64_t count, int64_t size);
std::vector<size_t> places_in_batch(int64_t number, int64_t count, int64_t size);

/// `share` of `count` examples, drawn by the seed: their places in rising order.
std::vector<size_t> drawn_share(size_t count, double share, uint64_t seed, const char* stream);

/// FNV-1a over bytes, going on from `digest`.
uint64_t digest_of(const void* data, size_t size, uint64_t digest = 0xcbf29ce484222325u);
uint64_t digest_of(const std::vector<std::string>& texts, uint64_t digest = 0xcbf29ce484222325u);

}  // namespace limpid

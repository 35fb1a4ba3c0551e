// What several tasks need: tokenizers, rows of tokens, the order of examples.
#include <algorithm>
#include <numeric>

#include "core/label.h"
#include "limpid/random.h"
#include "train/task_data.h"

namespace limpid {

PreparedTask prepare(const Recipe& recipe, const TrainingData& data, const Given& known) {
  const std::shared_ptr<const Tokenizer>& tokenizer = known.tokenizer;
  const auto given = [&]<class T>(const T*) -> const T& {
    const T* found = std::get_if<T>(&data);
    if (!found) fail_call("train: the data is not what the task '", name(recipe.task), "' learns from");
    return *found;
  };
  switch (recipe.task) {
    case Task::next_word:
      return prepare_texts(recipe, given(static_cast<std::vector<std::string>*>(nullptr)), tokenizer);
    case Task::classes:
      return prepare_classes(recipe, given(static_cast<Parts<LabelledTexts>*>(nullptr)), tokenizer);
    case Task::images:
      return prepare_images(recipe, given(static_cast<Parts<LabelledImages>*>(nullptr)));
    case Task::forecast:
      return prepare_forecast(recipe, given(static_cast<SeriesTable*>(nullptr)));
    case Task::translation:
      return prepare_translation(recipe, given(static_cast<Parts<TextPairs>*>(nullptr)), known);
    case Task::algorithm:
      return prepare_algorithm(recipe, tokenizer);
  }
  fail_call("train: unknown task");
}

std::shared_ptr<const Tokenizer> tokenizer_of(const Recipe& recipe, const std::vector<std::string>& texts,
                                              const std::vector<std::string>& special) {
  if (recipe.tokenizer == "bpe") {
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    return train_bpe(views, recipe.vocabulary,
                     {.special = special, .lower = recipe.lower, .whole = recipe.whole_words});
  }
  if (recipe.tokenizer == "bytes") return byte_tokenizer();
  std::string all;
  for (const std::string& text : texts) all += text + '\n';
  if (!texts.empty()) all.pop_back();
  if (recipe.tokenizer == "words") return word_tokenizer_from(all);
  return character_tokenizer_from(all);
}

std::vector<int64_t> model_tokens(const Tokenizer& tokenizer, const std::string& text, int64_t longest) {
  const ModelInput input = tokenizer.encode_for_model(text, {true, Specials::as_text});
  const auto all = static_cast<int64_t>(input.ids.size());
  int64_t over = std::max<int64_t>(0, all - longest),
          own = std::count_if(input.text_of.begin(), input.text_of.end(), [](int of) { return of >= 0; });
  std::vector<int64_t> ids;
  for (size_t i = 0; i < input.ids.size(); ++i) {
    if (input.text_of[i] >= 0 && own-- <= over) continue;  // the text's last ones go
    ids.push_back(input.ids[i]);
  }
  return ids;
}

Tensor rows_of(const std::vector<std::vector<int64_t>>& lists, int64_t padding) {
  size_t longest = 0;
  for (const auto& list : lists) longest = std::max(longest, list.size());
  Tensor rows(DType::i64,
              {{Axis::B, static_cast<int64_t>(lists.size())}, {Axis::T, static_cast<int64_t>(longest)}});
  std::fill_n(rows.data<int64_t>(), rows.count(), padding);
  for (size_t b = 0; b < lists.size(); ++b)
    std::copy(lists[b].begin(), lists[b].end(), rows.data<int64_t>() + b * longest);
  return rows;
}

Tensor row_of(const std::vector<std::vector<int64_t>>& lists) {
  std::vector<int64_t> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  return Tensor::of<int64_t>({{Axis::B, 1}, {Axis::T, static_cast<int64_t>(all.size())}}, all);
}

void add_tokens(Batch* batch, const std::string& name, const std::vector<std::vector<int64_t>>& lists,
                bool packed) {
  for (const auto& list : lists) batch->positions += static_cast<int64_t>(list.size());
  if (!packed) {
    batch->inputs[name] = rows_of(lists, 0);
    return;
  }
  std::vector<std::vector<int64_t>> documents, places;
  for (size_t i = 0; i < lists.size(); ++i) {
    documents.emplace_back(lists[i].size(), static_cast<int64_t>(i));
    places.emplace_back(lists[i].size());
    std::iota(places.back().begin(), places.back().end(), int64_t{0});
  }
  const bool source = name == "source";
  batch->inputs[name] = row_of(lists);
  batch->inputs[source ? "source_documents" : "documents"] = row_of(documents);
  batch->inputs[source ? "encoder.places" : "places"] = row_of(places);
}

Tensor lengths_of(const std::vector<std::vector<int64_t>>& lists) {
  Tensor lengths(DType::i64, {{Axis::B, static_cast<int64_t>(lists.size())}});
  for (size_t b = 0; b < lists.size(); ++b)
    lengths.data<int64_t>()[b] = static_cast<int64_t>(lists[b].size());
  return lengths;
}

namespace {

constexpr size_t k_sorted_batches = 16;  // examples of so many batches are put into order by length

}  // namespace

ExampleOrder::ExampleOrder(std::vector<int64_t> lengths, int64_t batch, uint64_t seed)
    : lengths_(std::move(lengths)),
      size_(static_cast<size_t>(batch)),
      batches_((lengths_.size() + size_ - 1) / size_),
      seed_(seed) {}

std::vector<size_t> ExampleOrder::batch(int64_t step) const {
  const int64_t pass = step / steps_per_pass();
  if (pass != pass_) draw(pass);
  return drawn_[static_cast<size_t>(step % steps_per_pass())];
}

void ExampleOrder::draw(int64_t pass) const {
  std::vector<size_t> order(lengths_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  Random random(seed_ + static_cast<uint64_t>(pass), stream_named("batches"));
  random.shuffle(order);
  const size_t group = size_ * k_sorted_batches;
  for (size_t first = 0; first < order.size(); first += group)
    std::stable_sort(order.begin() + static_cast<int64_t>(first),
                     order.begin() + static_cast<int64_t>(std::min(order.size(), first + group)),
                     [&](size_t a, size_t b) { return lengths_[a] < lengths_[b]; });
  drawn_.clear();
  for (size_t first = 0; first < order.size(); first += size_)
    drawn_.emplace_back(order.begin() + static_cast<int64_t>(first),
                        order.begin() + static_cast<int64_t>(std::min(order.size(), first + size_)));
  random.shuffle(drawn_);
  pass_ = pass;
}

int64_t batches_of(int64_t count, int64_t size) { return (count + size - 1) / size; }

std::vector<size_t> places_in_batch(int64_t number, int64_t count, int64_t size) {
  std::vector<size_t> places(static_cast<size_t>(std::min(count - number * size, size)));
  std::iota(places.begin(), places.end(), static_cast<size_t>(number * size));
  return places;
}

std::vector<size_t> drawn_share(size_t count, double share, uint64_t seed, const char* stream) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  Random random(seed, stream_named(stream));
  random.shuffle(order);
  order.resize(static_cast<size_t>(share * static_cast<double>(count)));
  std::sort(order.begin(), order.end());
  return order;
}

void require_classes(const std::vector<std::string>& classes) {
  if (classes.size() < 2)
    fail_call("train: every example is of the class ", in_quotes(classes.empty() ? "" : classes[0]),
              "; there is nothing to learn but with two classes at least");
}

uint64_t digest_of(const void* data, size_t size, uint64_t digest) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (size_t i = 0; i < size; ++i) digest = (digest ^ bytes[i]) * 0x100000001b3u;
  return digest;
}

uint64_t digest_of(const std::vector<std::string>& texts, uint64_t digest) {
  for (const std::string& text : texts) digest = digest_of(text.c_str(), text.size() + 1, digest);
  return digest;
}

}  // namespace limpid

#include "train/score.h"

#include <algorithm>
#include <cmath>

namespace limpid {

namespace {

constexpr int64_t k_most_confused = 1000;  // classes of a table of confusions

// The harmonic mean of precision and recall of one class (van Rijsbergen 1979).
double f1_of(const std::vector<int64_t>& confusion, int64_t classes, int64_t of) {
  int64_t said = 0, true_ones = 0;
  for (int64_t i = 0; i < classes; ++i) {
    said += confusion[static_cast<size_t>(i * classes + of)];
    true_ones += confusion[static_cast<size_t>(of * classes + i)];
  }
  const int64_t both = confusion[static_cast<size_t>(of * classes + of)];
  return said + true_ones == 0 ? 0 : 2.0 * static_cast<double>(both) / static_cast<double>(said + true_ones);
}

}  // namespace

Score::Score(const Graph& graph) {
  classes_ = graph.find("logits") >= 0;
  if (classes_) {
    const Value& logits = graph.value(graph.require("logits"));
    sequences_ = logits.shape.rank() == 3;
    outputs_ = logits.shape[logits.shape.rank() - 1].size;
    keeps_ = {"loss.per_token", logits.name};
    if (!sequences_ && outputs_ <= k_most_confused)
      confusion_.resize(static_cast<size_t>(outputs_ * outputs_));
  } else {
    keeps_ = {graph.value(graph.require("prediction")).name};
  }
}

void Score::add(const Batch& batch, const RunResult& result) {
  examples_ += batch.examples;
  classes_ ? add_classes(batch, result) : add_numbers(batch, result);
}

void Score::add_classes(const Batch& batch, const RunResult& result) {
  const Tensor &targets = batch.inputs.at("targets"), &logits = result[keeps_[1]];
  const float *each = result[keeps_[0]].data<float>(), *row = logits.data<float>();
  const int64_t places = targets.count() / std::max<int64_t>(1, batch.examples);
  for (int64_t b = 0; b < batch.examples; ++b) {
    bool whole = true;
    for (int64_t p = 0; p < places; ++p, ++each, row += outputs_) {
      const int64_t target = targets.data<int64_t>()[b * places + p];
      if (target < 0) continue;
      // Right is what no other class lies above, as everywhere.
      const float* said = std::max_element(row, row + outputs_);
      const bool right = !std::isnan(row[target]) && *said <= row[target];
      loss_ += *each;
      ++counted_;
      right_ += right;
      whole = whole && right;
      if (!confusion_.empty())
        ++confusion_[static_cast<size_t>(target * outputs_ + (right ? target : said - row))];
    }
    whole_ += whole;
  }
}

void Score::add_numbers(const Batch& batch, const RunResult& result) {
  const Tensor &targets = batch.inputs.at("targets"), &said = result[keeps_[0]];
  for (int64_t i = 0; i < targets.count(); ++i) {
    const double apart = static_cast<double>(said.data<float>()[i]) - targets.data<float>()[i];
    squares_ += apart * apart;
    distances_ += std::abs(apart);
  }
  counted_ += targets.count();
}

void Score::sum_over(Ranks& ranks) {
  if (ranks.alone()) return;
  int64_t* const counts[] = {&counted_, &right_, &examples_, &whole_};
  double* const sums[] = {&loss_, &squares_, &distances_};
  std::vector<double> all;  // counts are exact in it
  for (const int64_t* count : counts) all.push_back(static_cast<double>(*count));
  for (const double* sum : sums) all.push_back(*sum);
  all.insert(all.end(), confusion_.begin(), confusion_.end());
  ranks.begin_sum(all.data(), static_cast<int64_t>(all.size()));
  ranks.wait();
  const double* next = all.data();
  for (int64_t* count : counts) *count = static_cast<int64_t>(*next++);
  for (double* sum : sums) *sum = *next++;
  for (int64_t& cell : confusion_) cell = static_cast<int64_t>(*next++);
}

Trainer::Evaluation Score::result() const {
  Trainer::Evaluation e;
  const auto count = static_cast<double>(std::max<int64_t>(1, counted_));
  e.tokens = counted_;
  e.examples = examples_;
  if (!classes_) {
    e.loss = squares_ / count;
    e.metrics = {{"mse", squares_ / count}, {"mae", distances_ / count}};
    return e;
  }
  e.loss = loss_ / count;
  e.accuracy = static_cast<double>(right_) / count;
  if (sequences_) {
    e.metrics = {
        {"whole", static_cast<double>(whole_) / static_cast<double>(std::max<int64_t>(1, examples_))}};
    return e;
  }
  e.metrics["accuracy"] = e.accuracy;
  e.confusion = confusion_;
  if (confusion_.empty()) return e;
  double sum = 0;
  for (int64_t k = 0; k < outputs_; ++k) sum += f1_of(confusion_, outputs_, k);
  e.metrics["f1"] = outputs_ == 2 ? f1_of(confusion_, 2, 1) : sum / static_cast<double>(outputs_);
  return e;
}

}  // namespace limpid

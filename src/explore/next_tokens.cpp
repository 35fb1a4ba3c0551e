#include "explore/next_tokens.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <variant>

#include "core/label.h"
#include "explore/stored.h"
#include "model/sample.h"
#include "trace/reading.h"

namespace limpid::explore {

namespace {

const Value& value_named(const Run& run, const char* name) {
  const int id = run.graph().find(name);
  if (id < 0)
    fail_call("this network gives no probabilities (it has no stage ", name,
              "), so nothing is said to come next");
  return run.graph().value(id);
}

// Whether tokens are drawn by the model's own probabilities.
bool plain(const SampleOptions& o) {
  return o.temperature == 1 && o.top_k == 0 && o.top_p == 1 && o.min_p == 0;
}

// The row [V] of a value at a place.
std::vector<double> row_of(Run& run, const Value& value, int64_t position) {
  const bool rows = value.shape.find(Axis::T) >= 0;
  const Trace& trace = run.read({{value.name, rows ? Depth::rows : Depth::full, 0, {position}}});
  const auto whole = trace.values.find(value.name);
  ConstView numbers;
  if (whole != trace.values.end()) {
    numbers = whole->second.view();
    if (rows) numbers = numbers.window(numbers.shape().find(Axis::T), position, 1);
  } else {
    const Tensor& places = trace.values.at(value.name + "@rows.index");
    const int64_t* const begin = places.data<int64_t>();
    numbers = trace.values.at(value.name + "@rows").view();
    numbers = numbers.window(numbers.shape().find(Axis::T),
                             std::find(begin, begin + places.count(), position) - begin, 1);
  }
  const Tensor row = Tensor::copy_of(numbers).to(DType::f64);
  return {row.data<double>(), row.data<double>() + row.count()};
}

}  // namespace

SampleOptions sample_options(Request& request, double temperature) {
  SampleOptions out;
  out.temperature = request.real_or("temperature", temperature);
  out.top_k = request.integer_or("top_k", 0, 0, INT64_MAX);
  out.top_p = request.real_or("top_p", 1);
  out.min_p = request.real_or("min_p", 0);
  check(out);
  return out;
}

NextTokens next_tokens(Run& run, int64_t position, const SampleOptions& options) {
  const Value &probs = value_named(run, "probs"), &logits = value_named(run, "logits");
  NextTokens out;
  if (run.stored() && plain(options) && held(*run.stored(), logits.name) == Held::none) {
    out.probabilities = out.chosen = row_of(run, probs, position);
    return out;
  }
  run.read({{probs.name, Depth::rows, 0, {position}}, {logits.name, Depth::rows, 0, {position}}});
  out.probabilities = row_of(run, probs, position);
  const std::vector<double> row = row_of(run, logits, position);
  out.chosen = drawn_probabilities({row.begin(), row.end()}, {}, options);
  return out;
}

std::vector<double> next_probabilities(Run& run, int64_t position) {
  return row_of(run, value_named(run, "probs"), position);
}

std::vector<double> next_logits(Run& run, int64_t position) {
  return row_of(run, value_named(run, "logits"), position);
}

bool predicts_each(const Run& run) { return value_named(run, "probs").shape.find(Axis::T) >= 0; }

std::string predicted(const Run& run) {
  if (!predicts_each(run)) return "class";
  const bool textbook = !run.stored() && std::holds_alternative<TextbookConfig>(run.model().config());
  if (run.stored() || textbook) return Reading(run.trace()).predicts_next() ? "next" : "hidden";
  return predicts_next_token(run.model().config()) ? "next" : "hidden";
}

std::vector<int64_t> largest(const std::vector<double>& numbers, int64_t count) {
  std::vector<int64_t> order(numbers.size());
  std::iota(order.begin(), order.end(), 0);
  const auto most = std::min(order.size(), static_cast<size_t>(count));
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(most), order.end(),
                    [&](int64_t i, int64_t k) {
                      const double a = numbers[static_cast<size_t>(i)], b = numbers[static_cast<size_t>(k)];
                      if (std::isnan(a) != std::isnan(b)) return std::isnan(a);  // a NaN is not hidden
                      return a != b && !std::isnan(a) ? a > b : i < k;
                    });
  order.resize(most);
  return order;
}

std::string label_of(const Run& run, int64_t id) {
  const std::vector<std::string>& labels = run.trace().vocabulary;
  const auto at = static_cast<size_t>(id);
  return at < labels.size() ? visible_line(labels[at]) : std::to_string(id);
}

}  // namespace limpid::explore

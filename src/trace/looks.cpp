#include "trace/looks.h"

#include <cmath>

namespace limpid {

std::optional<Look> look(const Reading& reading, int64_t layer, int64_t head, int64_t query) {
  const std::optional<Rows>& weights = reading.rows(reading.in_layer(layer, "attn.pattern"));
  const int64_t row = weights ? weights->find(query) : -1;
  if (row < 0 || weights->numbers.shape().rank() != 3) return std::nullopt;
  Look out{layer, head, query, 0, 0, 0, 0, 0, 1};
  double entropy = 0;
  for (int64_t key = 0; key < weights->numbers.shape()[2].size; ++key) {
    const double weight = weights->numbers.at({head, row, key});
    if (!std::isfinite(weight)) return std::nullopt;
    if (reading.masked(layer, head, query, key)) continue;
    if (out.keys == 0 || weight > out.most_weight) out.most = key, out.most_weight = weight;
    if (out.keys == 0 || weight < out.least_weight) out.least = key, out.least_weight = weight;
    if (weight > 0) entropy -= weight * std::log(weight);
    ++out.keys;
  }
  if (out.keys == 0 || out.most_weight <= 0) return std::nullopt;
  out.evenness = out.keys > 1 ? entropy / std::log(static_cast<double>(out.keys)) : 1;
  return out;
}

std::vector<Look> looks_of(const Reading& reading, int64_t query) {
  std::vector<Look> out;
  for (int64_t layer = 0; layer < reading.layers(); ++layer) {
    const std::optional<Rows>& weights = reading.rows(reading.in_layer(layer, "attn.pattern"));
    if (!weights || weights->numbers.shape().rank() != 3 || query < 0 || weights->find(query) < 0) continue;
    for (int64_t head = 0; head < weights->numbers.shape()[0].size; ++head)
      if (const auto found = look(reading, layer, head, query)) out.push_back(*found);
  }
  return out;
}

std::optional<double> row_length(const Reading& reading, int value, int64_t row) {
  const std::optional<Rows>& rows = reading.rows(value);
  const int64_t at = rows && row >= 0 ? rows->find(row) : -1;
  if (at < 0 || rows->numbers.shape().rank() < 2 || rows->numbers.shape()[0].axis != Axis::T)
    return std::nullopt;
  const ConstView& numbers = rows->numbers;
  const int64_t width = numbers.shape().count() / numbers.shape()[0].size;
  const ConstView one = numbers.window(0, at, 1).reshaped(Shape::unnamed({width}));
  double squares = 0;
  for (int64_t i = 0; i < width; ++i) squares += one.at({i}) * one.at({i});
  return std::sqrt(squares);
}

}  // namespace limpid

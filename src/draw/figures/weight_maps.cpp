#include "draw/figures/weight_maps.h"

#include <algorithm>
#include <cmath>

#include "draw/figures/canvas.h"

namespace limpid::draw {

// ---- of a run ------------------------------------------------------------------------------------

WeightMaps::WeightMaps(const Trace& trace) : reading_(std::in_place, trace), edits_(std::in_place, trace) {
  for (int64_t layer = 0; layer < reading_->layers(); ++layer)
    if (weights(layer, 0)) layers_.push_back(layer);
  rows_ = token_labels(*reading_);
  columns_ = token_labels(*reading_, Axis::S);
  thing_ = reading_->thing(Axis::T);
  title_ = reading_->sentence();
}

bool WeightMaps::edited(int64_t layer, int64_t head) const {
  if (!edits_) return false;
  for (const char* name : {"raw_scores", "scaled_scores", "scores", "pattern"})
    if (!edits_->of(join("blocks.", layer, ".attn.", name), head).empty()) return true;
  return false;
}

// ---- one's own -----------------------------------------------------------------------------------

namespace {

int64_t size_of(const Tensor& weights, int from_end) {
  const int rank = weights.shape().rank();
  return from_end <= rank ? weights.shape()[rank - from_end].size : 1;
}

std::vector<std::string> labels_for(const std::vector<std::string>& given, int64_t places, const char* what) {
  std::vector<std::string> out;
  if (!given.empty() && static_cast<int64_t>(given.size()) != places)
    fail_call(given.size(), " labels for ", places, " ", what, "; give one for each");
  for (int64_t i = 0; i < places; ++i) {
    const std::string label = given.empty() ? std::to_string(i) : clean(given[static_cast<size_t>(i)]);
    out.push_back(label.empty() ? "\xe2\x90\xa3" : label);
  }
  return out;
}

}  // namespace

WeightMaps::WeightMaps(const OwnWeights& own) : own_(&own) {
  const Tensor& w = own.weights;
  if (w.shape().rank() < 2 || w.shape().rank() > 4)
    fail_call(own.title, ": the weights are ", w.shape().text(),
              ", expected [layers, heads, queries, keys], [heads, queries, keys] or [queries, keys]");
  if (w.count() == 0) fail_call(own.title, ": the weights are ", w.shape().text(), ", which hold no number");
  if (!is_floating(w.dtype()))
    fail_call(own.title, ": the weights are not real numbers but ", name(w.dtype()));
  const Tensor all = w.to(DType::f64);
  const int64_t rows = size_of(w, 2), columns = size_of(w, 1);
  causal_ = rows == columns && rows > 1;
  double sum = 0;
  for (int64_t i = 0; i < all.count(); ++i) {
    const double v = all.data<double>()[i];
    if (!std::isfinite(v))
      fail_call(own.title, ": the weight at query ", i / columns % rows, ", key ", i % columns, " of map ",
                i / (rows * columns), " is ", std::isnan(v) ? "NaN" : "infinite");
    if (i % columns > i / columns % rows && v != 0) causal_ = false;
    sum = i % columns == 0 ? v : sum + v;
    if (i % columns + 1 == columns && std::fabs(sum - 1) > 1e-3) sums_ = false;
  }
  for (int64_t layer = 0; layer < (w.shape().rank() == 4 ? size_of(w, 4) : 1); ++layer)
    layers_.push_back(layer);
  rows_ = labels_for(own.rows, rows, "queries");
  columns_ = labels_for(own.columns, columns, "keys");
  thing_ = "token";
  title_ = own.title;
}

// ---- both ----------------------------------------------------------------------------------------

int64_t WeightMaps::heads(int64_t layer) const {
  return own_ ? size_of(own_->weights, 3) : reading_->heads(layer);
}

void WeightMaps::require(int layer, int head) const {
  if (!own_) {
    reading_->require_layer(layer);
    return reading_->require_head(layer, head);
  }
  const auto count = static_cast<int64_t>(layers_.size());
  if (layer < 0 || layer >= count)
    fail_call("layer ", layer, " does not exist: these weights have ",
              count == 1 ? "one layer, 0" : join("the layers 0 to ", count - 1));
  if (head < 0 || head >= heads(layer))
    fail_call("head ", head, " does not exist: these weights have ",
              heads(layer) == 1 ? "one head, 0" : join("the heads 0 to ", heads(layer) - 1));
}

std::string WeightMaps::note() const {
  if (own_) return sums_ ? "" : " Rows do not add up to 1.";
  return reading_->trace().words_of_pieces ? " Of a word that the tokenizer split, the weights of its "
                                             "pieces are added where it is looked at "
                                             "and averaged where it looks."
                                           : "";
}

std::optional<Matrix> WeightMaps::weights(int64_t layer, int64_t head) const {
  if (!own_)
    return matrix_of(reading_->trace(), join("blocks.", layer, ".attn.pattern"), Axis::T, Axis::S, head,
                     reading_->heads(layer));
  const int rank = own_->weights.shape().rank();
  Matrix out;
  out.tensor = &own_->weights;
  out.source.stage = own_->name;
  out.source.index.assign(static_cast<size_t>(rank), 0);
  if (rank == 4) out.source.index[0] = layer;
  if (rank >= 3) out.source.index[static_cast<size_t>(rank - 3)] = head;
  out.row_axis = rank - 2;
  out.column_axis = rank - 1;
  out.rows = size_of(own_->weights, 2);
  out.columns = size_of(own_->weights, 1);
  out.taken = 0;
  out.source.format = format_for(out);
  return out;
}

std::optional<Matrix> WeightMaps::mask(int64_t layer, int64_t head) const {
  if (own_) return causal_ ? weights(layer, head) : std::nullopt;
  const auto map = weights(layer, head);
  const auto scores = matrix_of(reading_->trace(), join("blocks.", layer, ".attn.scores"), Axis::T, Axis::S,
                                head, reading_->heads(layer));
  if (map && scores && scores->rows == map->rows && scores->columns == map->columns) return scores;
  // Where the weights were edited, a weight of 0 does not tell what the mask takes away.
  if (!edits_->of(join("blocks.", layer, ".attn.pattern"), head).empty()) return std::nullopt;
  return map;
}

}  // namespace limpid::draw

#include "trace/reading.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/label.h"
#include "engine/observe.h"
#include "trace/figures.h"

namespace limpid {

Reading::Reading(const Trace& trace) : trace_(trace) {
  if (!trace.graph) fail_call("trace: it has no graph, so there is nothing to show");
  for (const StageInfo& stage : graph().stages())
    layers_ = std::max<int64_t>(layers_, layer_of(stage.name) + 1);
  for (const auto& [name, tensor] : trace.values)
    if (name.find('@') == std::string::npos)  // else some axes are cut down or pooled
      for (const Dim& dim : tensor.shape())
        if (!counts_source(name, dim.axis)) sizes_.emplace(dim.axis, dim.size);
  for (const auto& [name, summary] : trace.summaries)
    for (const Dim& dim : summary.shape)
      if (!counts_source(name, dim.axis)) sizes_.emplace(dim.axis, dim.size);
  weights_.resize(static_cast<size_t>(layers_));
  for (int64_t layer = 0; layer < layers_; ++layer) {
    Weights& of = weights_[static_cast<size_t>(layer)];
    of.pattern = in_layer(layer, "attn.pattern");
    const int stage = of.pattern < 0 ? -1 : graph().value(of.pattern).stage;
    if (stage < 0)
      of.pattern = -1;
    else if (!graph().stage(stage).inputs.empty())
      of.scores = graph().stage(stage).inputs[0];
  }
}

int64_t Rows::find(int64_t position) const {
  if (places.empty()) return position < length ? position : -1;
  const auto at = std::lower_bound(places.begin(), places.end(), position);
  return at != places.end() && *at == position ? at - places.begin() : -1;
}

namespace {

// Without the batch: the first sentence of it.
ConstView first_of_batch(const Tensor& tensor) {
  const ConstView view = tensor.view();
  if (view.shape().rank() == 0 || view.shape()[0].axis != Axis::B) return view;
  return view.window(0, 0, 1).reshaped(view.shape().part(1, view.shape().rank() - 1));
}

}  // namespace

std::optional<ConstView> Reading::numbers(int value) const {
  if (value < 0) return std::nullopt;
  const std::string& name = graph().value(value).name;
  auto found = trace_.values.find(name);
  if (found == trace_.values.end()) {
    found = trace_.parameters.find(name);
    if (found == trace_.parameters.end()) return std::nullopt;
  }
  const Tensor& tensor = found->second;
  if (tensor.count() == 0) return std::nullopt;
  return first_of_batch(tensor);
}

const std::optional<Rows>& Reading::rows(int value) const {
  const auto found = rows_.find(value);
  return found != rows_.end() ? found->second : rows_.emplace(value, find_rows(value)).first->second;
}

std::optional<Rows> Reading::find_rows(int value) const {
  if (value < 0) return std::nullopt;
  if (const auto whole = numbers(value)) {
    const int axis = rows_axis(whole->shape());
    return Rows{*whole, {}, axis < 0 ? 1 : whole->shape()[axis].size};
  }
  const std::string name = graph().value(value).name + "@rows";
  const auto kept = trace_.values.find(name), index = trace_.values.find(name + ".index");
  if (kept == trace_.values.end() || index == trace_.values.end() || kept->second.count() == 0)
    return std::nullopt;
  Rows out{first_of_batch(kept->second), {}, 0};
  const int axis = rows_axis(out.numbers.shape());
  if (axis < 0 || index->second.count() != out.numbers.shape()[axis].size) return std::nullopt;
  for (int64_t i = 0; i < index->second.count(); ++i)
    out.places.push_back(static_cast<int64_t>(index->second.at({i})));
  out.length =
      std::max(size(out.numbers.shape()[axis].axis).value_or(static_cast<int64_t>(trace_.tokens.size())),
               out.places.back() + 1);
  return out;
}

std::optional<ConstView> Reading::numbers(const std::string& name) const {
  return numbers(graph().find(name));
}

int Reading::layer_of(const std::string& name) {
  constexpr std::string_view k_blocks = "blocks.";
  if (name.compare(0, k_blocks.size(), k_blocks) != 0) return -1;
  int layer = -1;
  const char* begin = name.data() + k_blocks.size();
  const auto [end, error] = std::from_chars(begin, name.data() + name.size(), layer);
  constexpr int k_most_layers =
      4096;  // a page goes through all up to the last, so a name cannot ask for more
  const bool good = error == std::errc() && end != name.data() + name.size() && *end == '.' && layer >= 0 &&
                    layer < k_most_layers;
  return good ? layer : -1;
}

int Reading::in_layer(int64_t layer, const std::string& name) const {
  return graph().find(join("blocks.", layer, ".", name));
}

int64_t Reading::heads(int64_t layer) const {
  const int q = in_layer(layer, "attn.q");
  const int axis = q < 0 ? -1 : graph().value(q).shape.find(Axis::H);
  return axis < 0 ? 1 : std::max<int64_t>(1, graph().value(q).shape[axis].size);
}

bool Reading::has_sinks(int64_t layer) const {
  const int pattern = in_layer(layer, "attn.pattern"),
            stage = pattern < 0 ? -1 : graph().value(pattern).stage;
  return stage >= 0 && graph().stage(stage).operation->options().flag("sinks");
}

std::string Reading::weights_said(int64_t layer) const {
  return has_sinks(layer) ? "weights, of which the head's sink takes what they lack of 1"
                          : "weights that add up to 1";
}

int64_t Reading::key_heads(int64_t layer) const {
  const int k = in_layer(layer, "attn.k");
  const int axis = k < 0 ? -1 : graph().value(k).shape.find(Axis::G);
  return axis < 0 ? heads(layer) : std::max<int64_t>(1, graph().value(k).shape[axis].size);
}

bool Reading::predicts_each() const {
  const int probs = graph().find("probs");
  return probs >= 0 && graph().value(probs).shape.find(Axis::T) >= 0;
}

bool Reading::predicts_next() const { return predicts_each() && graph().find(k_probs_of_token) < 0; }

std::string Reading::likeliest(const std::string& quoted, const std::string& thing) const {
  if (!predicts_each()) return "The likeliest class";
  return predicts_next() ? join("After ", quoted, " the likeliest next ", thing)
                         : join("At ", quoted, " the likeliest");
}

void Reading::require_layer(int layer) const {
  if (layer >= 0 && layer < layers_) return;
  if (layers_ == 0) fail_call("layer ", layer, " does not exist: this network has no layers");
  fail_call("layer ", layer, " does not exist: this network has ",
            layers_ == 1 ? "one layer, 0" : join("the layers 0 to ", layers_ - 1));
}

void Reading::require_head(int layer, int head) const {
  const int64_t count = heads(layer);
  if (head >= 0 && head < count) return;
  fail_call("head ", head, " does not exist: layer ", layer, " has ",
            count == 1 ? "one head, 0" : join("the heads 0 to ", count - 1));
}

std::optional<int64_t> Reading::size(Axis axis) const {
  const auto found = sizes_.find(axis);
  if (found == sizes_.end() && axis == Axis::T && !trace_.tokens.empty())
    return static_cast<int64_t>(trace_.tokens.size());
  if (found == sizes_.end()) return std::nullopt;
  return found->second;
}

std::string Reading::label(Axis axis, int64_t place, int64_t of) const {
  const auto all = static_cast<int64_t>(trace_.tokens.size());
  if (axis == Axis::T && of > 0 && of < all && of_image(trace_)) place += all - of;
  const auto i = static_cast<size_t>(place);
  if (axis == Axis::T || axis == Axis::S) {
    const std::vector<Token>& tokens = axis == Axis::S && !trace_.keys.empty() ? trace_.keys : trace_.tokens;
    return i < tokens.size() ? visible(tokens[i].label) : join("#", place);
  }
  if (axis == Axis::V) {
    const int64_t count = size(Axis::V).value_or(static_cast<int64_t>(trace_.vocabulary.size()));
    if (static_cast<int64_t>(trace_.vocabulary.size()) == count && i < trace_.vocabulary.size())
      return visible(trace_.vocabulary[i]);
    if (count == 1) return "";
    // Without words the tokens are called by their ids, and so is what comes next.
    const auto called_by_id = [](const Token& token) { return token.label == std::to_string(token.id); };
    if (trace_.vocabulary.empty() && !trace_.tokens.empty() &&
        std::all_of(trace_.tokens.begin(), trace_.tokens.end(), called_by_id))
      return std::to_string(place);
    return join("#", place);  // labels of something else, or none
  }
  if (axis == Axis::H) return join("head ", place);
  if (axis == Axis::G) return join("key head ", place);
  if (axis == Axis::R) return join("hop ", place);
  return "";
}

std::string Reading::label_in(const std::string& value, Axis axis, int64_t place, int64_t of) const {
  const auto i = static_cast<size_t>(place);
  if (!counts_source(value, axis)) return label(axis, place, of);
  return i < trace_.source.size() ? visible(trace_.source[i].label) : join("#", place);
}

std::string Reading::thing(Axis axis) const {
  switch (axis) {
    case Axis::B:
      if (graph().find("observed") >= 0) return "column";  // of a series: each is read by itself
      return of_image(trace_) ? "image" : "sentence";
    case Axis::T:
    case Axis::S:
      return visible(trace_.token_word);
    case Axis::H:
      return "head";
    case Axis::G:
      return "key head";
    case Axis::V:
      return "candidate";
    case Axis::L:
      return "layer";
    case Axis::R:
      return "hop";
    case Axis::P:
      return "position";
    case Axis::N:
      return "bucket";
    case Axis::M:
      return "expert";
    case Axis::J:
      return "chosen expert";
    default:
      return "number";
  }
}

std::string Reading::sentence() const {
  if (of_image(trace_) && !trace_.text.empty()) return visible_line(trace_.text);
  if (!trace_.text.empty()) return "\"" + visible_line(trace_.text) + "\"";
  std::string out;
  for (size_t i = 0; i < trace_.tokens.size(); ++i) out += (i ? " " : "") + visible(trace_.tokens[i].label);
  return out.empty() ? "(no tokens)" : out;
}

Shape Reading::shape(int value) const {
  const Value& v = graph().value(value);
  if (const auto found = trace_.values.find(v.name); found != trace_.values.end())
    return found->second.shape();
  if (const auto found = trace_.summaries.find(v.name); found != trace_.summaries.end())
    return found->second.shape;
  Shape out = v.shape;
  for (int i = 0; i < out.rank(); ++i)
    if (out[i].size < 0) out[i].size = size(out[i].axis).value_or(k_symbolic);
  return out;
}

namespace {

bool tells_nothing(const Dim& dim) {
  return dim.size == 1 && (dim.axis == Axis::B || dim.axis == Axis::H || dim.axis == Axis::G);
}

}  // namespace

std::string Reading::letters(int value) const {
  std::string out;
  for (const Dim& dim : shape(value)) {
    if (tells_nothing(dim)) continue;
    if (!out.empty()) out += ' ';
    if (dim.axis != Axis::none) out += static_cast<char>(dim.axis);
    if (dim.axis != Axis::none && dim.size >= 0) out += '=';
    if (dim.size >= 0) out += std::to_string(dim.size);
  }
  return "[" + visible_line(out) + "]";
}

std::string Reading::in_words(int value) const {
  std::string out;
  for (const Dim& dim : shape(value)) {
    if (tells_nothing(dim)) continue;
    if (dim.size < 0) return "";
    out += (out.empty() ? "" : " x ") + counted(dim.size, thing(dim.axis));
  }
  return out.empty() ? "1 number" : out;
}

bool Reading::masked(int64_t layer, int64_t head, int64_t query, int64_t key) const {
  if (layer < 0 || layer >= layers_) return false;
  const Weights& of = weights_[static_cast<size_t>(layer)];
  const auto cell = [&](int value) -> std::optional<double> {
    const std::optional<Rows>& cells = rows(value);
    const int64_t row = cells ? cells->find(query) : -1;
    if (row < 0 || cells->numbers.shape().rank() != 3) return std::nullopt;
    return cells->numbers.at({head, row, key});
  };
  if (const auto score = cell(of.scores)) return std::isinf(*score) && *score < 0;
  const auto weight = cell(of.pattern);
  return weight && *weight == 0;
}

}  // namespace limpid

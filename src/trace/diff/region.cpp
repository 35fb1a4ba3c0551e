#include "trace/diff/region.h"

#include <algorithm>
#include <cstring>

namespace limpid {

namespace {

constexpr int k_own_value = -2;  // of the stage that does nothing: it reads the value itself

// Ids, lengths and types as Model::trace gives them, where the trace did not keep them.
std::optional<Tensor> rebuilt_input(const Trace& trace, const Value& value) {
  const auto length = static_cast<int64_t>(trace.tokens.size());
  if (length == 0 || value.dtype != DType::i64) return std::nullopt;
  if (value.name == "lengths") return Tensor::of<int64_t>({{Axis::B, 1}}, {length});
  std::vector<int64_t> ids(trace.tokens.size(), 0);
  if (value.name == "tokens")
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = trace.tokens[i].id;
  else if (value.name != "token_types")
    return std::nullopt;
  return Tensor::of<int64_t>({{Axis::B, 1}, {Axis::T, length}}, ids);
}

std::optional<Tensor> kept_numbers(const Trace& trace, const Value& value) {
  const auto wide = [](const Tensor& x) { return is_floating(x.dtype()) ? x.to(DType::f64) : x; };
  if (const auto found = trace.values.find(value.name); found != trace.values.end())
    return wide(found->second);
  if (const auto found = trace.parameters.find(value.name); found != trace.parameters.end()) {
    Tensor out = wide(found->second);
    if (out.shape().same_sizes(value.shape)) out.reshape(value.shape);
    return out;
  }
  return value.kind == Value::Kind::input ? rebuilt_input(trace, value) : std::nullopt;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

}  // namespace

Region::Region(const Trace& trace, int target, const std::set<int>& agreeing, bool through,
               const std::string& name)
    : trace_(trace), graph_(*trace.graph), target_(target) {
  if (!through) {
    StageInfo nothing;
    nothing.name = name;
    nothing.operation = graph_.registry().make("pass", {});
    nothing.inputs = {target};
    nothing.outputs = {k_own_value};
    stages_.push_back(nothing);
    keep(target);
    target_ = k_own_value;
    return;
  }
  target_output_ = graph_.value(target).output;
  std::set<int> stages;
  if (graph_.value(target).stage >= 0) {
    stages.insert(graph_.value(target).stage);
    for (const int id : graph_.stage(graph_.value(target).stage).inputs) go_back(id, agreeing, stages);
  }
  for (const int id : stages) stages_.push_back(graph_.stage(id));
}

void Region::keep(int value) {
  if (!frontier_.insert(value).second) return;
  const Value& v = graph_.value(value);
  std::optional<Tensor> numbers = kept_numbers(trace_, v);
  if (v.kind != Value::Kind::parameter) inputs_.push_back(v.name);
  if (numbers)
    values_[value] = std::move(*numbers);
  else
    lacking_.push_back(v.name);
}

// Graphs are some thousand stages deep at most, but what is walked is kept in a list all the same.
void Region::go_back(int value, const std::set<int>& agreeing, std::set<int>& stages) {
  std::vector<int> todo = {value};
  while (!todo.empty()) {
    const int id = todo.back();
    todo.pop_back();
    const Value& v = graph_.value(id);
    if (v.stage < 0 || agreeing.count(id)) {
      keep(id);
      continue;
    }
    if (!stages.insert(v.stage).second) continue;
    for (const int input : graph_.stage(v.stage).inputs) todo.push_back(input);
  }
}

std::vector<std::string> Region::stage_names() const {
  std::vector<std::string> out;
  for (const StageInfo& stage : stages_) out.push_back(stage.name);
  return out;
}

// ---- running -------------------------------------------------------------------------------------

StageCall Region::call(int stage) const {
  StageCall out{graph_, stages_[static_cast<size_t>(stage)], {}};
  for (const int id : out.stage.inputs) out.in.push_back(&values_.at(id));
  if (const auto seed = trace_.numbers.find("seed"); seed != trace_.numbers.end())
    out.context.seed = static_cast<uint64_t>(seed->second);
  return out;
}

void Region::run() {
  for (size_t i = 0; i < stages_.size(); ++i) {
    std::vector<Tensor> out = call(static_cast<int>(i)).run();
    for (size_t k = 0; k < out.size() && k < stages_[i].outputs.size(); ++k) {
      // A stage of which one output agrees and another does not: what agrees stays as it is.
      if (!frontier_.count(stages_[i].outputs[k])) values_[stages_[i].outputs[k]] = std::move(out[k]);
    }
  }
}

std::vector<bool> Region::touched(const std::map<int, Variant>& changes) const {
  std::vector<bool> out(stages_.size(), false);
  std::set<int> values;
  for (size_t i = 0; i < stages_.size(); ++i) {
    const auto& in = stages_[i].inputs;
    out[i] = changes.count(static_cast<int>(i)) ||
             std::any_of(in.begin(), in.end(), [&](int id) { return values.count(id) > 0; });
    if (out[i]) values.insert(stages_[i].outputs.begin(), stages_[i].outputs.end());
  }
  return out;
}

std::optional<Tensor> Region::run(const std::map<int, Variant>& changes) const {
  const std::vector<bool> runs = touched(changes);
  std::map<int, Tensor> made;
  bool differs = false;
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (!runs[i]) continue;
    StageCall c = call(static_cast<int>(i));
    for (size_t k = 0; k < c.in.size(); ++k)
      if (const auto found = made.find(c.stage.inputs[k]); found != made.end()) c.in[k] = &found->second;
    const auto change = changes.find(static_cast<int>(i));
    std::vector<Tensor> out = change == changes.end() ? c.run() : change->second.run(c);
    for (size_t k = 0; k < out.size() && k < c.stage.outputs.size(); ++k) {
      const int id = c.stage.outputs[k];
      if (frontier_.count(id) || !values_.count(id)) continue;
      const Tensor& own = values_.at(id);
      if (out[k].count() != own.count() || out[k].dtype() != own.dtype()) return std::nullopt;
      out[k].reshape(own.shape());
      differs = differs || !same_bits(out[k], own);
      made[id] = std::move(out[k]);
    }
  }
  const auto found = made.find(target_);
  if (!differs || found == made.end()) return std::nullopt;
  return std::move(found->second);
}

// ---- cost ----------------------------------------------------------------------------------------

double Region::stage_cost(const StageInfo& stage) const {
  double cost = 0, rows = 1;
  for (const int id : stage.inputs) {
    const auto found = values_.find(id);
    const Shape& shape = found != values_.end() ? found->second.shape() : graph_.value(id).shape;
    double count = 1, places = 1;
    for (const Dim& dim : shape) {
      const double size = dim.size < 0 ? static_cast<double>(std::max<size_t>(trace_.tokens.size(), 1))
                                       : static_cast<double>(dim.size);
      count *= size;
      if (dim.axis == Axis::T || dim.axis == Axis::S || dim.axis == Axis::B) places *= size;
    }
    const bool matrix = id >= 0 && graph_.value(id).kind == Value::Kind::parameter && shape.rank() >= 2;
    rows = std::max(rows, places);
    cost += matrix ? count * rows : count * (stage.inputs.size() == 2 && shape.rank() == 4 ? rows : 1);
  }
  return cost;
}

double Region::cost() const {
  double cost = 0;
  for (const StageInfo& stage : stages_) cost += stage_cost(stage);
  return cost;
}

double Region::cost_of(const std::map<int, Variant>& changes) const {
  const std::vector<bool> runs = touched(changes);
  double cost = 0;
  for (size_t i = 0; i < stages_.size(); ++i)
    if (runs[i]) cost += stage_cost(stages_[i]);
  return cost;
}

}  // namespace limpid

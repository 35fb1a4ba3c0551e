#include "limpid/graph.h"

#include <algorithm>

namespace limpid {

namespace {

std::vector<Shape> shapes_of(const std::vector<Stage>& inputs) {
  std::vector<Shape> shapes;
  for (const Stage& in : inputs) shapes.push_back(in.shape());
  return shapes;
}

// How far apart two names are: one for each letter added, removed or changed.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

// ---- handles -------------------------------------------------------------------------------------

const std::string& Stage::name() const { return graph->value(value).name; }
const Shape& Stage::shape() const { return graph->value(value).shape; }

Stage Stage::output(std::string_view wanted) const {
  const int stage = graph->value(value).stage;
  if (stage < 0) fail_call("'", name(), "' is not computed by a stage: it has no output '", wanted, "'");
  const StageInfo& info = graph->stage(stage);
  std::string names;
  for (int id : info.outputs) {
    const std::string& full = graph->value(id).name;
    if (full == join(info.name, ".", wanted)) return {graph, id};
    names += " '" + full + "'";
  }
  fail_call("stage '", info.name, "' has no output '", wanted, "'; it has", names);
}

Scope Scope::operator/(std::string_view name) const {
  Scope scope = *this;
  if (!scope.path.empty()) scope.path += '.';
  scope.path += name;
  return scope;
}

Scope Scope::beside(std::string_view name) const {
  Scope scope = *this;
  const size_t dot = path.rfind('.');
  scope.path = dot == std::string::npos ? "" : path.substr(0, dot);
  return scope / name;
}

Scope Scope::as(Role wanted) const {
  Scope scope = *this;
  scope.role = wanted;
  return scope;
}

Scope Scope::saying(Note words) const {
  Scope scope = *this;
  scope.note = std::move(words);
  return scope;
}

Group::Group(const Scope& in, const std::string& kind, const Options& options,
             const std::vector<Stage>& inputs)
    : in_(in) {
  GroupInfo info{in.path, kind, options, {}, {}};
  for (const Stage& stage : inputs) info.inputs.push_back(stage.value);
  group_ = in.graph->add_group(std::move(info));
  in_.group = group_;
}

Scope Group::operator/(std::string_view name) const { return in_ / name; }

void Group::gives(const std::vector<Stage>& outputs) { in_.graph->set_group_outputs(group_, outputs); }

// ---- the graph -----------------------------------------------------------------------------------

Stage Graph::input(const std::string& name, Shape shape, DType dtype) {
  values_.push_back({"", std::move(shape), dtype, Value::Kind::input, -1, 0, {}});
  rename(static_cast<int>(values_.size()) - 1, name);
  return handle(static_cast<int>(values_.size()) - 1);
}

void Graph::share_parameters(const std::string& prefix, const std::string& other) {
  shared_.emplace_back(prefix, other);
}

Stage Graph::parameter(const std::string& name, Shape shape, Init init) {
  for (const auto& [prefix, other] : shared_) {
    if (!name.starts_with(prefix)) continue;
    const Stage same = handle(require(other + name.substr(prefix.size())));
    if (!same.shape().same_sizes(shape))
      fail_call("'", name, "' is ", shape.text(), ", but shares its numbers with '", same.name(), "' ",
                same.shape().text());
    return same;
  }
  values_.push_back({"", std::move(shape), DType::f32, Value::Kind::parameter, -1, 0, init});
  rename(static_cast<int>(values_.size()) - 1, name);
  return handle(static_cast<int>(values_.size()) - 1);
}

Stage Graph::add(const Scope& scope, const std::string& kind, const Options& options,
                 const std::vector<Stage>& inputs) {
  StageInfo info;
  info.name = scope.path;
  info.group = scope.group;
  info.note = scope.note;
  std::vector<Output> outputs;
  try {
    for (const Stage& in : inputs)
      if (in.graph != this) fail_call("an input belongs to another graph, or is missing");
    info.operation = registry_->make(kind, options);
    outputs = info.operation->shape(shapes_of(inputs));
  } catch (const Error& error) {
    throw Error(error.kind(), join("stage '", scope.path, "' (", kind, "): ", error.what()));
  }
  info.role = scope.role.value_or(info.operation->role());
  for (const Stage& in : inputs) info.inputs.push_back(in.value);
  const int stage = static_cast<int>(stages_.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const int id = static_cast<int>(values_.size());
    values_.push_back(
        {"", outputs[i].shape, outputs[i].dtype, Value::Kind::temporary, stage, static_cast<int>(i), {}});
    rename(id, outputs[i].name.empty() ? scope.path : join(scope.path, ".", outputs[i].name));
    info.outputs.push_back(id);
  }
  stages_.push_back(std::move(info));
  return handle(stages_.back().outputs.front());
}

int Graph::add_group(GroupInfo group) {
  groups_.push_back(std::move(group));
  return static_cast<int>(groups_.size()) - 1;
}

void Graph::set_group_inputs(int group, const std::vector<int>& values) {
  groups_[static_cast<size_t>(group)].inputs = values;
}

void Graph::set_group_outputs(int group, const std::vector<Stage>& outputs) {
  auto& ids = groups_[static_cast<size_t>(group)].outputs;
  ids.clear();
  for (const Stage& stage : outputs) ids.push_back(stage.value);
}

void Graph::rename(int value, const std::string& name) {
  if (name.empty()) fail_call("graph: a stage needs a name");
  const auto taken = by_name_.find(name);
  if (taken != by_name_.end() && taken->second != value) fail_call("graph: the name '", name, "' is taken");
  by_name_.erase(values_[static_cast<size_t>(value)].name);
  values_[static_cast<size_t>(value)].name = name;
  by_name_[name] = value;
}

void Graph::alias(const std::string& name, Stage value) {
  if (!by_name_.emplace(name, value.value).second) fail_call("graph: the name '", name, "' is taken");
  aliases_[name] = value.value;
}

int Graph::find(std::string_view name) const {
  auto found = by_name_.find(name);
  if (found == by_name_.end()) found = by_name_.find(canonical_name(name));
  return found == by_name_.end() ? -1 : found->second;
}

int Graph::require(std::string_view name) const {
  const int id = find(name);
  if (id >= 0) return id;
  // Comparing takes the product of two lengths, and names may come from a file: long ones are near to
  // nothing.
  constexpr size_t k_longest = 200;
  if (name.size() > k_longest) fail_call("no stage is called '", name.substr(0, k_longest), "...'");
  std::vector<std::pair<size_t, std::string>> near;
  for (const auto& [known, value] : by_name_)
    if (known.size() <= k_longest) near.push_back({distance(name, known), known});
  std::sort(near.begin(), near.end());
  std::string list;
  for (size_t i = 0; i < near.size() && i < 3; ++i) list += (i ? ", '" : "'") + near[i].second + "'";
  fail_call("no stage is called '", name, "'; near it are ", list);
}

}  // namespace limpid

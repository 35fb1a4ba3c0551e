#include "explore/attentions.h"

#include <algorithm>

#include "core/label.h"
#include "engine/edit.h"
#include "engine/fast.h"
#include "explore/run.h"
#include "explore/stored.h"

namespace limpid::explore {

namespace {

const GroupInfo& group_of(const Graph& graph, const Attention& attention) {
  return graph.groups()[static_cast<size_t>(attention.group)];
}

bool is_square(const Shape& shape) { return shape.find(Axis::T) >= 0 && shape.find(Axis::S) >= 0; }

std::vector<int> inputs_and_outputs(const GroupInfo& group) {
  std::vector<int> out = group.inputs;
  out.insert(out.end(), group.outputs.begin(), group.outputs.end());
  return out;
}

// Whether the edit is of scores or weights of this group.
bool edits_cells(const Graph& graph, const Edit& edit, int group) {
  for (const int named : values_named(graph, edit.pattern)) {
    const Value& value = graph.value(edited_value(graph, edit, named));
    if (value.stage >= 0 && graph.stage(value.stage).group == group && is_square(value.shape)) return true;
  }
  return false;
}

}  // namespace

std::vector<Attention> attentions_of(const Graph& graph) {
  std::vector<Attention> out;
  for (int i = 0; i < static_cast<int>(graph.values().size()); ++i) {
    const Value& value = graph.value(i);
    const int group = value.stage < 0 ? -1 : graph.stage(value.stage).group;
    if (group < 0) continue;
    const std::string& name = graph.groups()[static_cast<size_t>(group)].name;
    const int heads = value.shape.find(Axis::H);
    if (value.name == name + ".pattern" && heads >= 0)
      out.push_back({name, i, group, value.shape[heads].size});
  }
  return out;
}

std::vector<Attention> attentions_of(Run& run, Depth depth) {
  std::vector<Attention> all = attentions_of(run.graph());
  if (all.empty()) fail_call("this network has no attention");
  if (!run.stored()) return all;
  std::erase_if(all, [&](const Attention& each) {
    const std::string& pattern = run.graph().value(each.pattern).name;
    const auto& values = run.stored()->values;
    return !values.count(pattern) && !values.count(pattern + (depth == Depth::map ? "@map" : "@entropy"));
  });
  if (all.empty())
    fail_call(
        "the trace holds no attention weights; keep them: limpid trace ... --observe '*attn.pattern' -o "
        "FILE.safetensors");
  return all;
}

Attention attention_named(const Graph& graph, std::string_view name) {
  std::string list;
  for (const Attention& each : attentions_of(graph)) {
    if (name == each.name || (name.starts_with(each.name) && name.substr(each.name.size(), 1) == "."))
      return each;
    list += (list.empty() ? "" : ", ") + each.name;
  }
  if (list.empty()) fail_call("this network has no attention");
  fail_call(in_quotes(name), " is no attention; there are ", list);
}

std::vector<Observation> kept_reads(const Graph& graph, int64_t map) {
  std::vector<Observation> out;
  for (const Attention& attention : attentions_of(graph)) {
    const std::string& pattern = graph.value(attention.pattern).name;
    out.push_back({pattern, Depth::map, map});
    out.push_back({pattern, Depth::entropy});
    const GroupInfo& group = group_of(graph, attention);
    if (!limpid::rebuilds(group, "pattern")) continue;
    for (const int value : inputs_and_outputs(group))
      if (graph.value(value).kind != Value::Kind::parameter) out.push_back({graph.value(value).name});
  }
  for (const Value& value : graph.values())
    if (value.kind == Value::Kind::temporary && value.shape.find(Axis::T) >= 0 && !is_square(value.shape))
      out.push_back({value.name, Depth::rows, 0, {-1}});
  return out;
}

bool rebuilds(const Run& run, const Attention& attention, std::string_view stage) {
  if (run.opened().subject.made_for) return false;  // it runs in double, and so stage by stage
  if (run.stored())                                 // what is there is shown as it is
    return !run.stored()->values.count(attention.name + "." + std::string(stage)) &&
           can_rebuild(*run.stored(), group_of(run.graph(), attention), stage);
  if (!limpid::rebuilds(group_of(run.graph(), attention), stage)) return false;
  const std::vector<Edit>& edits = run.opened().edits;
  return std::none_of(edits.begin(), edits.end(),
                      [&](const Edit& edit) { return edits_cells(run.graph(), edit, attention.group); });
}

SquareCells::SquareCells(Run& run, const Attention& attention, const std::string& stage) {
  const Graph& graph = run.graph();
  const Value& value = graph.value(graph.require(attention.name + "." + stage));
  if (!is_square(value.shape))
    fail_call(in_quotes(value.name), " is ", value.shape.text(), ", expected a stage of queries by keys");
  const GroupInfo& group = group_of(graph, attention);
  stage_ = value.name.substr(attention.name.size() + 1);
  if (!rebuilds(run, attention, stage_)) {
    read_whole(run, value.name);
    return;
  }
  group_ = &group;
  std::vector<Observation> reads = {{value.name, Depth::shape}};
  for (const int id : inputs_and_outputs(group))
    if (graph.value(id).kind != Value::Kind::parameter) reads.push_back({graph.value(id).name});
  const Trace& trace = run.read(reads);
  shape_ = trace.summaries.at(value.name).shape;
  for (const int id : group.inputs) {
    const Value& input = graph.value(id);
    if (input.kind == Value::Kind::parameter) parameters_.push_back(run.parameter(input.name));
    in_.push_back(input.kind == Value::Kind::parameter ? std::as_const(parameters_.back()).view()
                                                       : trace[input.name].view());
  }
  for (const int id : group.outputs) {
    const Tensor& output = trace[graph.value(id).name];
    out_.emplace_back(output.dtype(), output.shape(), const_cast<void*>(output.raw()));  // read, not written
  }
}

void SquareCells::read_whole(Run& run, const std::string& name) {
  shape_ = run.read({{name, Depth::shape}}).summaries.at(name).shape;
  if (!run.stored() && shape_.count() > k_most_kept_cells)
    fail_work(name, " is ", shape_.text(),
              " and runs stage by stage here (no fused kernel, or an edit inside), so that it would be kept "
              "whole; at most ",
              k_most_kept_cells, " numbers are: give a shorter text");
  numbers_ = run.read(name)[name].view();
}

namespace {

// What belongs to one row of the batch; parameters belong to all.
ConstView of_batch(const ConstView& view, int64_t batch) {
  const int axis = view.shape().find(Axis::B);
  return axis < 0 || view.shape()[axis].size == 1 ? view : view.window(axis, batch, 1);
}

}  // namespace

Tensor SquareCells::window(Span heads, Span queries, Span keys, int64_t batch) const {
  const Shape shape = {{Axis::H, heads.size()}, {Axis::T, queries.size()}, {Axis::S, keys.size()}};
  if (!group_) {
    const ConstView part = numbers_.window(0, batch, 1)
                               .window(1, heads.first, heads.size())
                               .window(2, queries.first, queries.size())
                               .window(3, keys.first, keys.size());
    Tensor out = Tensor::copy_of(part).to(DType::f32);
    out.reshape(shape);
    return out;
  }
  Tensor out(DType::f32, {{Axis::B, 1}, shape[0], shape[1], shape[2]});
  const CellRange range = {{heads.first, heads.end}, {queries.first, queries.end}, {keys.first, keys.end}};
  std::vector<ConstView> in;
  std::vector<View> written;  // read, not written
  for (const ConstView& view : in_) in.push_back(of_batch(view, batch));
  for (const View& view : out_) {
    const ConstView part = of_batch(view, batch);
    written.emplace_back(part.dtype(), part.shape(), part.strides(), const_cast<void*>(part.raw()));
  }
  if (!rebuild_range(*group_, in, written, {}, stage_, range, out.view()))
    fail_work(stage_, " is not rebuilt from queries and keys");
  out.reshape(shape);
  return out;
}

}  // namespace limpid::explore

// One number of a trace: the cells it was computed from, and whether an edit changed it.
#include "limpid/explain.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>
#include <set>

#include "engine/edit.h"
#include "engine/fast.h"
#include "trace/cell.h"

namespace limpid {

namespace {

bool is_square(const Shape& shape) { return shape.find(Axis::T) >= 0 && shape.find(Axis::S) >= 0; }

// ---- values, as the trace has them -------------------------------------------------------------------

// A group that runs fused and whose T x S stages are rebuilt from its inputs and outputs.
const GroupInfo* rebuilt_group(const Graph& graph, int value) {
  const Value& v = graph.value(value);
  if (v.stage < 0 || !is_square(v.shape)) return nullptr;
  const int group = graph.stage(v.stage).group;
  if (group < 0) return nullptr;
  const GroupInfo& info = graph.groups()[static_cast<size_t>(group)];
  if (info.inputs.size() != 3 || !v.name.starts_with(info.name + ".")) return nullptr;
  return rebuilds(info, std::string_view(v.name).substr(info.name.size() + 1)) ? &info : nullptr;
}

class Values {
 public:
  explicit Values(const Trace& trace) : trace_(trace), graph_(*trace.graph) {}

  bool rebuilt() const { return rebuilt_; }

  const Tensor* stored(int value) const {
    const std::string& name = graph_.value(value).name;
    if (const auto found = trace_.values.find(name); found != trace_.values.end()) return &found->second;
    if (const auto found = trace_.parameters.find(name); found != trace_.parameters.end())
      return &found->second;
    return nullptr;
  }

  Shape shape(int value) const {
    if (const Tensor* tensor = stored(value)) return tensor->shape();
    const GroupInfo* group = rebuilt_group(graph_, value);
    const Tensor *q = group ? stored(group->inputs[0]) : nullptr,
                 *k = group ? stored(group->inputs[1]) : nullptr;
    if (!q || !k || q->shape().rank() != 4 || k->shape().rank() != 4) fail_missing(value);
    return {q->shape()[0], q->shape()[2], q->shape()[1], {Axis::S, k->shape()[1].size}};
  }

  /// The value; of scores and weights that were not kept, the row of query t alone stands at every t.
  ConstView view(int value, int64_t t) {
    if (const Tensor* tensor = stored(value)) return tensor->view();
    if (t < 0) fail_missing(value);
    const Shape whole = shape(value);  // [B,H,T,S]
    const Tensor& row = rebuild_row(value, t, whole);
    const int64_t keys = whole[3].size;
    return ConstView(DType::f32, whole, {whole[1].size * keys, keys, 0, 1}, row.raw());
  }

 private:
  [[noreturn]] void fail_missing(int value) const {
    const Value& v = graph_.value(value);
    if (v.kind == Value::Kind::parameter)
      fail_call("explain: the trace has no parameters, and ", v.name,
                " is one of what is read; keep them: limpid trace ... --params -o FILE.safetensors");
    fail_call("explain: the trace does not hold ", v.name, " whole; keep it: --observe ", v.name);
  }

  // One query's row, as the fused kernel's windows have it: the group again with its first query moved on.
  const Tensor& rebuild_row(int value, int64_t t, const Shape& whole) {
    const GroupInfo* group = rebuilt_group(graph_, value);
    if (!group) fail_missing(value);
    if (trace_.numbers.count("plain") && trace_.numbers.at("plain")) fail_missing(value);
    GroupInfo moved = *group;
    moved.options.set("first_query", group->options.integer("first_query") + t);
    std::deque<Tensor> rows;
    std::vector<ConstView> in;
    std::vector<View> out;
    for (int id : group->inputs) {
      const Tensor* tensor = stored(id);
      if (!tensor || tensor->dtype() != DType::f32) fail_missing(value);
      in.push_back(tensor->view());
    }
    rows.push_back(Tensor::copy_of(in[0].window(1, t, 1)));
    in[0] = rows.back().view();
    for (int id : group->outputs) {
      const Tensor* tensor = stored(id);
      if (!tensor || tensor->dtype() != DType::f32) fail_missing(value);
      rows.push_back(Tensor::copy_of(tensor->view().window(tensor->shape().find(Axis::T), t, 1)));
      out.push_back(rows.back().view());
    }
    owned_.emplace_back(DType::f32, Shape{whole[0], whole[1], {Axis::T, 1}, whole[3]});
    const std::string& name = graph_.value(value).name;
    if (!rebuild(moved, in, out, {}, name.substr(group->name.size() + 1), {0, 1}, owned_.back().view()))
      fail_missing(value);
    rebuilt_ = true;
    return owned_.back();
  }

  const Trace& trace_;
  const Graph& graph_;
  std::deque<Tensor> owned_;
  bool rebuilt_ = false;
};

// ---- edits -------------------------------------------------------------------------------------------

Edit edit_kept(const std::string& text) {
  std::string file;
  return edit_of(text.ends_with("=replace") ? text + ":?" : text, &file);
}

// Whether an edit names this value, at this cell where one is given.
bool touches(const Graph& graph, const Edit& edit, int value, const Index* index) {
  bool named = false;
  for (int i = 0; i < static_cast<int>(graph.values().size()) && !named; ++i)
    named = matches(edit.pattern, graph.value(i).name) && edited_value(graph, edit, i) == value;
  for (const auto& [alias, id] : graph.aliases())
    named = named || (matches(edit.pattern, alias) && edited_value(graph, edit, id) == value);
  if (!named || !index) return named;
  const Shape& shape = graph.value(value).shape;
  const auto at = [&](Axis axis) {
    const int place = shape.find(axis);
    return place < 0 ? int64_t{-1} : (*index)[static_cast<size_t>(place)];
  };
  for (const auto& [axis, place] : edit.where)
    if (at(axis) != place) return false;
  if (edit.action != Edit::Action::cut) return true;
  return std::any_of(edit.edges.begin(), edit.edges.end(), [&](const auto& edge) {
    return edge.first == at(Axis::T) && edge.second == at(Axis::S);
  });
}

Explanation explain_one(const Trace& trace, int value, const Index& index) {
  const Graph& graph = *trace.graph;
  const Value& v = graph.value(value);
  Values values(trace);
  Explanation out;
  out.name = v.name;
  out.shape = values.shape(value);
  out.index = index;
  const int axis = out.shape.find(Axis::T);
  const int64_t t = axis < 0 ? -1 : index[static_cast<size_t>(axis)];
  out.value = values.view(value, t).at(index);
  if (v.stage < 0) return out;
  const StageInfo& stage = graph.stage(v.stage);
  out.computed = true;
  out.label = stage.label(), out.equation = stage.equation(), out.caption = stage.caption();
  std::vector<ConstView> in;
  for (int id : stage.inputs) {
    in.push_back(values.view(id, t));
    out.inputs.push_back({graph.value(id).name, in.back().shape(), graph.value(id).kind});
  }
  const auto seed = trace.numbers.find("seed");
  RunContext context;
  if (seed != trace.numbers.end()) context.seed = static_cast<uint64_t>(seed->second);
  out.arithmetic = stage.operation->explain(in, {v.output, index}, context);
  out.rebuilt = values.rebuilt();
  for (const std::string& text : trace.edited) {
    const Edit edit = edit_kept(text);
    if (touches(graph, edit, value, &index)) out.edited = text;
    if (std::any_of(stage.inputs.begin(), stage.inputs.end(),
                    [&](int id) { return touches(graph, edit, id, nullptr); }))
      out.edited_inputs.push_back(text);
  }
  return out;
}

// The largest cell that a stage computed.
const Expr* largest_cell(const Graph& graph, const Explanation& why, const std::vector<const Expr*>& cells) {
  const Expr* best = nullptr;
  for (const Expr* cell : cells) {
    const int id = graph.find(why.inputs[static_cast<size_t>(cell->input())].name);
    if (id < 0 || graph.value(id).stage < 0 || !std::isfinite(cell->value())) continue;
    if (!best || std::fabs(cell->value()) > std::fabs(best->value())) best = cell;
  }
  return best;
}

}  // namespace

std::vector<std::string> values_explaining(const Graph& graph, const std::string& name, int depth,
                                           bool streamed) {
  std::set<int> all = {graph.require(name)}, layer = all;
  for (int hop = 0; hop < depth; ++hop) {
    std::set<int> next;
    for (int value : layer)
      if (const int stage = graph.value(value).stage; stage >= 0)
        next.insert(graph.stage(stage).inputs.begin(), graph.stage(stage).inputs.end());
    all.insert(next.begin(), next.end());
    layer = std::move(next);
  }
  std::set<std::string> names;
  for (int value : all) {
    const GroupInfo* group = streamed ? rebuilt_group(graph, value) : nullptr;
    if (!group) {
      names.insert(graph.value(value).name);
      continue;
    }
    for (int id : group->inputs) names.insert(graph.value(id).name);
    for (int id : group->outputs) names.insert(graph.value(id).name);
  }
  return {names.begin(), names.end()};
}

std::vector<Explanation> explain(const Trace& trace, const CellName& cell, int depth) {
  if (!trace.graph) fail_call("explain: the trace has no graph, so nothing says how its numbers came about");
  if (depth < 1) fail_call("explain: depth is ", depth, ", expected at least 1");
  const Graph& graph = *trace.graph;
  const int value = graph.require(cell.name);
  const std::string& name = graph.value(value).name;
  std::vector<Explanation> out = {
      explain_one(trace, value, index_of(cell, name, Values(trace).shape(value), trace))};
  while (static_cast<int>(out.size()) < depth) {
    const Explanation& last = out.back();
    const std::vector<const Expr*> cells = last.arithmetic.cells();
    const Expr* next = largest_cell(graph, last, cells);
    if (!next) break;
    const int id = graph.find(last.inputs[static_cast<size_t>(next->input())].name);
    out.push_back(explain_one(trace, id, next->index()));
  }
  return out;
}

std::vector<Explanation> explain(const Trace& trace, const std::string& cell, int depth) {
  return explain(trace, cell_named(cell), depth);
}

}  // namespace limpid

// The inside of a fused group, computed beside the fused kernel for those who look or edit there.
#include "engine/observe.h"
#include "engine/one_run.h"

namespace limpid {

void OneRun::run_beside(int id, const GroupInfo& group, const Call& c, int weights, GroupWatch& watch) {
  std::set<int> needed;
  for (int value : plan_.inside)
    if (graph_.stage(graph_.value(value).stage).group == id) needed.insert(value);
  if (needed.empty()) return;
  bool edited = false, changed = false;
  for (int value : needed) edited |= request_.edits.count(value) > 0;
  // Of what is read by rows alone, those rows and no more.
  for (auto value = needed.begin(); !edited && value != needed.end();)
    value =
        request_.only_rows(*value) && rebuilt_rows(*value, group, c) ? needed.erase(value) : std::next(value);
  if (needed.empty()) return;
  if (edited) needed.insert(group.outputs.begin(), group.outputs.end());
  if (edited && weights >= 0) needed.insert(weights);

  std::map<int, Tensor> inner;
  const std::vector<int> stages = inner_stages(id, group, needed);
  // Until an edit changes something, scores and weights are the fused kernel's own: to put a traced value
  // back where it came from changes no bit.
  for (int s : stages) {
    if (!changed && rebuilt(graph_.stage(s), group, c, inner))
      changed |= edit(graph_.stage(s).outputs[0], inner.at(graph_.stage(s).outputs[0]).view());
    else
      changed |= run_inner(graph_.stage(s), inner);
  }
  ConstView scores;
  const int masked = graph_.find(group.name + ".scores");
  if (masked >= 0 && inner.count(masked)) scores = std::as_const(inner.at(masked)).view();
  for (const auto& [value, tensor] : inner)  // what is another group's was looked at there
    if (!is_output(group, value) && graph_.stage(graph_.value(value).stage).group == id)
      look(value, tensor, scores);
  if (changed) {
    result_.notes.push_back(group.name + " runs stage by stage, because something inside it is edited");
    for (int value : group.outputs)
      if (inner.count(value)) copy(std::as_const(inner.at(value)).view(), place(value));
    if (weights >= 0) watch_stored(watch, std::as_const(inner.at(weights)).view());
  }
}

bool OneRun::rebuilt(const StageInfo& stage, const GroupInfo& group, const Call& c,
                     std::map<int, Tensor>& inner) const {
  const int value = stage.outputs[0];
  const std::string& name = graph_.value(value).name;
  if (name.size() <= group.name.size()) return false;
  const Shape& shape = plan_.shapes[static_cast<size_t>(value)];
  Tensor cells(run_dtype(graph_.value(value), options_.real), shape);
  const std::string_view own = std::string_view(name).substr(group.name.size() + 1);
  const Queries all = {0, shape.rank() == 4 ? shape[2].size : 0};
  if (!rebuild(group, c.in, c.out, options_.context, own, all, cells.view())) return false;
  inner[value] = std::move(cells);
  return true;
}

bool OneRun::rebuilt_rows(int value, const GroupInfo& group, const Call& c) {
  const std::string& name = graph_.value(value).name;
  const Shape& shape = plan_.shapes[static_cast<size_t>(value)];
  if (name.size() <= group.name.size() || shape.rank() != 4 || rows_axis(shape) != 2) return false;
  const std::string_view own = std::string_view(name).substr(group.name.size() + 1);
  const std::vector<int64_t> places = resolved(request_.rows.at(value), shape[2].size);
  Tensor rows = room_for_rows(value, places);
  for (size_t i = 0; i < places.size();) {
    size_t end = i + 1;
    while (end < places.size() && places[end] == places[end - 1] + 1) ++end;
    const auto count = static_cast<int64_t>(end - i);
    Tensor part(DType::f32, {shape[0], shape[1], {Axis::T, count}, shape[3]});
    if (!rebuild(group, c.in, c.out, options_.context, own, {places[i], places[i] + count}, part.view()))
      return false;
    copy(std::as_const(part).view(), part_of(rows, 2, static_cast<int64_t>(i), count));
    i = end;
  }
  keep_rows(value, std::move(rows), places);
  return true;
}

std::vector<int> OneRun::inner_stages(int id, const GroupInfo& group, std::set<int> needed) const {
  const int masked = graph_.find(group.name + ".scores");
  if (masked >= 0) needed.insert(masked);
  std::vector<int> stages = stages_of(graph_, id), kept;
  for (auto s = stages.rbegin(); s != stages.rend(); ++s) {
    const StageInfo& stage = graph_.stage(*s);
    if (std::none_of(stage.outputs.begin(), stage.outputs.end(), [&](int v) { return needed.count(v) > 0; }))
      continue;
    needed.insert(stage.inputs.begin(), stage.inputs.end());
    kept.push_back(*s);
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

bool OneRun::run_inner(const StageInfo& stage, std::map<int, Tensor>& inner) {
  std::vector<ConstView> in;
  std::vector<View> out;
  std::vector<Tensor> gathered;  // an operation reads numbers without gaps
  gathered.reserve(stage.inputs.size());
  for (int value : stage.inputs) {
    in.push_back(inside_or_outside(value, inner));
    if (in.back().contiguous()) continue;
    gathered.push_back(Tensor::copy_of(in.back()));
    in.back() = std::as_const(gathered.back()).view();
  }
  for (int value : stage.outputs) {
    const auto i = static_cast<size_t>(value);
    inner[value] = Tensor(run_dtype(graph_.value(value), options_.real), plan_.shapes[i]);
    out.push_back(inner[value].view());
  }
  run_stage(stage, in, out, options_.context);
  bool changed = false;
  for (size_t i = 0; i < out.size(); ++i)
    if (plan_.inside.count(stage.outputs[i])) changed |= edit(stage.outputs[i], out[i]);
  return changed;
}

ConstView OneRun::inside_or_outside(int value, std::map<int, Tensor>& inner) {
  if (const auto found = inner.find(value); found != inner.end()) return std::as_const(found->second).view();
  const bool elsewhere = plan_.places[static_cast<size_t>(value)].used ||
                         !bound_[static_cast<size_t>(value)].empty() || request_.stored.count(value) > 0;
  if (elsewhere) return read(value);
  run_inner(graph_.stage(graph_.value(value).stage), inner);
  return std::as_const(inner.at(value)).view();
}

}  // namespace limpid

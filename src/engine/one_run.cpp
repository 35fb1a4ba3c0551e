#include "engine/one_run.h"

#include "engine/edit.h"
#include "engine/observe.h"
#include "engine/rooms.h"

namespace limpid {

RunResult OneRun::run() {
  for (int value : request_.shape) {
    Shape& shape = result_.summaries[graph_.value(value).name].shape;
    shape = plan_.shapes[static_cast<size_t>(value)];
    if (plan_.sliced.count(value)) shape[shape.find(Axis::T)].size = plan_.length;
  }
  for (int value : plan_.needed_inputs)
    if ((!request_.stored.count(value) && !room_of(value)) || request_.looks_at(value))
      look(value, read(value), {});
  double whole = 0, done = 0;
  for (const Plan::Step& step : plan_.steps) whole += options_.progress ? work_of(step) : 0;
  for (const Plan::Step& step : plan_.steps) {
    if (options_.progress) {
      options_.progress(done / whole, step.group >= 0
                                          ? graph_.groups()[static_cast<size_t>(step.group)].name
                                          : graph_.value(graph_.stage(step.stage).outputs[0]).name);
      done += work_of(step);
    }
    if (step.group >= 0)
      run_group(step);
    else
      run_one(step);
    announce(step.outputs);
  }
  for (const auto& [value, view] : request_.into) announce({value});  // inputs, the inside of a group
  return std::move(result_);
}

void OneRun::announce(const std::vector<int>& values) {
  if (!options_.ready) return;
  for (int value : values)
    if (request_.into.count(value) && announced_.insert(value).second)
      options_.ready(graph_.value(value).name);
}

View OneRun::place(int value) const {
  const auto i = static_cast<size_t>(value);
  const Plan::Place& place = plan_.places[i];
  if (place.same_as >= 0) {
    const ConstView same = read(place.same_as);
    return View(same.dtype(), plan_.shapes[i], const_cast<void*>(same.raw()));
  }
  if (place.callers) {
    const View& into = request_.into.at(value);
    return View(into.dtype(), plan_.shapes[i], into.raw());
  }
  return placed(plan_, graph_, value, options_.real, arena_);
}

ConstView OneRun::read(int value) const {
  if (request_.stored.count(value) || request_.rooms.count(value)) return expanded(value);
  return plan_.places[static_cast<size_t>(value)].used ? place(value) : bound_[static_cast<size_t>(value)];
}

ConstView OneRun::read_by(const Plan::Step& step, int value) {
  const ConstView whole = read(value);
  const int axis = whole.shape().find(Axis::T);
  if (!step.sliced || plan_.sliced.count(value) || axis < 0) return whole;
  const auto [found, is_new] = gathered_.try_emplace(value);
  if (is_new) {
    Shape shape = whole.shape();
    shape[axis].size = static_cast<int64_t>(plan_.rows.size());
    found->second = Tensor(whole.dtype(), shape);
    for (size_t i = 0; i < plan_.rows.size(); ++i)
      copy(whole.window(axis, plan_.rows[i], 1), part_of(found->second, axis, static_cast<int64_t>(i), 1));
  }
  return std::as_const(found->second).view();
}

const StoredMatrix* OneRun::stored_for(const Plan::Step& step, const StageInfo& stage) const {
  if (!step.kernel || stage.inputs.size() < 2) return nullptr;
  const auto found = request_.stored.find(stage.inputs[1]);
  if (found == request_.stored.end() || !stored_kernel(*stage.operation, *found->second)) return nullptr;
  return found->second;
}

ConstView OneRun::expanded(int value) const {
  const auto [found, is_new] = expanded_.try_emplace(value);
  if (is_new && request_.rooms.count(value)) {
    const Room& room = *request_.rooms.at(value);
    found->second = rows_in(room, 0, room.rows.shape()[1].size);
    found->second.reshape(plan_.shapes[static_cast<size_t>(value)]);
  } else if (is_new) {
    found->second = request_.stored.at(value)->to_tensor();
    if (options_.real != DType::f32) found->second = found->second.to(options_.real);
    found->second.reshape(plan_.shapes[static_cast<size_t>(value)]);
  }
  return std::as_const(found->second).view();
}

const Room* OneRun::room_of(int value) const {
  const int same = plan_.places[static_cast<size_t>(value)].same_as;
  const auto found = request_.rooms.find(same < 0 ? value : same);
  return found == request_.rooms.end() ? nullptr : found->second;
}

// What was read of the room before is no longer so; and what somebody looks at is not kept beside it.
void OneRun::append_to_room(const StageInfo& stage, const Room& room) {
  const int value = stage.outputs[0];
  if (request_.edits.count(value))
    fail_call("edit: '", graph_.value(value).name, "' is kept as ", name(room.rows.dtype()),
              "; edit what is appended, or keep it in f32");
  run_as(stage, [&] { append_to(room, read(stage.inputs[1]), options_.context); });
  expanded_.erase(stage.inputs[0]);
  if (request_.looks_at(value)) look_at_room(value, room);
  expanded_.erase(stage.inputs[0]);
}

// Of a long room a few rows may be wanted: no others are expanded.
void OneRun::look_at_room(int value, const Room& room) {
  const Shape& shape = plan_.shapes[static_cast<size_t>(value)];
  const int axis = rows_axis(shape);
  if (!request_.only_rows(value) || axis != 1) return look(value, read(value), {});
  const std::vector<int64_t> places = resolved(request_.rows.at(value), shape[axis].size);
  Tensor rows = room_for_rows(value, places);
  for (size_t i = 0; i < places.size(); ++i) {
    const Tensor row = rows_in(room, places[i], 1);
    copy(row.view(), part_of(rows, axis, static_cast<int64_t>(i), 1));
  }
  keep_rows(value, std::move(rows), places);
}

OneRun::Call OneRun::call(const Plan::Step& step, const std::vector<int>& inputs,
                          const std::vector<int>& outputs, bool stored) {
  Call c;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (stored && i == 1)  // its shape alone
      c.in.emplace_back(options_.real, plan_.shapes[static_cast<size_t>(inputs[i])], nullptr);
    else
      c.in.push_back(read_by(step, inputs[i]));
  }
  for (int value : outputs) c.out.push_back(place(value));
  return c;
}

void OneRun::run_one(const Plan::Step& step) {
  const StageInfo& stage = graph_.stage(step.stage);
  if (!step.finish.empty()) return run_chain(step, stage);
  if (const Room* room = stage.inputs.empty() ? nullptr : room_of(stage.inputs[0])) {
    append_to_room(stage, *room);
    return;
  }
  const bool moves_nothing = plan_.places[static_cast<size_t>(stage.outputs[0])].same_as >= 0;
  const StoredMatrix* stored = stored_for(step, stage);
  const Call c = call(step, stage.inputs, stage.outputs, stored != nullptr);
  if (stored)
    run_as(stage, [&] {
      stored_kernel(*stage.operation, *stored)(*stage.operation, c.in, *stored, c.out, Finish());
    });
  else if (step.kernel)
    run_as(stage, [&] { step.kernel(*stage.operation, c.in, c.out, options_.context); });
  else if (!moves_nothing || stage.operation->writes_in_place())
    run_stage(stage, c.in, c.out, options_.context);
  for (size_t i = 0; i < stage.outputs.size(); ++i) {
    edit(stage.outputs[i], c.out[i]);
    look(stage.outputs[i], c.out[i], {});
  }
}

void OneRun::run_chain(const Plan::Step& step, const StageInfo& stage) {
  std::vector<int> outputs = stage.outputs;
  outputs[0] = last_value(graph_, step);
  const StoredMatrix* stored = stored_for(step, stage);
  const Call c = call(step, stage.inputs, outputs, stored != nullptr);
  const Finish finish = finish_of(
      graph_, step, [&](int value) { return read_by(step, value); },
      [this](int value) { return place(value); });
  run_as(stage, [&] {
    if (stored)
      stored_kernel(*stage.operation, *stored)(*stage.operation, c.in, *stored, c.out, finish);
    else
      step.finishing(*stage.operation, c.in, c.out, finish);
  });
  for (int value : step.outputs) {
    edit(value, place(value));
    look(value, place(value), {});
  }
}

bool OneRun::looks_inside(int group) const {
  return watched_in(group) >= 0 || std::any_of(plan_.inside.begin(), plan_.inside.end(), [&](int value) {
           return graph_.stage(graph_.value(value).stage).group == group;
         });
}

void OneRun::run_group_kernel(const Plan::Step& step, const Call& c, GroupWatch* watch) {
  const GroupInfo& group = graph_.groups()[static_cast<size_t>(step.group)];
  const Room *keys = group.inputs.size() > 2 ? room_of(group.inputs[1]) : nullptr,
             *values = keys ? room_of(group.inputs[2]) : nullptr;
  if (!keys || !values) return step.group_kernel(group, c.in, c.out, options_.context, watch);
  attention_in_rooms(group, c.in, *keys, *values, c.out, options_.context);
  if (!watch) return;
  // The weights are watched in a pass of their own: it changes no bit of the outputs.
  std::vector<Tensor> aside;
  Call other = c;
  for (View& out : other.out) out = aside.emplace_back(out.dtype(), out.shape()).view();
  step.group_kernel(group, other.in, other.out, options_.context, watch);
}

void OneRun::run_group(const Plan::Step& step) {
  const GroupInfo& group = graph_.groups()[static_cast<size_t>(step.group)];
  Call c;
  for (int value : group.inputs) {
    if (room_of(value) && !looks_inside(step.group))  // its shape alone
      c.in.emplace_back(options_.real, plan_.shapes[static_cast<size_t>(value)], nullptr);
    else
      c.in.push_back(read_by(step, value));
  }
  for (int value : group.outputs) c.out.push_back(place(value));
  const int weights = watched_in(step.group);
  GroupWatch watch;
  if (weights >= 0)
    watch = watch_room(request_.streamed.at(weights), plan_.shapes[static_cast<size_t>(weights)]);
  run_group_kernel(step, c, weights < 0 ? nullptr : &watch);
  run_beside(step.group, group, c, weights, watch);
  for (int value : group.inputs)
    if (room_of(value)) expanded_.erase(plan_.places[static_cast<size_t>(value)].same_as);
  if (weights >= 0)
    hand_over(std::move(watch), graph_.value(weights).name, plan_.shapes[static_cast<size_t>(weights)],
              result_.values);
  for (size_t i = 0; i < group.outputs.size(); ++i) {
    edit(group.outputs[i], c.out[i]);
    look(group.outputs[i], c.out[i], {});
  }
}

int OneRun::watched_in(int group) const {
  for (const auto& [value, wanted] : request_.streamed)
    if (graph_.stage(graph_.value(value).stage).group == group) return value;
  return -1;
}

double OneRun::work_of(const Plan::Step& step) const {
  double work = 0;
  const auto count = [&](int value) {
    return static_cast<double>(plan_.shapes[static_cast<size_t>(value)].count());
  };
  for (int value : step.outputs) work += count(value);
  for (int value : step.inputs) {
    const Value& input = graph_.value(value);
    if (input.kind == Value::Kind::parameter && input.shape.rank() > 1)
      work += count(step.outputs[0]) * count(value) /
              std::max(1.0, static_cast<double>(plan_.shapes[static_cast<size_t>(value)][0].size));
  }
  if (step.group >= 0)  // T x S cells
    for (int s : stages_of(graph_, step.group)) work += 16 * count(graph_.stage(s).outputs[0]);
  return work + 1;
}

bool OneRun::edit(int value, const View& view) {
  const auto found = request_.edits.find(value);
  if (found == request_.edits.end()) return false;
  bool changed = false;
  for (const Edit* each : found->second) changed |= apply_edit(*each, graph_.value(value).name, view);
  return changed;
}

void OneRun::look(int value, const ConstView& view, const ConstView& masked_scores) {
  const std::string& name = graph_.value(value).name;
  if (request_.full.count(value)) result_.values[name] = Tensor::copy_of(view);
  if (const auto wanted = request_.rows.find(value); wanted != request_.rows.end()) {
    const int axis = rows_axis(view.shape());
    const bool sliced = plan_.sliced.count(value) > 0;
    const std::vector<int64_t> places =
        resolved(wanted->second, sliced ? plan_.length : view.shape()[axis].size);
    Tensor rows = room_for_rows(value, places);
    for (size_t i = 0; i < places.size(); ++i) {
      const auto row = std::lower_bound(plan_.rows.begin(), plan_.rows.end(), places[i]);
      copy(view.window(axis, sliced ? row - plan_.rows.begin() : places[i], 1),
           part_of(rows, axis, static_cast<int64_t>(i), 1));
    }
    keep_rows(value, std::move(rows), places);
  }
  if (const auto into = request_.into.find(value);
      into != request_.into.end() && into->second.raw() != view.raw())
    copy(view, into->second);  // of an input, or computed beside a fused group
  if (const auto wanted = request_.streamed.find(value);
      wanted != request_.streamed.end() && !hidden(value)) {
    GroupWatch watch = watch_room(wanted->second, view.shape());  // its group runs stage by stage
    watch_stored(watch, view);
    hand_over(std::move(watch), name, view.shape(), result_.values);
  }
  if (request_.summary.count(value)) {
    const bool fits = !masked_scores.empty() && masked_scores.shape().same_sizes(view.shape());
    result_.summaries[name] = summarize(view, fits ? masked_scores : ConstView());
  }
}

// ---- some rows of a value ----------------------------------------------------------------------------

View OneRun::part_of(Tensor& tensor, int axis, int64_t first, int64_t count) {
  const ConstView part = std::as_const(tensor).view().window(axis, first, count);
  return View(part.dtype(), part.shape(), part.strides(), const_cast<void*>(part.raw()));
}

Tensor OneRun::room_for_rows(int value, const std::vector<int64_t>& places) const {
  Shape shape = plan_.shapes[static_cast<size_t>(value)];
  shape[rows_axis(shape)].size = static_cast<int64_t>(places.size());
  return Tensor(run_dtype(graph_.value(value), options_.real), shape);
}

void OneRun::keep_rows(int value, Tensor rows, const std::vector<int64_t>& places) {
  const std::string name = graph_.value(value).name + "@rows";
  result_.values[name] = std::move(rows);
  result_.values[name + ".index"] =
      Tensor::of<int64_t>({{Axis::N, static_cast<int64_t>(places.size())}}, places);
}

}  // namespace limpid

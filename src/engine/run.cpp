// Running a plan.
//
// What is looked at inside a fused group is computed beside the fused kernel, from the group's own inputs, so
// that looking never changes an output's bit (law 2).  An edit inside a group runs beside it too, and
// replaces the group's outputs only if it changed a bit: an edit that changes nothing changes no bit.
//
// Runs of one engine may go on beside each other: the plans are shared and, once made, only read; each run
// takes an arena of its own, which the next run uses again.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <list>
#include <mutex>
#include <utility>

#include "engine/edit.h"
#include "engine/observe.h"
#include "engine/plan.h"
#include "engine/watch.h"
#include "kernels/isa.h"
#include "limpid/engine.h"
#include "tensor/overlap.h"

namespace limpid {

namespace {

// Everything one run needs to know about a value that is looked at or changed.
struct Request {
  std::set<int> full, summary, shape;
  std::map<int, std::vector<int64_t>> rows;  // positions as they were asked for
  std::map<int, Streamed> streamed;
  std::map<int, std::vector<const Edit*>> edits;
  std::map<int, View> into;

  bool only_rows(int value) const {
    return rows.count(value) > 0 && full.count(value) + summary.count(value) + into.count(value) == 0;
  }
};

// The axis whose positions are rows: T, else S; -1: neither.
int rows_axis(const Shape& shape) {
  const int t = shape.find(Axis::T);
  return t >= 0 ? t : shape.find(Axis::S);
}

// Positions from 0, rising, each once; those that are not there are left out.
std::vector<int64_t> resolved(const std::vector<int64_t>& places, int64_t size) {
  std::set<int64_t> out;
  for (int64_t place : places) {
    if (place < 0) place += size;
    if (place >= 0 && place < size) out.insert(place);
  }
  return {out.begin(), out.end()};
}

std::vector<int> values_matching(const Graph& graph, const std::string& pattern, const char* what) {
  std::vector<int> found;
  if (pattern.find('*') == std::string::npos) {
    found.push_back(graph.require(pattern));
  } else {
    for (int i = 0; i < static_cast<int>(graph.values().size()); ++i)
      if (matches(pattern, graph.value(i).name)) found.push_back(i);
    for (const auto& [alias, value] : graph.aliases())
      if (matches(pattern, alias)) found.push_back(value);
  }
  if (found.empty()) fail_call(what, ": no stage fits '", pattern, "'");
  return found;
}

Request request_of(const Graph& graph, const RunOptions& options) {
  Request w;
  for (const std::string& name : options.keep) w.full.insert(graph.require(name));
  std::map<int, std::string> named;
  for (const auto& [name, view] : options.into) {
    const int value = graph.require(name);
    const auto [other, first] = named.emplace(value, name);
    if (!first)
      fail_call("run: '", other->second, "' and '", name, "' are one value, '", graph.value(value).name,
                "', with two places to go into; give it one and copy from there");
    w.into[value] = view;
  }
  for (const Observation& o : options.observe)
    for (int value : values_matching(graph, o.pattern, "observe")) {
      if (o.depth == Depth::shape || o.depth == Depth::full || o.depth == Depth::summary) {
        (o.depth == Depth::full ? w.full : o.depth == Depth::summary ? w.summary : w.shape).insert(value);
        continue;
      }
      if (o.depth == Depth::rows) {
        if (rows_axis(graph.value(value).shape) < 0) {
          w.full.insert(value);
          continue;
        }
        auto& places = w.rows[value];
        places.insert(places.end(), o.places.begin(), o.places.end());
        continue;
      }
      require_weights(graph, value, o.pattern);
      add(w.streamed[value], o, graph.value(value).name);
    }
  for (const Edit& edit : options.edits)
    for (int value : values_matching(graph, edit.pattern, "edit")) {
      if (graph.value(value).kind != Value::Kind::temporary)
        fail_call("edit: '", graph.value(value).name,
                  "' is not computed by a stage; change it before the run");
      w.edits[edited_value(graph, edit, value)].push_back(&edit);
    }
  return w;
}

}  // namespace

struct LIMPID_LOCAL Engine::Impl {
  explicit Impl(const Graph& g) : graph(g) {}

  const Graph& graph;
  std::mutex mutex;                   // of the plans and the arenas
  std::map<std::string, Plan> plans;  // never taken out: a run reads its plan without the mutex
  std::list<Tensor> arenas;           // those that no run is using
  std::atomic<size_t> last_arena_bytes = 0;

  const Plan& plan_for(const std::map<int, Shape>& bound, const PlanRequest& request);
};

const Plan& Engine::Impl::plan_for(const std::map<int, Shape>& bound, const PlanRequest& request) {
  std::string key = join(request.plain, ' ', name(request.real), '|');
  for (int value : request.wanted) key += join(value, ' ');
  key += '|';
  for (int value : request.edited) key += join(value, ' ');
  key += '|';
  for (int value : request.streamed) key += join(value, ' ');
  key += '|';
  for (int value : request.into) key += join(value, ' ');
  key += '|';
  for (const auto& [value, places] : request.rows) {
    key += join(value, ':');
    for (int64_t place : places) key += join(place, ' ');
  }
  for (const auto& [value, shape] : bound)
    if (graph.value(value).kind == Value::Kind::input) key += join('|', value, shape.text());
  const std::lock_guard lock(mutex);
  const auto found = plans.find(key);
  if (found != plans.end()) return found->second;
  std::vector<Shape> shapes = bind_shapes(graph, bound);
  PlanRequest resolved_request = request;
  for (auto& [value, places] : resolved_request.rows) {
    const Shape& shape = shapes[static_cast<size_t>(value)];
    places = resolved(places, shape[rows_axis(shape)].size);
  }
  return plans.emplace(key, make_plan(graph, std::move(shapes), resolved_request)).first->second;
}

namespace {

class Run {
 public:
  Run(const Graph& graph, const Plan& plan, const Request& request, const RunOptions& options,
      std::byte* arena, std::vector<ConstView> bound)
      : graph_(graph),
        plan_(plan),
        request_(request),
        options_(options),
        arena_(arena),
        bound_(std::move(bound)) {}

  RunResult run() {
    for (int value : request_.shape) {
      Shape& shape = result_.summaries[graph_.value(value).name].shape;
      shape = plan_.shapes[static_cast<size_t>(value)];
      if (plan_.sliced.count(value)) shape[shape.find(Axis::T)].size = plan_.length;
    }
    for (int value : plan_.needed_inputs) look(value, bound_[static_cast<size_t>(value)], {});
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
    }
    return std::move(result_);
  }

 private:
  View place(int value) const {
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

  ConstView read(int value) const {
    return plan_.places[static_cast<size_t>(value)].used ? place(value) : bound_[static_cast<size_t>(value)];
  }

  // What a step reads: of a value of which there are more rows than a sliced step computes, a copy of these.
  ConstView read_by(const Plan::Step& step, int value) {
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

  // The tensors of one call, whatever it calls.
  struct Call {
    std::vector<ConstView> in;
    std::vector<View> out;
  };
  Call call(const Plan::Step& step, const std::vector<int>& inputs, const std::vector<int>& outputs) {
    Call c;
    for (int value : inputs) c.in.push_back(read_by(step, value));
    for (int value : outputs) c.out.push_back(place(value));
    return c;
  }

  void run_one(const Plan::Step& step) {
    const StageInfo& stage = graph_.stage(step.stage);
    if (!step.finish.empty()) return run_chain(step, stage);
    const bool moves_nothing = plan_.places[static_cast<size_t>(stage.outputs[0])].same_as >= 0;
    const Call c = call(step, stage.inputs, stage.outputs);
    if (step.kernel)
      run_as(stage, [&] { step.kernel(*stage.operation, c.in, c.out, options_.context); });
    else if (!moves_nothing)
      run_stage(stage, c.in, c.out, options_.context);
    for (size_t i = 0; i < stage.outputs.size(); ++i) {
      edit(stage.outputs[i], c.out[i]);
      look(stage.outputs[i], c.out[i], {});
    }
  }

  // A stage and those that finish its first output.
  void run_chain(const Plan::Step& step, const StageInfo& stage) {
    std::vector<int> outputs = stage.outputs;
    outputs[0] = last_value(graph_, step);
    const Call c = call(step, stage.inputs, outputs);
    const Finish finish = finish_of(
        graph_, step, [&](int value) { return read_by(step, value); },
        [this](int value) { return place(value); });
    run_as(stage, [&] { step.finishing(*stage.operation, c.in, c.out, finish); });
    for (int value : step.outputs) {
      edit(value, place(value));
      look(value, place(value), {});
    }
  }

  void run_group(const Plan::Step& step) {
    const GroupInfo& group = graph_.groups()[static_cast<size_t>(step.group)];
    Call c = call(step, group.inputs, group.outputs);
    const int weights = watched_in(step.group);
    GroupWatch watch;
    if (weights >= 0)
      watch = watch_room(request_.streamed.at(weights), plan_.shapes[static_cast<size_t>(weights)]);
    step.group_kernel(group, c.in, c.out, options_.context, weights < 0 ? nullptr : &watch);
    run_beside(step.group, group, c, weights, watch);
    if (weights >= 0)
      hand_over(std::move(watch), graph_.value(weights).name, plan_.shapes[static_cast<size_t>(weights)],
                result_.values);
    for (size_t i = 0; i < group.outputs.size(); ++i) {
      edit(group.outputs[i], c.out[i]);
      look(group.outputs[i], c.out[i], {});
    }
  }

  // The weights of this group that are watched while it runs, or -1.
  int watched_in(int group) const {
    for (const auto& [value, wanted] : request_.streamed)
      if (graph_.stage(graph_.value(value).stage).group == group) return value;
    return -1;
  }

  // Runs the inner stages of a group from its inputs into memory of their own, for those who look or edit
  // inside.  What was watched of weights that an edit has changed is gathered anew.
  void run_beside(int id, const GroupInfo& group, const Call& c, int weights, GroupWatch& watch) {
    std::set<int> needed;
    for (int value : plan_.inside)
      if (graph_.stage(graph_.value(value).stage).group == id) needed.insert(value);
    if (needed.empty()) return;
    bool edited = false, changed = false;
    for (int value : needed) edited |= request_.edits.count(value) > 0;
    // Of what is read by rows alone, those rows and no more.
    for (auto value = needed.begin(); !edited && value != needed.end();)
      value = request_.only_rows(*value) && rebuilt_rows(*value, group, c) ? needed.erase(value)
                                                                           : std::next(value);
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

  // Scores or weights from the fused kernel's own numbers; false for any other stage.
  bool rebuilt(const StageInfo& stage, const GroupInfo& group, const Call& c,
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

  // The rows that are wanted of a T x S stage, from the fused kernel's own numbers; false for any other
  // stage.
  bool rebuilt_rows(int value, const GroupInfo& group, const Call& c) {
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

  static View part_of(Tensor& tensor, int axis, int64_t first, int64_t count) {
    const ConstView part = std::as_const(tensor).view().window(axis, first, count);
    return View(part.dtype(), part.shape(), part.strides(), const_cast<void*>(part.raw()));
  }

  Tensor room_for_rows(int value, const std::vector<int64_t>& places) const {
    Shape shape = plan_.shapes[static_cast<size_t>(value)];
    shape[rows_axis(shape)].size = static_cast<int64_t>(places.size());
    return Tensor(run_dtype(graph_.value(value), options_.real), shape);
  }

  void keep_rows(int value, Tensor rows, const std::vector<int64_t>& places) {
    const std::string name = graph_.value(value).name + "@rows";
    result_.values[name] = std::move(rows);
    result_.values[name + ".index"] =
        Tensor::of<int64_t>({{Axis::N, static_cast<int64_t>(places.size())}}, places);
  }

  // Multiply-adds of a step, roughly: what its outputs hold times how many numbers each is a sum of.
  double work_of(const Plan::Step& step) const {
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

  static bool is_output(const GroupInfo& group, int value) {
    return std::find(group.outputs.begin(), group.outputs.end(), value) != group.outputs.end();
  }

  // Which stages of a group lead to these values (masked scores always come along: summaries need the mask).
  std::vector<int> inner_stages(int id, const GroupInfo& group, std::set<int> needed) const {
    const int masked = graph_.find(group.name + ".scores");
    if (masked >= 0) needed.insert(masked);
    std::vector<int> stages = stages_of(graph_, id), kept;
    for (auto s = stages.rbegin(); s != stages.rend(); ++s) {
      const StageInfo& stage = graph_.stage(*s);
      if (std::none_of(stage.outputs.begin(), stage.outputs.end(),
                       [&](int v) { return needed.count(v) > 0; }))
        continue;
      needed.insert(stage.inputs.begin(), stage.inputs.end());
      kept.push_back(*s);
    }
    std::reverse(kept.begin(), kept.end());
    return kept;
  }

  bool run_inner(const StageInfo& stage, std::map<int, Tensor>& inner) {
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

  // A gradient group reads the inside of its forward group, which may be hidden: computed again here.
  ConstView inside_or_outside(int value, std::map<int, Tensor>& inner) {
    if (const auto found = inner.find(value); found != inner.end())
      return std::as_const(found->second).view();
    const bool elsewhere =
        plan_.places[static_cast<size_t>(value)].used || !bound_[static_cast<size_t>(value)].empty();
    if (elsewhere) return read(value);
    run_inner(graph_.stage(graph_.value(value).stage), inner);
    return std::as_const(inner.at(value)).view();
  }

  bool edit(int value, const View& view) {
    const auto found = request_.edits.find(value);
    if (found == request_.edits.end()) return false;
    bool changed = false;
    for (const Edit* each : found->second) changed |= apply_edit(*each, graph_.value(value).name, view);
    return changed;
  }

  // Inside a group that runs fused?
  bool hidden(int value) const { return !plan_.places[static_cast<size_t>(value)].used; }

  void look(int value, const ConstView& view, const ConstView& masked_scores) {
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

  const Graph& graph_;
  const Plan& plan_;
  const Request& request_;
  const RunOptions& options_;
  std::byte* arena_;
  std::vector<ConstView> bound_;
  std::map<int, Tensor> gathered_;  // rows of values of which more are computed than a sliced step reads
  RunResult result_;
};

// Takes an arena out of those that are free, and puts it back when the run ends or fails.
class ArenaOfOneRun {
 public:
  ArenaOfOneRun(std::mutex& mutex, std::list<Tensor>& free, size_t bytes) : mutex_(mutex), free_(free) {
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) own_.splice(own_.begin(), free_, free_.begin());
    }
    if (own_.empty()) own_.emplace_back();
    if (own_.front().bytes() >= bytes) return;
    own_.front() = Tensor();  // first: two at once would double the peak
    own_.front() = Tensor(DType::u8, Shape::unnamed({static_cast<int64_t>(bytes)}));
  }
  ~ArenaOfOneRun() {
    const std::lock_guard lock(mutex_);
    free_.splice(free_.begin(), own_);
  }
  ArenaOfOneRun(const ArenaOfOneRun&) = delete;
  ArenaOfOneRun& operator=(const ArenaOfOneRun&) = delete;

  std::byte* bytes() { return static_cast<std::byte*>(own_.front().raw()); }

 private:
  std::mutex& mutex_;
  std::list<Tensor>&free_, own_;
};

// The values the caller binds, checked against the graph.
std::map<int, ConstView> bind(const Graph& graph, const std::map<std::string, ConstView>& values) {
  std::map<int, ConstView> bound;
  for (const auto& [name, view] : values) {
    const int id = graph.require(name);
    const Value& value = graph.value(id);
    if (value.kind == Value::Kind::temporary)
      fail_call("run: '", name, "' is computed by a stage; it cannot be given (edit it instead)");
    bool fits =
        view.shape().rank() == value.shape.rank() && is_floating(view.dtype()) == is_floating(value.dtype);
    for (int i = 0; fits && i < value.shape.rank(); ++i)
      fits = value.shape[i].size == k_symbolic || value.shape[i].size == view.shape()[i].size;
    if (!fits)
      fail_call("run: '", name, "' is ", limpid::name(view.dtype()), " ", view.shape().text(), ", expected ",
                limpid::name(value.dtype), " ", value.shape.text());
    require_addressable("run", join("'", name, "'").c_str(), view);
    bound[id] = view;
  }
  return bound;
}

void require_fits(const Graph& graph, const Plan& plan, int value, const View& view, DType real) {
  const Shape& shape = plan.shapes[static_cast<size_t>(value)];
  const DType type = run_dtype(graph.value(value), real);
  if (view.dtype() != type || !view.shape().same_sizes(shape) || !view.contiguous() || !view.raw())
    fail_call("run: the memory for '", graph.value(value).name, "' is ", limpid::name(view.dtype()), " ",
              view.shape().text(), ", expected ", limpid::name(type), " ", shape.text(), " without gaps");
}

// What a run writes into the caller's memory would change what it reads, or has written, elsewhere.
void require_apart(const Graph& graph, const std::map<int, View>& into,
                   const std::map<int, ConstView>& bound) {
  if (into.empty()) return;
  std::vector<ConstView> views;
  std::vector<int> values;
  for (const auto& [value, view] : into) views.push_back(view), values.push_back(value);
  for (const auto& [value, view] : bound) views.push_back(view), values.push_back(value);
  const auto pair = find_overlap(views, into.size());
  if (!pair) return;
  const std::string &written = graph.value(values[pair->first]).name,
                    &other = graph.value(values[pair->second]).name;
  fail_call("run: the memory for '", written, "' overlaps ",
            pair->second < into.size() ? "the memory for '" : "what is given as '", other, "'; give '",
            written, "' memory of its own");
}

// The same numbers in the type of the run, under the graph's axis names; `kept` owns what had to be copied.
ConstView in_run_type(const Value& value, const ConstView& view, DType real, std::vector<Tensor>& kept) {
  Shape shape = value.shape;
  for (int i = 0; i < shape.rank(); ++i) shape[i].size = view.shape()[i].size;
  const DType dtype = run_dtype(value, real);
  if (view.dtype() == dtype && view.contiguous()) return ConstView(dtype, shape, view.raw());
  kept.push_back(Tensor::copy_of(view).to(dtype));
  kept.back().reshape(shape);
  return std::as_const(kept.back()).view();
}

}  // namespace

Engine::Engine(const Graph& graph) : impl_(std::make_unique<Impl>(graph)) {
  // Before any kernel is built: a kernel keeps the instruction set it was built for, and the first one of a
  // process would run on another than the rest (which broke the same bits after a resume, under a forced
  // set).
  kernels::choose_isa();
}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;

size_t Engine::arena_bytes() const { return impl_->last_arena_bytes; }

RunResult Engine::run(const std::map<std::string, ConstView>& values, const RunOptions& given) const {
  RunOptions options = given;
  if (options.real != DType::f32 && options.real != DType::f64)
    fail_call("run: networks run in f32 or f64, not ", name(options.real));
  if (options.real == DType::f64) options.plain = true;
  const Graph& graph = impl_->graph;
  const Request request = request_of(graph, options);
  PlanRequest plan_request;
  plan_request.wanted = request.full;
  plan_request.plain = options.plain;
  plan_request.real = options.real;
  plan_request.wanted.insert(request.summary.begin(), request.summary.end());
  plan_request.rows = request.rows;
  for (const auto& [value, edits] : request.edits) plan_request.edited.insert(value);
  for (const auto& [value, wanted] : request.streamed) plan_request.streamed.insert(value);
  for (const auto& [value, view] : request.into) {
    plan_request.wanted.insert(value);
    plan_request.into.insert(value);
  }

  const std::map<int, ConstView> bound = bind(graph, values);
  std::map<int, Shape> shapes;
  std::vector<ConstView> views(graph.values().size());
  std::vector<Tensor> converted;
  for (const auto& [id, view] : bound) {
    views[static_cast<size_t>(id)] = in_run_type(graph.value(id), view, options.real, converted);
    shapes[id] = views[static_cast<size_t>(id)].shape();
  }
  const Plan& plan = impl_->plan_for(shapes, plan_request);
  for (int id : plan.needed_inputs)
    if (!bound.count(id))
      fail_call("run: '", graph.value(id).name, "' ", graph.value(id).shape.text(), " is missing");

  for (const auto& [value, view] : request.into) require_fits(graph, plan, value, view, options.real);
  require_apart(graph, request.into, bound);

  ArenaOfOneRun arena(impl_->mutex, impl_->arenas, plan.arena_bytes);
  impl_->last_arena_bytes = plan.arena_bytes;
  return Run(graph, plan, request, options, arena.bytes(), std::move(views)).run();
}

const Tensor& RunResult::operator[](const std::string& name) const {
  auto found = values.find(name);
  if (found == values.end()) found = values.find(canonical_name(name));
  if (found != values.end()) return found->second;
  std::string list;
  for (const auto& [known, tensor] : values) list += (list.empty() ? "" : ", ") + known;
  fail_call("'", name, "' was not kept by this run; it kept ", list.empty() ? "nothing" : list);
}

}  // namespace limpid

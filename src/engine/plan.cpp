#include "engine/plan.h"

#include <algorithm>
#include <map>

namespace limpid {

namespace {

constexpr size_t k_alignment = 64;

class Planner {
 public:
  Planner(const Graph& graph, std::vector<Shape> shapes, const PlanRequest& request)
      : graph_(graph), request_(request) {
    plan_.shapes = std::move(shapes);
    plan_.places.resize(graph.values().size());
  }

  Plan make() {
    choose_groups();
    find_needed();
    order();
    slice_rows();
    join_chains();
    choose_layouts();
    place();
    return std::move(plan_);
  }

 private:
  // A group can be fused if there is a kernel and nobody outside, but the gradient of the same group, reads
  // its inside.
  void choose_groups() {
    const int count = static_cast<int>(graph_.groups().size());
    for (int g = 0; g < count; ++g)
      if (!request_.plain && request_.real == DType::f32) {
        const GroupInfo& group = graph_.groups()[static_cast<size_t>(g)];
        if (group.options.flag("fused") && group_kernel(group)) fused_[g] = group_kernel(group);
      }
    for (bool changed = true; changed;) {
      changed = false;
      for (int g = 0; g < count; ++g)
        if (fused_.count(g) && read_from_outside(g)) {
          fused_.erase(g);
          changed = true;
        }
    }
  }

  bool fused(int group) const { return group >= 0 && fused_.count(group) > 0; }

  bool is_output(int group, int value) const {
    const auto& outputs = graph_.groups()[static_cast<size_t>(group)].outputs;
    return std::find(outputs.begin(), outputs.end(), value) != outputs.end();
  }

  // The group in whose inside this value is hidden when it runs fused, or -1.
  int hidden_in(int value) const {
    const int stage = graph_.value(value).stage;
    if (stage < 0) return -1;
    const int group = graph_.stage(stage).group;
    return fused(group) && !is_output(group, value) ? group : -1;
  }

  bool read_from_outside(int group) const {
    for (const StageInfo& stage : graph_.stages()) {
      if (stage.group == group || fused(stage.group)) continue;
      for (int input : stage.inputs)
        if (hidden_in(input) == group) return true;
    }
    return false;
  }

  void find_needed() {
    needed_values_ = request_.wanted;
    for (const auto& [value, rows] : request_.rows) needed_values_.insert(value);
    for (int value : request_.streamed) {
      const int group = graph_.stage(graph_.value(value).stage).group;
      if (!fused(group)) {
        needed_values_.insert(value);
        continue;
      }
      const auto& outputs = graph_.groups()[static_cast<size_t>(group)].outputs;
      needed_values_.insert(outputs.begin(), outputs.end());
    }
    const int count = static_cast<int>(graph_.stages().size());
    needed_stages_.assign(static_cast<size_t>(count), false);
    for (int i = count - 1; i >= 0; --i) {
      const StageInfo& stage = graph_.stage(i);
      bool needed = false;
      for (int output : stage.outputs) needed |= needed_values_.count(output) > 0;
      if (!needed) continue;
      needed_stages_[static_cast<size_t>(i)] = true;
      if (fused(stage.group)) {
        const GroupInfo& group = graph_.groups()[static_cast<size_t>(stage.group)];
        needed_groups_.insert(stage.group);
        needed_values_.insert(group.inputs.begin(), group.inputs.end());
      } else {
        needed_values_.insert(stage.inputs.begin(), stage.inputs.end());
      }
    }
    for (int value : needed_values_) {
      if (graph_.value(value).kind != Value::Kind::temporary) plan_.needed_inputs.push_back(value);
      if (hidden_in(value) >= 0) plan_.inside.insert(value);
    }
    for (int value : request_.edited)
      if (hidden_in(value) >= 0) plan_.inside.insert(value);
  }

  void order() {
    std::set<int> started;
    for (int i = 0; i < static_cast<int>(graph_.stages().size()); ++i) {
      const StageInfo& stage = graph_.stage(i);
      Plan::Step step;
      if (fused(stage.group)) {
        if (!needed_groups_.count(stage.group) || !started.insert(stage.group).second) continue;
        step.group = stage.group;
        step.group_kernel = fused_.at(stage.group);
        step.inputs = graph_.groups()[static_cast<size_t>(stage.group)].inputs;
        step.outputs = graph_.groups()[static_cast<size_t>(stage.group)].outputs;
      } else {
        if (!needed_stages_[static_cast<size_t>(i)]) continue;
        step.stage = i;
        if (!request_.plain && request_.real == DType::f32) step.kernel = stage_kernel(*stage.operation);
        step.inputs = stage.inputs;
        step.outputs = stage.outputs;
      }
      plan_.steps.push_back(step);
    }
  }

  // From the last step back: one that works by rows, of whose outputs nobody reads all rows, computes those
  // that are wanted.
  void slice_rows() {
    std::set<int> whole = request_.wanted;  // values of which all rows are read
    whole.insert(request_.edited.begin(), request_.edited.end());
    std::vector<Plan::Step*> steps;
    std::set<int64_t> rows;
    int64_t length = 0;
    for (auto step = plan_.steps.rbegin(); step != plan_.steps.rend(); ++step) {
      if (slices(*step, whole, &length)) {
        steps.push_back(&*step);
        for (int output : step->outputs)
          if (const auto found = request_.rows.find(output); found != request_.rows.end())
            rows.insert(found->second.begin(), found->second.end());
      } else {
        whole.insert(step->inputs.begin(), step->inputs.end());
      }
    }
    if (rows.empty() || 2 * static_cast<int64_t>(rows.size()) > length) return;
    plan_.rows.assign(rows.begin(), rows.end());
    plan_.length = length;
    for (Plan::Step* step : steps) {
      step->sliced = true;
      for (int output : step->outputs) {
        plan_.sliced.insert(output);
        Shape& shape = plan_.shapes[static_cast<size_t>(output)];
        shape[shape.find(Axis::T)].size = static_cast<int64_t>(rows.size());
      }
    }
  }

  bool slices(const Plan::Step& step, const std::set<int>& whole, int64_t* length) const {
    if (step.group >= 0 || request_.plain || !works_by_rows(*graph_.stage(step.stage).operation))
      return false;
    for (int output : step.outputs) {
      const int axis = shape_of(output).find(Axis::T);
      if (axis < 0 || whole.count(output)) return false;
      const int64_t size = shape_of(output)[axis].size;
      if (*length != 0 && size != *length) return false;
      *length = size;
    }
    return true;
  }

  // A stage that only works on each number of another's output once more (an activation, a residual) does so
  // while that one has it in its hands, if all else that it reads is there by then.
  void join_chains() {
    std::map<int, int> readers;  // of a value: stages, and who asked for it
    for (const Plan::Step& step : plan_.steps)
      for (int input : step.inputs) ++readers[input];
    for (int value : request_.wanted) ++readers[value];
    for (const auto& [value, rows] : request_.rows) ++readers[value];
    std::vector<Plan::Step> steps;
    std::map<int, size_t> made;  // values: by which of these steps
    for (const Plan::Step& step : plan_.steps) {
      const int first = joined_by(step, steps, made, readers);
      const size_t at = first < 0 ? steps.size() : static_cast<size_t>(first);
      if (first < 0)
        steps.push_back(step);
      else
        join_to(steps[at], step, readers);
      for (int output : step.outputs) made[output] = at;
    }
    plan_.steps = std::move(steps);
  }

  // The step in whose pass this one can run, or -1.
  int joined_by(const Plan::Step& next, const std::vector<Plan::Step>& steps,
                const std::map<int, size_t>& made, const std::map<int, int>& readers) const {
    for (size_t slot = 0; next.kernel && slot < next.inputs.size(); ++slot) {
      const int value = next.inputs[slot];
      const auto found = made.find(value);
      if (found == made.end() || request_.edited.count(value)) continue;
      const Plan::Step& step = steps[found->second];
      if (!step.kernel || last_value(graph_, step) != value || step.sliced != next.sliced) continue;
      const Operation& first = *graph_.stage(step.stage).operation;
      std::vector<const Operation*> between;
      for (int stage : step.finish) between.push_back(graph_.stage(stage).operation.get());
      if (!finishes(first, between, *graph_.stage(next.stage).operation, slot)) continue;
      if (readers.at(value) > 1 && !(between.empty() && keeps_before(first))) continue;
      bool ready = true;  // and numbers at the same places
      for (size_t i = 0; i < next.inputs.size(); ++i) {
        if (i == slot) continue;
        const auto other = made.find(next.inputs[i]);
        ready &= other == made.end() || other->second < found->second;
        ready &= shape_of(next.inputs[i]).same_sizes(shape_of(value));
      }
      if (ready) return static_cast<int>(found->second);
    }
    return -1;
  }

  void join_to(Plan::Step& step, const Plan::Step& next, const std::map<int, int>& readers) const {
    const int value = last_value(graph_, step);
    if (readers.at(value) == 1) std::erase(step.outputs, value);
    for (int input : next.inputs)  // value stands there once: x + x is never ready in the pass of x
      if (input != value) step.inputs.push_back(input);
    step.outputs.insert(step.outputs.end(), next.outputs.begin(), next.outputs.end());
    step.finish.push_back(next.stage);
    step.finishing = finishing_kernel(*graph_.stage(step.stage).operation);
  }

  const Shape& shape_of(int value) const { return plan_.shapes[static_cast<size_t>(value)]; }

  // What attention reads over and over, q, k and v, lies with each head's rows together, where everybody who
  // reads or writes it can (docs/decisions/0007-rows-of-a-head-together.md).
  void choose_layouts() {
    std::set<int> wanted, others;
    for (const Plan::Step& step : plan_.steps) {
      const std::vector<int>& inputs = step.inputs;
      const bool heads = writes_heads(step);
      for (size_t i = 0; i < inputs.size(); ++i) {
        const bool attended = step.group >= 0 && i < 3;  // q, k, v come first
        if (attended || (heads && i == 0 && by_heads(inputs[i])))
          wanted.insert(inputs[i]);
        else
          others.insert(inputs[i]);
      }
    }
    for (const Plan::Step& step : plan_.steps) {
      if (!writes_heads(step)) continue;
      const int value = graph_.stage(step.stage).outputs[0];
      plan_.places[static_cast<size_t>(value)].heads =
          by_heads(value) && wanted.count(value) && !others.count(value) && !request_.edited.count(value) &&
          !request_.into.count(value);
    }
  }

  // (Rotary with positions of its own runs by its reference.)
  bool writes_heads(const Plan::Step& step) const {
    return step.group < 0 && step.kernel && step.finish.empty() && step.inputs.size() <= 3 &&
           takes_heads(*graph_.stage(step.stage).operation);
  }

  bool by_heads(int value) const {
    const Shape& shape = shape_of(value);
    return shape.rank() == 4 && (shape[2].axis == Axis::H || shape[2].axis == Axis::G) &&
           shape[3].axis == Axis::D && shape[1].size > 1 && shape[2].size > 1;
  }

  struct Life {
    int value;
    int from, to;  // steps
    size_t bytes;
  };

  // First fit, the largest first: each temporary at the lowest place that nothing alive at the same time
  // uses.
  void place() {
    std::map<int, Life> lives;
    for (int s = 0; s < static_cast<int>(plan_.steps.size()); ++s) {
      const Plan::Step& step = plan_.steps[static_cast<size_t>(s)];
      for (int input : step.inputs) {
        const auto found = lives.find(root(input));
        if (found != lives.end()) found->second.to = s;
      }
      for (int output : step.outputs) begin_life(step, output, s, lives);
    }
    std::vector<Life> order;
    for (const auto& [value, life] : lives) order.push_back(life);
    std::stable_sort(order.begin(), order.end(),
                     [](const Life& a, const Life& b) { return a.bytes > b.bytes; });
    std::vector<Life> placed;
    for (const Life& life : order) {
      plan_.places[static_cast<size_t>(life.value)].offset = lowest_gap(life, placed);
      placed.push_back(life);
    }
  }

  int root(int value) const {
    const int same = plan_.places[static_cast<size_t>(value)].same_as;
    return same < 0 ? value : same;
  }

  void begin_life(const Plan::Step& step, int value, int at, std::map<int, Life>& lives) {
    Plan::Place& place = plan_.places[static_cast<size_t>(value)];
    place.used = true;
    place.callers = request_.into.count(value) > 0;
    const bool view = step.stage >= 0 && step.finish.empty() &&
                      graph_.stage(step.stage).operation->is_view() && !request_.edited.count(value) &&
                      !place.callers;
    if (view && graph_.value(value).output == 0) {
      place.same_as = root(graph_.stage(step.stage).inputs[0]);
      const auto found = lives.find(place.same_as);
      if (found != lives.end()) found->second.to = at;
      return;
    }
    if (place.callers) return;
    const size_t i = static_cast<size_t>(value);
    const auto each = static_cast<int64_t>(byte_size(run_dtype(graph_.value(value), request_.real)));
    size_t bytes = 0;
    if (__builtin_mul_overflow(plan_.shapes[i].count(), each, &bytes) || bytes > k_most_bytes)
      fail_memory(value);
    lives[value] = {value, at, at, (bytes + k_alignment - 1) / k_alignment * k_alignment};
  }

  // Half of what addresses reach (in a page 2 GB): sums of two of them do not wrap.
  static constexpr size_t k_most_bytes = SIZE_MAX / 2 - k_alignment;

  [[noreturn]] void fail_memory(int value) const {
    fail_work("there is not enough memory for this run: ", graph_.value(value).name, " is ",
              plan_.shapes[static_cast<size_t>(value)].text());
  }

  size_t lowest_gap(const Life& life, const std::vector<Life>& placed) {
    std::vector<std::pair<size_t, size_t>> taken;  // [begin, end) of what is alive at the same time
    for (const Life& other : placed)
      if (other.from <= life.to && life.from <= other.to) {
        const size_t begin = plan_.places[static_cast<size_t>(other.value)].offset;
        taken.push_back({begin, begin + other.bytes});
      }
    std::sort(taken.begin(), taken.end());
    size_t at = 0;
    for (const auto& [begin, end] : taken) {
      if (at + life.bytes <= begin) break;
      at = std::max(at, end);
    }
    if (at > k_most_bytes) fail_memory(life.value);
    plan_.arena_bytes = std::max(plan_.arena_bytes, at + life.bytes);
    return at;
  }

  const Graph& graph_;
  const PlanRequest& request_;
  Plan plan_;
  std::map<int, GroupKernel> fused_;
  std::set<int> needed_values_, needed_groups_;
  std::vector<bool> needed_stages_;
};

}  // namespace

View placed(const Plan& plan, const Graph& graph, int value, DType real, std::byte* arena) {
  const auto i = static_cast<size_t>(value);
  const DType dtype = run_dtype(graph.value(value), real);
  const Shape& shape = plan.shapes[i];
  std::byte* at = arena + plan.places[i].offset;
  if (!plan.places[i].heads) return View(dtype, shape, at);
  const int64_t rows = shape[1].size, width = shape[3].size;
  return View(dtype, shape, {rows * shape[2].size * width, width, rows * width, 1}, at);
}

int last_value(const Graph& graph, const Plan::Step& step) {
  return graph.stage(step.finish.empty() ? step.stage : step.finish.back()).outputs[0];
}

Finish finish_of(const Graph& graph, const Plan::Step& step, const std::function<ConstView(int)>& read,
                 const std::function<View(int)>& place) {
  Finish finish;
  int value = graph.stage(step.stage).outputs[0];
  if (std::count(step.outputs.begin(), step.outputs.end(), value)) finish.before = place(value);
  for (int stage : step.finish) {
    const StageInfo& next = graph.stage(stage);
    const bool activation = is_activation(*next.operation);
    if (activation) finish.activation = next.operation.get();
    const auto through = std::find(next.inputs.begin(), next.inputs.end(), value);
    for (auto other = next.inputs.begin(); other != next.inputs.end(); ++other)
      if (other != through) (activation ? finish.gradient_at : finish.residual) = read(*other);
    value = next.outputs[0];
  }
  return finish;
}

std::vector<int> stages_of(const Graph& graph, int group) {
  std::vector<int> stages;
  for (int i = 0; i < static_cast<int>(graph.stages().size()); ++i)
    if (graph.stage(i).group == group) stages.push_back(i);
  return stages;
}

Plan make_plan(const Graph& graph, std::vector<Shape> shapes, const PlanRequest& request) {
  return Planner(graph, std::move(shapes), request).make();
}

}  // namespace limpid

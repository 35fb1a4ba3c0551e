#include "engine/activations.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/fast.h"
#include "engine/plan.h"

namespace limpid {

namespace {

// Readers no more than so many stages apart read the same widened numbers; others get them widened once more,
// so that the f32 numbers do not lie through half of the backward pass (an encoder's output, read by every
// layer of the decoder).
constexpr int k_near = 16;

// What the gradient reads of the forward pass from one place on: a value that is widened there, or the values
// of a group that is computed once more.
struct Reread {
  int first = 0, last = 0;    // stages of the graph that is copied: where it is made, where it is read last
  std::set<int> values;       // those that are read, or views of them
  std::map<int, Stage> made;  // what is read in their place
};

// Walks the graph once to see what is kept, and once more to copy it with the stages between.
class Keeper {
 public:
  Keeper(const Graph& from, int first) : from_(from), first_(first), to_(from.registry()) {
    copies_.resize(from.values().size());
    find_ends_of_groups();
    find_learned();
    find_readers();
  }

  Graph make() {
    for (size_t i = 0; i < from_.values().size(); ++i) copy_given(static_cast<int>(i));
    for (const GroupInfo& group : from_.groups())
      to_.add_group({group.name, group.kind, group.options, {}, {}});
    for (int s = 0; s < static_cast<int>(from_.stages().size()); ++s) {
      for (const auto& [value, number] : widened_at_[s]) widen(value, number);
      for (int group : again_at_[s]) compute_again(group);
      copy_stage(s);
      if (from_.stage(s).group < 0)
        for (int value : from_.stage(s).outputs)
          if (widenings_.count(value))
            narrow_[value] = to_.add(scope_of(value, ".narrow"), "narrow", {}, {copy_of(value)});
    }
    close_groups();
    for (const auto& [name, value] : from_.aliases()) to_.alias(name, copy_of(value));
    return std::move(to_);
  }

 private:
  // ---- what is kept

  void find_ends_of_groups() {
    const std::vector<GroupInfo>& groups = from_.groups();
    ends_.assign(groups.size(), {-1, -1});
    for (int s = 0; s < static_cast<int>(from_.stages().size()); ++s) {
      const int group = from_.stage(s).group;
      if (group < 0) continue;
      auto& [begin, end] = ends_[static_cast<size_t>(group)];
      if (begin < 0) begin = s;
      end = s;
    }
  }

  void find_learned() {
    const int loss = from_.stage(first_).inputs.at(0);  // "one" stands for its gradient
    for (size_t i = 0; i < from_.values().size(); ++i)
      if (from_.values()[i].kind == Value::Kind::parameter) learned_.insert(static_cast<int>(i));
    for (int s = 0; s < first_; ++s) {
      const StageInfo& stage = from_.stage(s);
      const bool learns = std::any_of(stage.inputs.begin(), stage.inputs.end(),
                                      [&](int value) { return learned_.count(value) > 0; });
      if (learns) learned_.insert(stage.outputs.begin(), stage.outputs.end());
      if (s == from_.value(loss).stage)
        for (int value : stage.inputs) of_loss_.insert(without_views(value));
    }
  }

  // The value whose numbers this one shows, under another shape.
  int without_views(int value) const {
    for (;;) {
      const Value& v = from_.value(value);
      if (v.kind != Value::Kind::temporary || v.output > 0 || v.stage >= first_) return value;
      const StageInfo& stage = from_.stage(v.stage);
      if (stage.group >= 0 || !stage.operation->is_view() || stage.operation->writes_in_place()) return value;
      value = stage.inputs[0];
    }
  }

  // The group of the forward pass that makes it, or -1.
  int group_of(int value) const {
    const Value& v = from_.value(value);
    return v.kind == Value::Kind::temporary && v.stage < first_ ? from_.stage(v.stage).group : -1;
  }

  bool is_kept(int value) const {
    const Value& v = from_.value(value);
    constexpr int k_least_axes = 3;  // numbers for every place of every example
    return v.kind == Value::Kind::temporary && v.stage < first_ && v.output == 0 && v.dtype == DType::f32 &&
           v.shape.rank() >= k_least_axes && learned_.count(value) > 0 && of_loss_.count(value) == 0;
  }

  // The stage before which all must be there that this one reads: of a group its first; and of one that may
  // run in the pass of the stage before it (Plan) that stage.
  int reads_at(int s) const {
    const StageInfo& stage = from_.stage(s);
    if (stage.group >= 0) return ends_[static_cast<size_t>(stage.group)].first;
    for (size_t slot = 0; slot < stage.inputs.size(); ++slot) {
      const int producer = from_.value(stage.inputs[slot]).stage;
      if (producer < first_ || from_.stage(producer).group >= 0) continue;
      if (finishes(*from_.stage(producer).operation, {}, *stage.operation, slot)) return producer;
    }
    return s;
  }

  void note_read(int value, int at) {
    const int base = without_views(value);
    if (const int group = group_of(base); group >= 0) {
      const auto [found, is_new] = again_.try_emplace(group, Reread{at, at, {}, {}});
      found->second.first = std::min(found->second.first, at);
      found->second.values.insert(value);
    } else if (is_kept(base)) {
      readers_[base][at].insert(value);
    }
  }

  void find_readers() {
    const int groups = static_cast<int>(ends_.size());
    for (int s = first_; s < static_cast<int>(from_.stages().size()); ++s)
      for (int value : from_.stage(s).inputs) note_read(value, reads_at(s));
    for (int g = 0; g < groups; ++g)
      if (start_of(g) >= first_)
        for (int value : inputs_of(g)) note_read(value, start_of(g));
    for (int g = groups - 1; g >= 0; --g) {  // a group reads groups before it
      const auto found = again_.find(g);
      if (found == again_.end()) continue;
      const int at = found->second.first;
      again_at_[at].insert(g);
      for (int value : inputs_of(g)) note_read(value, at);
    }
    for (const auto& [value, places] : readers_)
      for (const auto& [at, values] : places) {
        std::vector<Reread>& all = widenings_[value];
        if (all.empty() || at - all.back().last > k_near) {
          widened_at_[at].emplace_back(value, all.size());
          all.push_back({at, at, {}, {}});
        }
        all.back().last = at;
        all.back().values.insert(values.begin(), values.end());
      }
  }

  int start_of(int group) const { return ends_[static_cast<size_t>(group)].first; }

  // What the fused kernel reads, and what its stages do, one by one.
  std::set<int> inputs_of(int group) const {
    const std::vector<int>& given = from_.groups()[static_cast<size_t>(group)].inputs;
    std::set<int> inputs(given.begin(), given.end());
    for (int s : stages_of(from_, group))
      for (int value : from_.stage(s).inputs) {
        const int maker = from_.value(value).stage;
        if (maker < 0 || from_.stage(maker).group != group) inputs.insert(value);
      }
    return inputs;
  }

  // ---- the copy

  Stage copy_of(int value) { return to_.handle(copies_[static_cast<size_t>(value)]); }

  void copy_given(int value) {
    const Value& v = from_.value(value);
    if (v.kind == Value::Kind::temporary) return;
    copies_[static_cast<size_t>(value)] =
        (v.kind == Value::Kind::input ? to_.input(v.name, v.shape, v.dtype)
                                      : to_.parameter(v.name, v.shape, v.init))
            .value;
  }

  // What is read in place of a value from this stage on.
  Stage read_at(int value, int at) {
    if (at < first_) return copy_of(value);
    const int base = without_views(value);
    if (const auto again = again_.find(group_of(base)); again != again_.end())
      return again->second.made.at(value);
    const auto found = widenings_.find(base);
    if (found == widenings_.end()) return copy_of(value);
    const auto after = std::find_if(found->second.begin(), found->second.end(),
                                    [&](const Reread& each) { return each.first > at; });
    return std::prev(after)->made.at(value);
  }

  // The stage with these inputs; its outputs, in order.
  std::vector<int> add_stage(const StageInfo& stage, const std::string& suffix, int group,
                             const std::vector<Stage>& inputs) {
    Scope scope = to_.scope(stage.name + suffix).saying(stage.note).as(stage.role);
    scope.group = group;
    const Stage made = to_.add(scope, stage.operation->kind(), stage.operation->options(), inputs);
    const std::vector<int> outputs = to_.stage(to_.value(made.value).stage).outputs;
    for (size_t i = 0; i < outputs.size(); ++i)
      to_.rename(outputs[i], from_.value(stage.outputs[i]).name + suffix);
    return outputs;
  }

  void copy_stage(int s) {
    const StageInfo& stage = from_.stage(s);
    std::vector<Stage> inputs;
    const int at = s < first_ ? s : reads_at(s);
    for (int value : stage.inputs) inputs.push_back(read_at(value, at));
    const std::vector<int> outputs = add_stage(stage, "", stage.group, inputs);
    for (size_t i = 0; i < outputs.size(); ++i) copies_[static_cast<size_t>(stage.outputs[i])] = outputs[i];
  }

  Scope scope_of(int value, const std::string& suffix) {
    const Value& v = from_.value(value);
    return to_.scope(v.name + suffix).as(from_.stage(v.stage).role);
  }

  void widen(int value, size_t number) {
    Reread& reread = widenings_.at(value)[number];
    const std::string suffix = number == 0 ? ".wide" : join(".wide.", number);
    reread.made[value] = to_.add(scope_of(value, suffix), "widen", {}, {narrow_.at(value)});
    for (int each : reread.values) view_again(each, suffix, reread);
  }

  void compute_again(int group) {
    Reread& reread = again_.at(group);
    const std::string suffix = ".again";
    const GroupInfo& info = from_.groups()[static_cast<size_t>(group)];
    const auto read = [&](int value) {
      const auto inside = reread.made.find(value);
      return inside != reread.made.end() ? inside->second : read_at(value, reread.first);
    };
    const int copy = to_.add_group({info.name + suffix, info.kind, info.options, {}, {}});
    std::vector<int> group_inputs;
    for (int value : info.inputs) group_inputs.push_back(read(value).value);
    to_.set_group_inputs(copy, group_inputs);
    for (int s : stages_of(from_, group)) {
      const StageInfo& stage = from_.stage(s);
      std::vector<Stage> inputs;
      for (int value : stage.inputs) inputs.push_back(read(value));
      const std::vector<int> outputs = add_stage(stage, suffix, copy, inputs);
      for (size_t i = 0; i < outputs.size(); ++i) reread.made[stage.outputs[i]] = to_.handle(outputs[i]);
    }
    std::vector<Stage> group_outputs;
    for (int value : info.outputs) group_outputs.push_back(reread.made.at(value));
    to_.set_group_outputs(copy, group_outputs);
    for (int each : reread.values) view_again(each, suffix, reread);
  }

  Stage view_again(int value, const std::string& suffix, Reread& reread) {
    const auto found = reread.made.find(value);
    if (found != reread.made.end()) return found->second;
    const StageInfo& stage = from_.stage(from_.value(value).stage);
    std::vector<Stage> inputs;
    for (int input : stage.inputs)
      inputs.push_back(inputs.empty() ? view_again(input, suffix, reread) : copy_of(input));
    return reread.made[value] = to_.handle(add_stage(stage, suffix, -1, inputs)[0]);
  }

  void close_groups() {
    for (int g = 0; g < static_cast<int>(ends_.size()); ++g) {
      const GroupInfo& group = from_.groups()[static_cast<size_t>(g)];
      std::vector<int> inputs;
      for (int value : group.inputs) inputs.push_back(read_at(value, start_of(g)).value);
      std::vector<Stage> outputs;
      for (int value : group.outputs) outputs.push_back(copy_of(value));
      to_.set_group_inputs(g, inputs);
      to_.set_group_outputs(g, outputs);
    }
  }

  const Graph& from_;
  const int first_;
  std::vector<std::pair<int, int>> ends_;  // of groups: first and last stage
  std::set<int> learned_, of_loss_;        // values that parameters influence; that the loss reads
  std::map<int, std::map<int, std::set<int>>> readers_;            // kept value: where: it, or views of it
  std::map<int, std::vector<Reread>> widenings_;                   // of kept values, in order
  std::map<int, Reread> again_;                                    // of groups
  std::map<int, std::vector<std::pair<int, size_t>>> widened_at_;  // stage: values, and which widening
  std::map<int, std::set<int>> again_at_;                          // stage: groups

  Graph to_;
  std::vector<int> copies_;  // of values
  std::map<int, Stage> narrow_;
};

}  // namespace

Graph with_bf16_activations(const Graph& graph, int first) { return Keeper(graph, first).make(); }

}  // namespace limpid

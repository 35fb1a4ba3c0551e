// Reverse-mode differentiation, graph to graph (Linnainmaa 1970): walk the stages backwards, let each
// operation add the stages of its own gradient, add up what several readers of a value send back.
//
// Invariant: when a stage is visited, every stage that reads its outputs has been, so their gradients are
// complete.
#include <algorithm>
#include <set>

#include "limpid/engine.h"

namespace limpid {

namespace {

class Differentiator {
 public:
  Differentiator(Graph& graph, const std::vector<Stage>& wanted) : graph_(graph) {
    for (const Stage& stage : wanted) active_.insert(stage.value);
    last_ = static_cast<int>(graph.stages().size());
    for (int i = 0; i < last_; ++i) {
      const StageInfo& stage = graph.stage(i);
      if (std::any_of(stage.inputs.begin(), stage.inputs.end(), [&](int v) { return active_.count(v) > 0; }))
        active_.insert(stage.outputs.begin(), stage.outputs.end());
    }
  }

  void give(int value, Stage gradient, const std::string& from) {
    if (!gradient.shape().same_sizes(graph_.value(value).shape))
      fail_call("the gradient of '", graph_.value(value).name, "' is ", gradient.shape().text(),
                ", expected ", graph_.value(value).shape.text());
    summands_[value].push_back({gradient, from});
  }

  bool active(int value) const { return active_.count(value) > 0; }
  bool has(int value) const { return summands_.count(value) > 0 || done_.count(value) > 0; }

  // The complete gradient of a value, under its name.
  Stage finish(int value) {
    const auto done = done_.find(value);
    if (done != done_.end()) return done->second;
    const auto found = summands_.find(value);
    if (found == summands_.end()) return {};
    const std::string name = graph_.value(value).name + ".grad";
    std::vector<Summand> parts = found->second;
    Stage total = parts[0].gradient;
    if (parts.size() > 1) {
      int group = group_of(total);
      for (size_t i = 0; i < parts.size(); ++i) {
        // A stage that reads a value twice (x * x) sends two gradients back.
        const bool again = i > 0 && parts[i].from == parts[i - 1].from;
        graph_.rename(parts[i].gradient.value, join(name, ".via.", parts[i].from, again ? ".again" : ""));
        if (group_of(parts[i].gradient) != group) group = -1;
      }
      for (size_t i = 1; i < parts.size(); ++i) {
        Scope scope = graph_.scope(i + 1 == parts.size() ? name : join(name, ".sum.", i))
                          .saying({"", "", "What comes back from each place that read it, added up."});
        scope.group = group;
        total = graph_.add(scope, "add", {}, {total, parts[i].gradient});
      }
    } else if (total.name() != name && graph_.value(total.value).kind == Value::Kind::temporary) {
      graph_.rename(total.value, name);
    }
    return done_[value] = total;
  }

  void run() {
    for (int i = last_ - 1; i >= 0; --i) {
      const StageInfo stage = graph_.stage(i);
      bool reached = false;
      for (int output : stage.outputs) reached |= has(output);
      if (!reached || !active(stage.outputs.front())) continue;
      for (int output : stage.outputs) finish(output);
      visit(i, stage);
    }
  }

  void close_groups() {
    for (const auto& [forward, backward] : groups_) {
      const GroupInfo group = graph_.groups()[static_cast<size_t>(forward)];
      std::vector<int> inputs = group.inputs;
      inputs.insert(inputs.end(), group.outputs.begin(), group.outputs.end());
      for (int output : group.outputs)
        if (Stage gradient = finish(output)) inputs.push_back(gradient.value);
      graph_.set_group_inputs(backward, inputs);
      std::vector<Stage> outputs;
      for (int input : group.inputs)
        if (Stage gradient = finish(input)) outputs.push_back(of_group(input, backward, gradient));
      graph_.set_group_outputs(backward, outputs);
    }
  }

  // What a group sends back to one of its inputs: all of its gradient, or its part where others read it too.
  Stage of_group(int input, int backward, Stage total) const {
    const std::vector<Summand>& parts = summands_.at(input);
    const auto own = [&](const Summand& part) { return group_of(part.gradient) == backward; };
    if (group_of(total) == backward || std::count_if(parts.begin(), parts.end(), own) != 1) return total;
    return std::find_if(parts.begin(), parts.end(), own)->gradient;
  }

  int backward_group(int forward) {
    if (forward < 0) return -1;
    const auto found = groups_.find(forward);
    if (found != groups_.end()) return found->second;
    const GroupInfo& group = graph_.groups()[static_cast<size_t>(forward)];
    return groups_[forward] =
               graph_.add_group({group.name + ".grad", group.kind + "_gradient", group.options, {}, {}});
  }

  Graph& graph() { return graph_; }

 private:
  struct Summand {
    Stage gradient;
    std::string from;
  };

  void visit(int index, const StageInfo& stage);

  int group_of(Stage stage) const {
    const int producer = graph_.value(stage.value).stage;
    return producer < 0 ? -1 : graph_.stage(producer).group;
  }

  Graph& graph_;
  int last_;
  std::set<int> active_;  // values that a wanted value influences
  std::map<int, std::vector<Summand>> summands_;
  std::map<int, Stage> done_;
  std::map<int, int> groups_;  // forward group -> its gradient
};

class Context final : public GradientContext {
 public:
  Context(Differentiator& d, const StageInfo& stage) : d_(d), stage_(stage) {}
  int inputs() const override { return static_cast<int>(stage_.inputs.size()); }
  Stage in(int i) const override { return d_.graph().handle(stage_.inputs.at(static_cast<size_t>(i))); }
  Stage out(int i) const override { return d_.graph().handle(stage_.outputs.at(static_cast<size_t>(i))); }
  Stage grad(int i) const override { return d_.finish(stage_.outputs.at(static_cast<size_t>(i))); }
  bool wants(int i) const override { return d_.active(stage_.inputs.at(static_cast<size_t>(i))); }
  Stage apply(const std::string& kind, const Options& options, const std::vector<Stage>& inputs) override {
    Scope scope = d_.graph().scope(join(stage_.name, ".backward", made_ ? join(".", made_) : ""));
    ++made_;
    scope.group = d_.backward_group(stage_.group);
    const Role own = d_.graph().registry().make(kind, options)->role();
    scope.role = own == Role::plain ? stage_.role : own;
    return d_.graph().add(scope, kind, options, inputs);
  }
  void give(int input, Stage gradient) override {
    d_.give(stage_.inputs.at(static_cast<size_t>(input)), gradient, stage_.name);
  }

 private:
  Differentiator& d_;
  const StageInfo& stage_;
  int made_ = 0;
};

void Differentiator::visit(int, const StageInfo& stage) {
  Context context(*this, stage);
  stage.operation->gradient(context);
}

}  // namespace

void differentiate(Graph& graph, const std::vector<Seed>& seeds, const std::vector<Stage>& wanted) {
  Differentiator d(graph, wanted);
  for (const Seed& seed : seeds) d.give(seed.value.value, seed.gradient, "seed");
  d.run();
  for (const Stage& stage : wanted)
    if (!d.finish(stage.value)) fail_call("gradient: '", stage.name(), "' does not influence the loss");
  d.close_groups();
}

void differentiate(Graph& graph, Stage loss) {
  if (loss.shape().rank() != 0)
    fail_call("gradient: the loss '", loss.name(), "' is ", loss.shape().text(),
              ", expected a single number");
  const Stage one = graph.add(graph.scope(loss.name() + ".seed"), "one", {}, {loss});
  // Which parameters the loss depends on: walk back from it.
  std::set<int> needed = {loss.value};
  for (int i = graph.value(loss.value).stage; i >= 0; --i) {
    const StageInfo& stage = graph.stage(i);
    if (std::any_of(stage.outputs.begin(), stage.outputs.end(), [&](int v) { return needed.count(v) > 0; }))
      needed.insert(stage.inputs.begin(), stage.inputs.end());
  }
  std::vector<Stage> wanted;
  for (int value : needed)
    if (graph.value(value).kind == Value::Kind::parameter) wanted.push_back(graph.handle(value));
  differentiate(graph, {{loss, one}}, wanted);
}

}  // namespace limpid

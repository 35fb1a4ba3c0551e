// The attention figure: the inside of one layer, as the network figure of a graph that holds nothing else.
#include <algorithm>
#include <map>
#include <set>

#include "draw/figures/edits.h"
#include "draw/figures/legend.h"

namespace limpid {

using namespace draw;

namespace {

// The group of the layer: the one whose name is blocks.LAYER.attn, else the LAYER-th group that attends.
int group_of_layer(const Graph& graph, int layer) {
  std::vector<int> attending;
  for (size_t g = 0; g < graph.groups().size(); ++g) {
    const GroupInfo& info = graph.groups()[g];
    const auto looks = [&](const StageInfo& stage) {
      return stage.group == static_cast<int>(g) && graph.value(stage.outputs[0]).shape.find(Axis::S) >= 0 &&
             stage.role == Role::weights;
    };
    if (std::none_of(graph.stages().begin(), graph.stages().end(), looks)) continue;
    if (info.name.find(".grad") != std::string::npos || info.name.find(".backward") != std::string::npos)
      continue;
    if (info.name == join("blocks.", layer, ".attn")) return static_cast<int>(g);
    attending.push_back(static_cast<int>(g));
  }
  if (layer >= 0 && layer < static_cast<int>(attending.size())) return attending[static_cast<size_t>(layer)];
  if (attending.empty()) fail_call("attention: this network has no attention layer");
  fail_call("layer ", layer, " does not exist: this network has ",
            attending.size() == 1 ? "one attention layer, 0"
                                  : join("the attention layers 0 to ", attending.size() - 1));
}

// The group's stages, those that bear its name before it, and what joins its heads after it.
std::set<int> stages_of(const Graph& graph, int group) {
  const std::string prefix = graph.groups()[static_cast<size_t>(group)].name + ".";
  std::set<int> out;
  const auto reads = [&](const StageInfo& stage) {
    return std::any_of(stage.inputs.begin(), stage.inputs.end(),
                       [&](int id) { return out.count(graph.value(id).stage) > 0; });
  };
  for (size_t i = 0; i < graph.stages().size(); ++i) {
    const StageInfo& stage = graph.stages()[i];
    if (stage.group == group || stage.name.starts_with(prefix)) out.insert(static_cast<int>(i));
  }
  const std::string joined = prefix.substr(0, prefix.size() - 1) + "_out";
  for (size_t i = 0; i < graph.stages().size(); ++i)
    if (graph.stages()[i].name == joined && reads(graph.stages()[i])) out.insert(static_cast<int>(i));
  return out;
}

bool of_gradient(const StageInfo& stage) {
  return stage.name.find(".grad") != std::string::npos || stage.name.find(".backward") != std::string::npos;
}

// A graph of these stages alone; what they read from elsewhere becomes its inputs: X, and what is attended
// to.  `names`: what values of the graph are called in the part, where that is something else.
Graph part_of(const Graph& graph, int group, std::map<std::string, std::string>& names) {
  Graph part(graph.registry());
  std::map<int, Stage> made;
  const std::set<int> stages = stages_of(graph, group);
  int sources = 0;
  for (int i : stages) {
    const StageInfo& stage = graph.stage(i);
    if (of_gradient(stage)) continue;
    std::vector<Stage> inputs;
    for (int id : stage.inputs) {
      const Value& value = graph.value(id);
      if (made.count(id) == 0) {
        if (value.kind == Value::Kind::parameter)
          made[id] = part.parameter(value.name, value.shape, value.init);
        else if (value.dtype == DType::i64)  // which rows are padding
          made[id] = part.input("lengths", value.shape, value.dtype), names[value.name] = "lengths";
        else
          made[id] = part.input(sources == 0   ? "X"
                                : sources == 1 ? "memory"
                                               : join("input ", sources),
                                value.shape, value.dtype),
          names[value.name] = made[id].name(), ++sources;
      }
      inputs.push_back(made[id]);
    }
    int in_group = -1;
    if (stage.group >= 0) {
      if (part.groups().empty()) {
        GroupInfo info = graph.groups()[static_cast<size_t>(stage.group)];
        info.inputs.clear();
        info.outputs.clear();
        part.add_group(info);
      }
      in_group = 0;
    }
    const Scope scope = {&part, stage.name, in_group, stage.role, stage.note};
    const Stage out = part.add(scope, stage.operation->kind(), stage.operation->options(), inputs);
    const std::vector<int>& outputs = part.stage(part.value(out.value).stage).outputs;
    for (size_t k = 0; k < stage.outputs.size(); ++k) made[stage.outputs[k]] = part.handle(outputs[k]);
  }
  std::set<int> read;
  for (const StageInfo& stage : part.stages()) read.insert(stage.inputs.begin(), stage.inputs.end());
  for (size_t i = part.stages().size(); i-- > 0;)
    if (const int last = part.stage(static_cast<int>(i)).outputs[0]; read.count(last) == 0) {
      names[part.value(last).name] = "output";
      part.rename(last, "output");
      break;
    }
  if (!part.groups().empty()) {
    std::vector<int> in;
    std::vector<Stage> out;
    for (int id : graph.groups()[static_cast<size_t>(group)].inputs)
      if (made.count(id)) in.push_back(made[id].value);
    for (int id : graph.groups()[static_cast<size_t>(group)].outputs)
      if (made.count(id)) out.push_back(made[id]);
    part.set_group_inputs(0, in);
    part.set_group_outputs(0, out);
  }
  return part;
}

}  // namespace

Scene attention_scene(const Graph& graph, int layer, SceneOptions options) {
  std::map<std::string, std::string> names;
  const Graph part = part_of(graph, group_of_layer(graph, layer), names);
  std::map<std::string, std::string> edited;
  for (const auto& [name, words] : options.edited) {
    const auto renamed = names.find(name);
    edited[renamed == names.end() ? name : renamed->second] = words;
  }
  options.edited = edited;
  if (options.title.empty()) options.title = join("Attention, layer ", layer);
  return network_scene(part, options);
}

Scene attention_scene(const Trace& trace, int layer, SceneOptions options) {
  if (!trace.graph) fail_call("attention: the trace holds no graph");
  if (options.title.empty()) options.title = join("Attention, layer ", layer, ": ", trace.title);
  Scene scene = attention_scene(*trace.graph, layer, of_run(trace, options));
  add_edits(scene, Edits(trace), options.legend);
  return scene;
}

}  // namespace limpid

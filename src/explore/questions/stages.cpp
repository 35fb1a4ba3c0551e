// stages: the graph with its words, and the sizes that it has in this run.
#include "explore/state.h"
#include "explore/stored.h"

namespace limpid::explore {

namespace {

// "blocks.3" or "encoder.blocks.3" of a name; empty: it belongs to no block.
std::string block_of(const std::string& name) {
  const std::string word = "blocks.";
  const size_t at = name.find(word);
  if (at == name.npos || (at > 0 && name[at - 1] != '.')) return "";
  const size_t dot = name.find('.', at + word.size());
  return dot == name.npos ? "" : name.substr(0, dot);
}

Json options_of(const Options& options) {
  Json out = Json::object();
  for (const auto& [name, value] : options.all())
    std::visit([&, &key = name](const auto& each) { out[key] = each; }, value);
  return out;
}

Json names(const Graph& graph, const std::vector<int>& values) {
  Json out = Json::array();
  for (const int value : values) out.push_back(graph.value(value).name);
  return out;
}

Json stage_json(const Graph& graph, const StageInfo& stage) {
  Json out = {{"name", stage.name},
              {"operation", stage.operation->kind()},
              {"options", options_of(stage.operation->options())},
              {"label", stage.label()},
              {"equation", stage.equation()},
              {"caption", stage.caption()},
              {"role", name(stage.role)},
              {"inputs", names(graph, stage.inputs)},
              {"outputs", names(graph, stage.outputs)}};
  if (stage.group >= 0) out["group"] = graph.groups()[static_cast<size_t>(stage.group)].name;
  if (const std::string block = block_of(stage.name); !block.empty()) out["block"] = block;
  return out;
}

// `stored`: the trace that holds the run; null: its values are computed.
Json value_json(const Trace& trace, const Value& value, const Trace* stored) {
  const Graph& graph = *trace.graph;
  static const char* const k_kinds[] = {"input", "parameter", "stage"};
  const auto seen = trace.summaries.find(value.name);
  const Shape& shape = seen == trace.summaries.end() ? value.shape : seen->second.shape;
  Json out = {{"name", value.name},
              {"kind", k_kinds[static_cast<int>(value.kind)]},
              {"dtype", name(value.dtype)},
              {"axes", letters_of(shape)},
              {"sizes", sizes_of(shape)}};
  if (value.stage >= 0) out["stage"] = graph.stage(value.stage).name;
  if (stored) out["held"] = name(held(*stored, value.name));
  return out;
}

}  // namespace

void ask_stages(State& state, Request& request, Answer& answer) {
  Run& run = asked_run(state, request, answer);
  const Graph& graph = run.graph();
  std::vector<Observation> sizes;
  for (const Value& value : graph.values())
    if (value.kind != Value::Kind::parameter) sizes.push_back({value.name, Depth::shape});
  const Trace& trace = run.read(sizes);
  Json& values = answer.fields["values"] = Json::array();
  for (const Value& value : graph.values()) values.push_back(value_json(trace, value, run.stored()));
  Json& stages = answer.fields["stages"] = Json::array();
  for (const StageInfo& stage : graph.stages()) stages.push_back(stage_json(graph, stage));
  Json& groups = answer.fields["groups"] = Json::array();
  for (const GroupInfo& group : graph.groups())
    groups.push_back({{"name", group.name},
                      {"inputs", names(graph, group.inputs)},
                      {"outputs", names(graph, group.outputs)}});
  Json& aliases = answer.fields["aliases"] = Json::object();
  for (const auto& [alias, value] : graph.aliases()) aliases[alias] = graph.value(value).name;
}

}  // namespace limpid::explore

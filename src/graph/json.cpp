// The graph as JSON: what a trace file keeps, so that it can be shown and drawn without the model.
#include <nlohmann/json.hpp>

#include "limpid/graph.h"

namespace limpid {

namespace {

using Json = nlohmann::ordered_json;

Json shape_json(const Shape& shape) {
  Json out = Json::array();
  for (const Dim& dim : shape) {
    std::string axis = dim.axis == Axis::none ? "" : std::string(1, static_cast<char>(dim.axis));
    out.push_back(Json::array({axis, dim.size}));
  }
  return out;
}

Shape shape_of(const Json& json) {
  Shape shape;
  for (const Json& dim : json) {
    const std::string axis = dim.at(0);
    shape.append({axis.empty() ? Axis::none : static_cast<Axis>(axis[0]), dim.at(1).get<int64_t>()});
  }
  return shape;
}

Json options_json(const Options& options) {
  Json out = Json::object();
  for (const auto& [name, value] : options.all()) std::visit([&](const auto& v) { out[name] = v; }, value);
  return out;
}

Options options_of(const Json& json) {
  Options options;
  for (const auto& [name, value] : json.items()) {
    if (value.is_boolean())
      options.set(name, value.get<bool>());
    else if (value.is_number_integer())
      options.set(name, value.get<int64_t>());
    else if (value.is_number())
      options.set(name, value.get<double>());
    else if (value.is_string())
      options.set(name, value.get<std::string>());
    else if (value.is_array() && !value.empty() && value[0].is_number_float())
      options.set(name, value.get<std::vector<double>>());
    else
      options.set(name, value.get<std::vector<int64_t>>());
  }
  return options;
}

Json note_json(const Note& note) {
  Json out = Json::object();
  if (!note.label.empty()) out["label"] = note.label;
  if (!note.equation.empty()) out["equation"] = note.equation;
  if (!note.caption.empty()) out["caption"] = note.caption;
  return out;
}

Json names_json(const Graph& graph, const std::vector<int>& ids) {
  Json out = Json::array();
  for (int id : ids) out.push_back(graph.value(id).name);
  return out;
}

std::vector<Stage> handles(Graph& graph, const Json& names) {
  std::vector<Stage> out;
  for (const Json& name : names) out.push_back(graph.handle(graph.require(name.get<std::string>())));
  return out;
}

void read_stage(Graph& graph, const Json& json) {
  Scope scope = graph.scope(json.at("name").get<std::string>());
  scope.group = json.value("group", -1);
  scope.role = role_named(json.at("role").get<std::string>());
  const Json note = json.value("note", Json::object());
  scope.note = {note.value("label", ""), note.value("equation", ""), note.value("caption", "")};
  if (scope.group < -1 || scope.group >= static_cast<int>(graph.groups().size()))
    fail_work("stage '", scope.path, "' belongs to group ", scope.group, ", which does not exist");
  const Stage first =
      graph.add(scope, json.at("operation"), options_of(json.value("options", Json::object())),
                handles(graph, json.at("inputs")));
  const std::vector<int> made = graph.stage(graph.value(first.value).stage).outputs;
  const Json& names = json.at("outputs");
  if (names.size() != made.size())
    fail_work("stage '", scope.path, "' has ", names.size(), " outputs, expected ", made.size());
  for (size_t i = 0; i < made.size(); ++i) graph.rename(made[i], names[i].get<std::string>());
}

void read_graph(Graph& graph, const Json& json) {
  for (const Json& value : json.at("inputs"))
    graph.input(value.at("name"), shape_of(value.at("axes")),
                dtype_named(value.at("dtype").get<std::string>()));
  for (const Json& value : json.at("parameters"))
    graph.parameter(value.at("name"), shape_of(value.at("axes")), {});
  for (const Json& group : json.at("groups"))
    graph.add_group({group.at("name"), group.at("kind"), options_of(group.at("options")), {}, {}});
  for (const Json& stage : json.at("stages")) read_stage(graph, stage);
  for (const auto& [alias, name] : json.at("aliases").items())
    graph.alias(alias, graph.handle(graph.require(name.get<std::string>())));
  int id = 0;
  for (const Json& group : json.at("groups")) {
    std::vector<int> inputs;
    for (const Stage& in : handles(graph, group.at("inputs"))) inputs.push_back(in.value);
    graph.set_group_inputs(id, inputs);
    graph.set_group_outputs(id, handles(graph, group.at("outputs")));
    ++id;
  }
}

}  // namespace

std::string to_json(const Graph& graph) {
  Json out = {{"inputs", Json::array()},
              {"parameters", Json::array()},
              {"groups", Json::array()},
              {"stages", Json::array()},
              {"aliases", Json::object()}};
  for (const auto& [alias, value] : graph.aliases()) out["aliases"][alias] = graph.value(value).name;
  for (const Value& value : graph.values()) {
    if (value.kind == Value::Kind::input)
      out["inputs"].push_back(
          {{"name", value.name}, {"axes", shape_json(value.shape)}, {"dtype", name(value.dtype)}});
    if (value.kind == Value::Kind::parameter)
      out["parameters"].push_back({{"name", value.name}, {"axes", shape_json(value.shape)}});
  }
  for (const GroupInfo& group : graph.groups())
    out["groups"].push_back({{"name", group.name},
                             {"kind", group.kind},
                             {"options", options_json(group.options)},
                             {"inputs", names_json(graph, group.inputs)},
                             {"outputs", names_json(graph, group.outputs)}});
  for (const StageInfo& stage : graph.stages()) {
    Json json = {{"name", stage.name},
                 {"operation", stage.operation->kind()},
                 {"role", name(stage.role)},
                 {"inputs", names_json(graph, stage.inputs)},
                 {"outputs", names_json(graph, stage.outputs)}};
    if (!stage.operation->options().all().empty()) json["options"] = options_json(stage.operation->options());
    if (stage.group >= 0) json["group"] = stage.group;
    if (const Json note = note_json(stage.note); !note.empty()) json["note"] = note;
    json["axes"] = Json::array();
    for (int id : stage.outputs) json["axes"].push_back(shape_json(graph.value(id).shape));
    out["stages"].push_back(std::move(json));
  }
  return out.dump();
}

Graph graph_from_json(std::string_view text, const Registry& registry) {
  Graph graph(registry);
  try {
    read_graph(graph, Json::parse(text));
  } catch (const nlohmann::json::exception& error) {
    fail_work("graph: the stored graph cannot be read: ", error.what());
  } catch (const Error& error) {
    fail_work("graph: the stored graph cannot be read: ", error.what());
  }
  return graph;
}

}  // namespace limpid

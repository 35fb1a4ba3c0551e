// The graph as JSON: what a trace file keeps, so that it can be shown and drawn without the model.
#include "core/json.h"
#include "core/label.h"
#include "limpid/graph.h"

namespace limpid {

namespace {

Json shape_json(const Shape& shape) {
  Json out = Json::array();
  for (const Dim& dim : shape) {
    std::string axis = dim.axis == Axis::none ? "" : std::string(1, static_cast<char>(dim.axis));
    out.push_back(Json::array({axis, dim.size}));
  }
  return out;
}

// Numbers of a stored graph stay where sums and products of two of them are numbers of 64 bits.
constexpr int64_t k_most_option = int64_t{1} << 40;

// What readers go through more than once: a network of 1,000 layers, with its gradient, has as many.
constexpr size_t k_most_stages = 1 << 16, k_most_groups = 1 << 12;

Shape shape_of(const JsonValue& json) {
  if (json.size() > static_cast<size_t>(k_max_rank))
    json.fail("has ", json.size(), " axes, expected at most ", k_max_rank);
  Shape shape;
  json.each_item([&](const JsonValue& dim) {
    const std::string axis = dim.at(size_t{0}).text();
    if (axis.size() > 1 || (axis.size() == 1 && (axis[0] < 'A' || axis[0] > 'Z')))
      dim.at(size_t{0}).unexpected("one letter from A to Z, or nothing");
    shape.append({axis.empty() ? Axis::none : static_cast<Axis>(axis[0]),
                  dim.at(size_t{1}).integer(k_symbolic, k_json_most_size)});
  });
  return shape;
}

Json options_json(const Options& options) {
  Json out = Json::object();
  for (const auto& [name, value] : options.all())
    std::visit([&, &key = name](const auto& v) { out[key] = v; }, value);
  return out;
}

int64_t whole_option(const JsonValue& value) { return value.integer(-k_most_option, k_most_option); }

Options options_of(const JsonValue& json) {
  Options options;
  json.each_entry([&](const std::string& name, const JsonValue& value) {
    const Json& type = value.json();
    if (type.is_boolean()) {
      options.set(name, value.boolean());
    } else if (type.is_number_integer()) {
      options.set(name, whole_option(value));
    } else if (type.is_number()) {
      options.set(name, value.real());
    } else if (type.is_string()) {
      options.set(name, value.text());
    } else if (type.is_array() && !type.empty() && type[0].is_number_float()) {
      std::vector<double> list;
      value.each_item([&](const JsonValue& item) { list.push_back(item.real()); });
      options.set(name, std::move(list));
    } else {
      std::vector<int64_t> list;
      value.each_item([&](const JsonValue& item) { list.push_back(whole_option(item)); });
      options.set(name, std::move(list));
    }
  });
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

std::vector<Stage> handles(Graph& graph, const JsonValue& names) {
  std::vector<Stage> out;
  names.each_item([&](const JsonValue& name) { out.push_back(graph.handle(graph.require(name.text()))); });
  return out;
}

std::string text_or_none(const JsonValue& json, const char* key) {
  return json.has(key) ? json.at(key).text() : "";
}

// A stage may read only what stands before it: later values do not exist yet.
void read_stage(Graph& graph, const JsonValue& json) {
  Scope scope = graph.scope(json.at("name").text());
  const auto groups = static_cast<int64_t>(graph.groups().size());
  if (json.has("group")) scope.group = static_cast<int>(json.at("group").integer(-1, groups - 1));
  scope.role = role_named(json.at("role").text());
  if (json.has("note")) {
    const JsonValue note = json.at("note");
    scope.note = {text_or_none(note, "label"), text_or_none(note, "equation"), text_or_none(note, "caption")};
  }
  const Options options = json.has("options") ? options_of(json.at("options")) : Options();
  const Stage first =
      graph.add(scope, json.at("operation").text(), options, handles(graph, json.at("inputs")));
  const std::vector<int> made = graph.stage(graph.value(first.value).stage).outputs;
  const JsonValue names = json.at("outputs");
  if (names.size() != made.size())
    names.fail("has ", names.size(), " names, expected ", made.size(), " as '", scope.path, "' has outputs");
  for (size_t i = 0; i < made.size(); ++i) graph.rename(made[i], names.at(i).text());
}

void read_graph(Graph& graph, const JsonValue& json) {
  json.at("inputs").each_item([&](const JsonValue& value) {
    graph.input(value.at("name").text(), shape_of(value.at("axes")), dtype_named(value.at("dtype").text()));
  });
  json.at("parameters").each_item([&](const JsonValue& value) {
    const Shape shape = shape_of(value.at("axes"));
    if (shape.symbolic()) value.at("axes").fail("leaves a size open, which a parameter has not");
    shape.count();  // that there can be so many
    graph.parameter(value.at("name").text(), shape, {});
  });
  const auto limit = [&](const char* list, size_t most) {
    const JsonValue given = json.at(list);
    if (given.size() > most) given.fail("has ", given.size(), " items, at most ", most, " are read");
  };
  limit("groups", k_most_groups);
  limit("stages", k_most_stages);
  json.at("groups").each_item([&](const JsonValue& group) {
    graph.add_group(
        {group.at("name").text(), group.at("kind").text(), options_of(group.at("options")), {}, {}});
  });
  json.at("stages").each_item([&](const JsonValue& stage) { read_stage(graph, stage); });
  json.at("aliases").each_entry([&](const std::string& alias, const JsonValue& name) {
    graph.alias(alias, graph.handle(graph.require(name.text())));
  });
  int id = 0;
  json.at("groups").each_item([&](const JsonValue& group) {
    std::vector<int> inputs;
    for (const Stage& in : handles(graph, group.at("inputs"))) inputs.push_back(in.value);
    graph.set_group_inputs(id, inputs);
    graph.set_group_outputs(id, handles(graph, group.at("outputs")));
    ++id;
  });
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
    const JsonSource source{""};
    const Json document = parse_json(text, source);
    read_graph(graph, JsonValue(document, source));
  } catch (const std::exception& error) {  // what an operation makes of impossible options included
    fail_work("graph: the stored graph cannot be read: ", visible_line(error.what()));
  }
  return graph;
}

}  // namespace limpid

// limpid info: what a file holds.
#include <algorithm>
#include <cmath>

#include "core/json.h"
#include "core/label.h"
#include "core/width.h"
#include "limpid/commands.h"
#include "limpid/error.h"
#include "limpid/files.h"
#include "limpid/input.h"
#include "limpid/network.h"

namespace limpid::command {

namespace {

constexpr const char* k_model_key = "limpid.model";
constexpr const char* k_checkpoint_key = "limpid.checkpoint";
constexpr const char* k_trace_key = "limpid";

// ---- what a file says of itself, as JSON ----------------------------------------------------------------

Json tensor_json(const std::string& name, DType dtype, const Shape& shape) {
  Json sizes = Json::array();
  for (const Dim& dim : shape) sizes.push_back(dim.size);
  return {{"name", name}, {"dtype", limpid::name(dtype)}, {"shape", sizes}, {"count", shape.count()}};
}

// The metadata's JSON document; a text that is none, or none that is read, stays a text.
Json document(const std::string& text) {
  try {
    return parse_json(text, {""});
  } catch (const Error&) {
    return text;
  }
}

// The text of that key; nothing where there is none, or something else.
std::string text_at(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

Json describe_model(const Json& model) {
  if (!model.is_object()) fail_work("its description of the model is ", shown(model), ", expected an object");
  Json out;
  out["title"] = text_at(model, "title");
  out["network"] = model.value("network", Json::object());
  if (model.contains("tokenizer")) {
    const auto tokenizer = tokenizer_from_json(model["tokenizer"].dump());
    out["tokenizer"] = {{"kind", tokenizer->kind()}, {"vocabulary", tokenizer->vocabulary()}};
  }
  out["written_by"] = "limpid " + text_at(model, "engine");
  return out;
}

Json describe_checkpoint(const Json& run) {
  if (!run.is_object()) fail_work("its description of the run is ", shown(run), ", expected an object");
  Json out;
  out["step"] = run.value("step", Json(0));
  out["recipe"] = run.value("recipe", Json::object());
  const Json history = run.value("history", Json::array());
  if (history.is_array() && !history.empty()) out["last_epoch"] = history.back();
  return out;
}

Json describe_trace(const Trace& trace) {
  Json out;
  out["title"] = trace.title;
  out["text"] = trace.text;
  out["tokens"] = trace.tokens.size();
  out["observed"] = trace.observed;
  out["edited"] = trace.edited;
  out["summaries"] = trace.summaries.size();
  out["written_by"] = "limpid " + trace.engine_version;
  return out;
}

Json describe_foreign_model(const std::string& path) {
  try {
    const Model model = Model::load(path);
    return {{"kind", "model"},
            {"title", "a model in another program's names"},
            {"network", Json::parse(to_json(model.config()))}};
  } catch (const Error&) {
    return {{"kind", "safetensors"}};
  }
}

Json describe_safetensors(const std::string& path) {
  const SafetensorsInfo info = inspect_safetensors(path);
  Json out;
  const auto entry = [&](const char* key) -> const std::string* {
    const auto found = info.metadata.find(key);
    return found == info.metadata.end() ? nullptr : &found->second;
  };
  if (const std::string* text = entry(k_model_key)) {
    out["kind"] = "model";
    out.update(describe_model(parse_json(*text, {path + ": its description of the model cannot be read"})));
  } else if (const std::string* run = entry(k_checkpoint_key)) {
    out["kind"] = "checkpoint";
    out.update(describe_checkpoint(parse_json(*run, {path + ": the checkpoint cannot be read"})));
  } else if (entry(k_trace_key)) {
    out["kind"] = "trace";
    out.update(describe_trace(load_trace(path)));
  } else if (entry("config")) {  // another program's, which limpid may read
    out.update(describe_foreign_model(path));
  } else {
    out["kind"] = "safetensors";
  }
  if (out["kind"] == "safetensors")
    for (const auto& [key, value] : info.metadata) out["metadata"][visible_line(key)] = document(value);
  out["tensors"] = Json::array();
  for (const auto& e : info.entries) out["tensors"].push_back(tensor_json(e.name, e.dtype, e.shape));
  return out;
}

Json describe_npz(const std::string& path) {
  Json out;
  const auto arrays = read_npz(path);
  out["kind"] = arrays.count("metadata.json") ? "trace" : "npz";
  if (arrays.count("metadata.json")) out.update(describe_trace(load_trace(path)));
  out["tensors"] = Json::array();
  for (const auto& [name, array] : arrays)
    out["tensors"].push_back(tensor_json(name, array.dtype(), array.shape()));
  return out;
}

Json describe(const std::string& path) {
  Json out;
  if (path.ends_with(".npz")) {
    out = describe_npz(path);
  } else if (path.ends_with(".npy")) {
    const Tensor array = read_npy(path);
    out["kind"] = "npy";
    out["tensors"].push_back(tensor_json("", array.dtype(), array.shape()));
  } else {
    out = describe_safetensors(path);
  }
  int64_t numbers = 0;
  for (const Json& tensor : out["tensors"]) numbers += tensor["count"].get<int64_t>();
  out["numbers"] = numbers;
  return out;
}

// ---- for people -----------------------------------------------------------------------------------------

std::string shape_text(const Json& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) out += (i ? "," : "") + std::to_string(shape[i].get<int64_t>());
  return out + "]";
}

std::string plain_text(const Json& value) {
  return visible_line(value.is_string() ? value.get<std::string>() : value.dump());
}

// "layers 4, heads 4, ...", what is 0, false or "" left out.
std::string settings(const Json& object) {
  std::string out;
  for (const auto& [name, value] : object.items()) {
    const bool empty = value == 0 || value == false || value == "" || value.is_structured();
    if (!empty) out += (out.empty() ? "" : ", ") + name + " " + plain_text(value);
  }
  return out;
}

class Lines {
 public:
  explicit Lines(int columns) : columns_(static_cast<size_t>(std::max(columns, 40))) {}
  // "name      value", broken between words.
  void add(const std::string& name, const std::string& value) {
    constexpr size_t k_indent = 12;
    std::string line = pad_to_width(name, k_indent);
    size_t width = k_indent;
    std::istringstream words(value);
    bool first = true;
    for (std::string word; words >> word; first = false) {
      if (!first && width + 1 + display_width(word) > columns_) {
        line += "\n" + std::string(k_indent, ' ');
        width = k_indent;
      } else if (!first) {
        line += ' ';
        ++width;
      }
      line += word;
      width += display_width(word);
    }
    print(line + "\n");
  }

 private:
  size_t columns_;
};

void print_tensors(const Json& tensors, int columns) {
  size_t names = 4, shapes = 5;
  for (const Json& t : tensors) {
    names = std::max(names, display_width(visible_line(t["name"].get<std::string>())));
    shapes = std::max(shapes, shape_text(t["shape"]).size());
  }
  names = std::min(names, static_cast<size_t>(std::max(20, columns - 30)));
  for (const Json& t : tensors)
    print(join(pad_to_width(visible_line(t["name"].get<std::string>()), names), "  ",
               pad_to_width(t["dtype"].get<std::string>(), 4), "  ",
               pad_to_width(shape_text(t["shape"]), shapes), "  ", t["count"].get<int64_t>(), "\n"));
}

void print_for_people(const std::string& path, const Json& json, int columns) {
  Lines lines(columns);
  const std::string kind = json["kind"];
  const std::string what = kind == "model"        ? "a model"
                           : kind == "checkpoint" ? "a checkpoint of a training run"
                           : kind == "trace"      ? "a trace"
                                                  : "a " + kind + " file";
  print(join(visible_line(path), ": ", what, "\n"));
  for (const auto& [name, value] : json.items()) {
    if (name == "kind" || name == "tensors" || name == "numbers" || (value.is_array() && value.empty()))
      continue;
    if (name == "metadata") {
      for (const auto& [key, text] : value.items())
        lines.add(visible_line(key), plain_text(text).substr(0, 400));
    } else if (value.is_object()) {
      lines.add(name, settings(value));
      if (name == "recipe" && value.contains("network") && value["network"].is_object())
        lines.add("network", settings(value["network"]));
    } else if (value.is_array()) {
      for (const Json& each : value) lines.add(name, plain_text(each));
    } else {
      lines.add(name, plain_text(value));
    }
  }
  const size_t tensors = json["tensors"].size();
  lines.add(kind == "model" ? "parameters" : "numbers",
            join(json["numbers"].get<int64_t>(), " in ", tensors, tensors == 1 ? " tensor" : " tensors"));
  print("\n");
  print_tensors(json["tensors"], columns);
}

struct Call {
  std::string path;
  bool json = false;
};

}  // namespace

Work add_info(CLI::App& app) {
  auto call = std::make_shared<Call>();
  CLI::App* sub = app.add_subcommand("info", "Says what a model, trace, checkpoint or array file holds.");
  sub->add_option("PATH", call->path, "A .safetensors, .npz or .npy file.")->required()->type_name("");
  sub->add_flag("--json", call->json, "Prints the same as JSON.");
  sub->footer("Examples:\n  limpid info model.safetensors\n  limpid info life.safetensors --json\n");
  return [call](const Terminal& terminal) {
    const Json json = describe(call->path);
    if (call->json) return print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    print_for_people(call->path, json, terminal.columns);
  };
}

}  // namespace limpid::command

// limpid info: what a file or a folder holds.
#include <algorithm>
#include <cmath>

#include "core/json.h"
#include "core/label.h"
#include "core/number_text.h"
#include "core/width.h"
#include "limpid/commands.h"
#include "limpid/describe.h"
#include "limpid/error.h"

namespace limpid::command {

namespace {

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
    const bool no_text = value.is_string() && value.get_ref<const std::string&>().empty();
    const bool empty = value == 0 || value == false || no_text || value.is_structured();
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
    if (display_width(name) >= k_indent) line += ' ';
    size_t width = display_width(line);
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
  size_t names = 4, types = 4, shapes = 5;
  for (const Json& t : tensors) {
    names = std::max(names, display_width(visible_line(t["name"].get<std::string>())));
    types = std::max(types, visible_line(t["dtype"].get<std::string>()).size());
    shapes = std::max(shapes, shape_text(t["shape"]).size());
  }
  names = std::min(names, static_cast<size_t>(std::max(20, columns - 30)));
  types = std::min(types, size_t{12});
  for (const Json& t : tensors) {
    std::string line = join(pad_to_width(visible_line(t["name"].get<std::string>()), names), "  ",
                            pad_to_width(visible_line(t["dtype"].get<std::string>()), types), "  ",
                            pad_to_width(shape_text(t["shape"]), shapes), "  ", t["count"].get<int64_t>());
    print(line + "\n");
    if (t.contains("not_readable"))
      print("    not readable by limpid: " + visible_line(t["not_readable"].get<std::string>()) + "\n");
  }
}

std::string what_of(const Json& json) {
  const std::string kind = json["kind"];
  if (json.contains("what")) return json["what"];
  if (kind == "model") return "a model";
  if (kind == "checkpoint") return "a checkpoint of a training run";
  return kind == "trace" ? "a trace" : "a " + kind + " file";
}

void print_fields(Lines& lines, const Json& json) {
  for (const auto& [name, value] : json.items()) {
    const std::vector<std::string> elsewhere = {"kind",  "what",    "advice", "command",
                                                "files", "tensors", "numbers"};
    if (std::find(elsewhere.begin(), elsewhere.end(), name) != elsewhere.end() ||
        (value.is_array() && value.empty()) ||
        (json["kind"] == "gguf" && (name == "metadata" || name == "parameters")))  // with the tensors below
      continue;
    if (name == "bytes") {
      lines.add("size", size_text(value));
    } else if (name == "metadata") {
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
}

void print_files(const Json& files) {
  size_t names = 4, sizes = 4;
  const auto size_of = [](const Json& file) {
    return file.contains("bytes") ? size_text(file["bytes"]) : "";
  };
  for (const Json& file : files) {
    names = std::max(names, display_width(file["name"].get<std::string>()));
    sizes = std::max(sizes, size_of(file).size());
  }
  if (!files.empty()) print("\n");
  for (const Json& file : files)
    print(join(pad_to_width(file["name"].get<std::string>(), names), "  ", pad_to_width(size_of(file), sizes),
               "  ", visible_line(file["what"].get<std::string>()), "\n"));
}

// "array of 49152 strings"
std::string gguf_value_text(const Json& value) {
  if (!value.is_object()) return plain_text(value);
  const std::string type = value["array_of"];
  return join("array of ", value["count"].get<uint64_t>(), " ", type,
              type == "string" || type == "bool" ? "s" : "");
}

// A line a key: they are long, and their values are cut at the width of the terminal (--json has them whole).
void print_gguf_metadata(const Json& metadata, int columns) {
  size_t keys = 0;
  for (const auto& [key, value] : metadata.items()) keys = std::max(keys, display_width(visible_line(key)));
  keys = std::min(keys, static_cast<size_t>(std::max(20, columns / 2)));
  const size_t left = static_cast<size_t>(std::max(columns, 40)) - keys - 2;
  print("\n");
  for (const auto& [key, value] : metadata.items())
    print(
        join(pad_to_width(visible_line(key), keys), "  ", clip_to_width(gguf_value_text(value), left), "\n"));
  if (!metadata.empty()) print("\n");
}

void print_for_people(const std::string& path, const Json& json, int columns) {
  Lines lines(columns);
  const std::string kind = json["kind"];
  print(join(visible_line(path), ": ", visible_line(what_of(json)), "\n"));
  print_fields(lines, json);
  if (const std::string advice = json.value("advice", ""); !advice.empty())
    lines.add("what to do", visible_line(advice));
  if (json.contains("command")) print("\n" + json["command"].get<std::string>() + "\n");
  if (json.contains("files")) print_files(json["files"]);
  if (kind == "gguf") print_gguf_metadata(json["metadata"], columns);
  if (!json.contains("tensors")) return;
  const size_t tensors = json["tensors"].size();
  const bool model = (kind == "model" && json.contains("written_by")) || kind == "gguf";
  lines.add(model ? "parameters" : "numbers",
            join(json["numbers"].get<int64_t>(), " in ", tensors, tensors == 1 ? " tensor" : " tensors"));
  print("\n");
  print_tensors(json["tensors"], columns);
}

// ---- the numbers of arrays -------------------------------------------------------------------------------

std::string number(const Json& json) {
  if (json.is_null()) return "-";
  return json.is_number_integer() ? std::to_string(json.get<int64_t>()) : number_text(json.get<double>());
}

void print_array(const Json& array, int columns) {
  Lines lines(columns);
  const std::string name = visible_line(array["name"].get<std::string>());
  if (!name.empty()) lines.add("name", name);
  lines.add("dtype", visible_line(array["dtype"].get<std::string>()));
  lines.add("shape", shape_text(array["shape"]));
  if (array.contains("not_readable"))
    return lines.add("numbers",
                     "not readable by limpid: " + visible_line(array["not_readable"].get<std::string>()));
  lines.add("numbers", number(array["count"]));
  for (const char* each : {"least", "most", "mean"}) lines.add(each, number(array[each]));
  lines.add("NaN", number(array["nan"]));
  lines.add("infinite", number(array["infinite"]));
}

// A line an array.
void print_array_table(const Json& arrays) {
  std::vector<std::vector<std::string>> rows = {
      {"name", "dtype", "shape", "least", "most", "mean", "NaN", "infinite"}};
  for (const Json& a : arrays) {
    std::vector<std::string> row = {visible_line(a["name"].get<std::string>()),
                                    visible_line(a["dtype"].get<std::string>()), shape_text(a["shape"])};
    if (a.contains("not_readable"))
      row.push_back("not readable by limpid");
    else
      for (const char* each : {"least", "most", "mean", "nan", "infinite"}) row.push_back(number(a[each]));
    rows.push_back(std::move(row));
  }
  std::vector<size_t> widths(8, 0);
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i)
      if (row.size() == widths.size() || i < 3) widths[i] = std::max(widths[i], display_width(row[i]));
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i)
      line += (i ? "  " : "") + (i + 1 < row.size() ? pad_to_width(row[i], widths[i]) : row[i]);
    print(line + "\n");
  }
}

struct InfoCall {
  std::string path, array;
  bool json = false;
};

void info(const InfoCall& call, const Terminal& terminal) {
  const auto print_json = [](const Json& json) {
    print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  };
  if (call.array.empty()) {
    const Json json = describe(call.path);
    return call.json ? print_json(json) : print_for_people(call.path, json, terminal.columns);
  }
  const Json arrays = describe_arrays(call.path, call.array);
  if (call.json)
    return print_json(arrays.size() == 1 && call.array.find('*') == call.array.npos ? arrays[0] : arrays);
  if (arrays.size() == 1) return print_array(arrays[0], terminal.columns);
  print_array_table(arrays);
}

}  // namespace

Work add_info(CLI::App& app) {
  auto call = std::make_shared<InfoCall>();
  CLI::App* sub = app.add_subcommand(
      "info", "Says what a file or folder holds: a model, trace, checkpoint, arrays, or what else it is.");
  sub->add_option("PATH", call->path, "A file of any kind, or a folder.")->required()->type_name("");
  sub->add_option("NAME", call->array,
                  "An array of the file: its least, most and mean number, and how many are NaN or infinite; "
                  "* stands for anything.")
      ->type_name("");
  sub->add_flag("--json", call->json, "Prints the same as JSON.");
  sub->footer(
      "Examples:\n"
      "  limpid info model.safetensors\n"
      "  limpid info model.safetensors blocks.0.attn.W_Q\n"
      "  limpid info model.safetensors \"*\"             every array, a line each\n"
      "  limpid info life.safetensors --json\n"
      "  limpid info model.gguf                         its metadata and tensors\n"
      "  limpid info downloaded_model/\n");
  return [call](const Terminal& terminal) { info(*call, terminal); };
}

}  // namespace limpid::command

// limpid info: what a file or a folder says of itself.
#include "limpid/describe.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include "core/json.h"
#include "core/label.h"
#include "core/number_text.h"
#include "files/inspect.h"
#include "files/recognize.h"
#include "files/torch/pickle.h"
#include "limpid/describe_parts.h"
#include "limpid/error.h"
#include "limpid/files.h"
#include "limpid/model.h"
#include "model/eight_bits.h"
#include "model/foreign.h"

namespace limpid::command {

namespace {

namespace fs = std::filesystem;

constexpr const char* k_npz_trace_array = "metadata.json";

// ---- models, checkpoints, traces ----------------------------------------------------------------------

Json tensor_json(const ArrayInfo& array) {
  Json sizes = Json::array();
  for (const Dim& dim : array.shape) sizes.push_back(dim.size);
  Json out = {{"name", array.name}, {"dtype", array.type}, {"shape", sizes}, {"count", array.shape.count()}};
  if (!array.unreadable.empty()) out["not_readable"] = array.unreadable;
  return out;
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
            {"network", Json::parse(to_json(model.config()))},
            {"parameters", model.parameter_count()}};
  } catch (const Error& error) {
    return {{"kind", "safetensors"},
            {"what", "a state dict with names of minGPT, nanoGPT, GPT-2, llama2.c or TransformerLens"},
            {"advice", std::string("to run it as a model: ") + error.what()}};
  }
}

// Whether the names are those of a program whose state dicts are read as models.
bool names_state_dict(const ArrayList& list) {
  std::vector<std::string> names;
  for (const ArrayInfo& array : list.arrays) names.push_back(array.name);
  return is_mingpt(names) || is_llama2c(names) || is_transformer_lens(names);
}

Json arrays_json(const ArrayList& list) {
  Json tensors = Json::array();
  for (const ArrayInfo& array : list.arrays) tensors.push_back(tensor_json(array));
  return tensors;
}

// A file with an array that limpid cannot read has no model or trace of limpid's in it.
bool all_readable(const ArrayList& list) {
  return std::all_of(list.arrays.begin(), list.arrays.end(),
                     [](const ArrayInfo& array) { return array.unreadable.empty(); });
}

Json describe_safetensors(const std::string& path, const ArrayList& list) {
  Json out;
  const auto entry = [&](const char* key) -> const std::string* {
    const auto found = list.metadata.find(key);
    return found == list.metadata.end() || !all_readable(list) ? nullptr : &found->second;
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
  } else if (all_readable(list) && names_state_dict(list)) {  // another program's
    out.update(describe_foreign_model(path));
  } else {
    out["kind"] = "safetensors";
  }
  if (out["kind"] == "safetensors")
    for (const auto& [key, value] : list.metadata) out["metadata"][visible_line(key)] = document(value);
  return out;
}

void add_arrays(const ArrayList& list, Json& out) {
  out["tensors"] = arrays_json(list);
  std::set<std::string> eight_bits;  // whose scales are no numbers of their own
  for (const ArrayInfo& array : list.arrays)
    if (array.unreadable.empty() && array.dtype == DType::i8) eight_bits.insert(scales_name(array.name));
  int64_t numbers = 0;
  for (const Json& tensor : out["tensors"])
    if (!eight_bits.count(tensor["name"].get<std::string>())) numbers += tensor["count"].get<int64_t>();
  out["numbers"] = numbers;
}

Json describe_arrays_file(const std::string& path, FileKind kind) {
  const ArrayList list = list_arrays(path);
  Json out;
  if (kind == FileKind::npz) {
    const bool trace = all_readable(list) &&
                       std::any_of(list.arrays.begin(), list.arrays.end(),
                                   [](const ArrayInfo& array) { return array.name == k_npz_trace_array; });
    out["kind"] = trace ? "trace" : "npz";
    if (trace) out.update(describe_trace(load_trace(path)));
  } else if (kind == FileKind::npy) {
    out["kind"] = "npy";
  } else if (kind == FileKind::gguf) {
    out = describe_gguf(path);
  } else {
    out = describe_safetensors(path, list);
  }
  add_arrays(list, out);
  return out;
}

// A checkpoint of PyTorch's: a zip, or as it was before 1.6.
Json describe_torch(const std::string& path, const RecognizedFile& seen) {
  Json out;
  out["kind"] = std::string(name(seen.kind));
  out["what"] = seen.what;
  out["bytes"] = fs::file_size(path);
  out["advice"] =
      "to run it as a model, write its tensors as safetensors by this command, in a Python that has torch "
      "and safetensors";
  out["command"] = k_convert_pytorch;
  try {
    const ArrayList list = list_arrays(path);
    const Json values = parse_json(list.values, {path + ": its values"});
    out["metadata"] = values.is_object() ? values : Json{{"value", values}};
    add_arrays(list, out);
  } catch (const torch::PickleRefusal& refusal) {
    out["refused"] = refusal.what();
    out["advice"] =
        "where it is trusted, write its tensors as safetensors by this command, in a Python that has torch "
        "and safetensors";
  }
  return out;
}

// The number with the fewest digits that reads back as the same 16-bit one.
template <class Half>
double shortest_half(double value, Half (*rounded)(float)) {
  constexpr int k_most_digits = 9;  // of any float
  const auto same = [&](double x) {
    return to_float(rounded(static_cast<float>(x))) == to_float(rounded(static_cast<float>(value)));
  };
  for (int digits = 0; digits < k_most_digits; ++digits) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, digits);
    if (const auto shorter = parse_number({text, end.ptr}); shorter && same(*shorter)) return *shorter;
  }
  return value;
}

// The number with the fewest digits that reads back as the same number of that type: 0.1f is 0.1, not
// 0.10000000149011612.
double shortest(double value, DType dtype) {
  if (dtype == DType::f32) return parse_number(number_text(static_cast<float>(value))).value_or(value);
  if (dtype == DType::bf16) return shortest_half(value, to_bf16);
  if (dtype == DType::f16) return shortest_half(value, to_f16);
  return value;
}

}  // namespace

std::string size_text(uint64_t bytes) {
  const char* units[] = {"bytes", "kB", "MB", "GB", "TB"};
  double size = static_cast<double>(bytes);
  size_t unit = 0;
  while (size >= 999.95 && unit + 1 < std::size(units)) {
    size /= 1000;
    ++unit;
  }
  if (unit == 0) return join(bytes, bytes == 1 ? " byte" : " bytes");
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %s", size, units[unit]);
  return text;
}

Json describe(const std::string& path) {
  const RecognizedFile seen = recognize(fs::path(path));
  switch (seen.kind) {
    case FileKind::safetensors:
    case FileKind::npy:
    case FileKind::npz:
    case FileKind::gguf:
      return describe_arrays_file(path, seen.kind);
    case FileKind::pytorch:
    case FileKind::pytorch_old:
      return describe_torch(path, seen);
    case FileKind::folder:
      return describe_folder(path);
    case FileKind::binary:  // damaged, or nothing known: its reader says where
      if (path.ends_with(".safetensors") || path.ends_with(".npy") || path.ends_with(".npz") ||
          path.ends_with(".gguf"))
        list_arrays(path);
      [[fallthrough]];
    default:
      return describe_other(path, seen);
  }
}

Json describe_arrays(const std::string& path, const std::string& pattern) {
  Json out = Json::array();
  const auto wanted = [&](const std::string& array) { return array == pattern || matches(pattern, array); };
  measure_arrays(path, wanted, [&](const ArrayInfo& array, const ArrayNumbers& numbers) {
    Json json = tensor_json(array);
    if (array.unreadable.empty()) {
      const auto number = [&](long double x) -> Json {
        if (is_floating(array.dtype)) return shortest(static_cast<double>(x), array.dtype);
        return static_cast<int64_t>(x);
      };
      json["least"] = numbers.finite() ? number(numbers.least) : Json();
      json["most"] = numbers.finite() ? number(numbers.most) : Json();
      // Of 16-bit numbers the mean has more digits than they have.
      const DType mean = is_floating(array.dtype) && array.dtype != DType::f64 ? DType::f32 : DType::f64;
      json["mean"] = numbers.finite() ? Json(shortest(numbers.mean, mean)) : Json();
      json["nan"] = numbers.nan;
      json["infinite"] = numbers.infinite;
    }
    out.push_back(std::move(json));
  });
  if (!out.empty()) return out;
  std::string names;
  int left = 5;
  for (const ArrayInfo& array : list_arrays(path).arrays)
    if (left-- > 0) names += (names.empty() ? "" : ", ") + in_quotes(array.name);
  fail_call(path, " holds no array ", in_quotes(pattern),
            names.empty() ? "; it holds none at all" : "; it holds ", names, left < 0 ? ", ..." : "");
}

}  // namespace limpid::command

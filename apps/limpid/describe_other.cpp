// limpid info: files that hold no arrays, and folders.
#include <algorithm>
#include <filesystem>

#include "core/label.h"
#include "core/utf8.h"
#include "limpid/describe_parts.h"
#include "limpid/error.h"
#include "limpid/files.h"
#include "model/foreign.h"

namespace limpid::command {

namespace {

namespace fs = std::filesystem;

// ---- everything else ----------------------------------------------------------------------------------

// What a JSON text is for, by the keys it has.
void say_what_json_is(const std::string& path, Json& out) {
  constexpr uintmax_t k_most = 64 << 20;
  std::error_code none;
  if (fs::file_size(path, none) > k_most || none) return;
  const std::string text = read_file(path);
  const Json json = document(text);
  const std::string first_line = text.substr(0, text.find('\n'));
  const auto says = [&](const char* what, const std::string& advice) {
    out["what"] = what;
    out["advice"] = advice;
  };
  if (json.is_string()) {  // not one document: perhaps one a line
    const Json line = document(first_line);
    if (line.is_object() && line.contains("epoch") && line.contains("loss"))
      return says("the log of a training run", "limpid draw training " + path + " -o training.svg");
    if (line.is_object()) return says("JSON lines", "it holds no arrays");
    return says("a text that begins like JSON", "it holds no arrays");
  }
  if (!json.is_object()) return;
  if (json.contains("epoch") && json.contains("loss"))  // of one epoch
    return says("the log of a training run", "limpid draw training " + path + " -o training.svg");
  if (json.contains("weight_map"))
    return says("the index of a model in several .safetensors files",
                "the folder with these files and config.json is the model: limpid trace \"Life is short\" "
                "--model FOLDER");
  if ((json.contains("model_type") && json["model_type"].is_string()) || json.contains("architectures")) {
    out["what"] = "the configuration of a model of the hub (" +
                  visible_line(json.contains("model_type") && json["model_type"].is_string()
                                   ? json["model_type"].get<std::string>()
                                   : "no model_type") +
                  ")";
    out["advice"] = "its folder is the model: limpid trace \"Life is short\" --model FOLDER";
  } else if (json.contains("network")) {
    says("a recipe of limpid's", "limpid train " + path);
  } else if (json.contains("kind") && (json.contains("merges") || json.contains("words") ||
                                       json.contains("characters") || json["kind"] == "bytes")) {
    says("a tokenizer of limpid's", "give it as --tokenizer " + path);
  } else if (json.contains("model") && json.contains("added_tokens")) {
    says("a tokenizer of the hub (tokenizer.json)", "give it as --tokenizer " + path);
  }
}

bool is_vocabulary(const std::string& path) { return fs::path(path).filename() == "vocab.txt"; }

constexpr const char* k_vocabulary = "a vocabulary of a tokenizer, a token a line";

void count_text(const std::string& path, Json& out) {
  const std::string text = read_file(path);
  int64_t characters = 0;
  for (size_t at = 0; at < text.size(); at += character_at(text, at).size) ++characters;
  out["characters"] = characters;
  out["lines"] = std::count(text.begin(), text.end(), '\n') + (!text.empty() && text.back() != '\n');
  if (is_vocabulary(path)) {
    out["what"] = k_vocabulary;
    out["advice"] = "give it as --tokenizer " + path;
  }
  const bool table = path.ends_with(".csv") || path.ends_with(".tsv");
  if (!table) return;
  try {
    const CsvNumbers numbers = read_csv(path);
    out["what"] = "a table of numbers";
    out["rows"] = numbers.values.shape()[0].size;
    out["columns"] = numbers.values.shape()[1].size;
    out["named_columns"] = !numbers.columns.empty();
    out["named_rows"] = !numbers.labels.empty();
    out["advice"] = "its rows as input vectors: limpid trace --vectors " + path;
  } catch (const Error& error) {
    out["what"] = "a table";
    out["advice"] = std::string("not of numbers alone: ") + error.what();
  }
}

}  // namespace

Json describe_other(const std::string& path, const RecognizedFile& seen) {
  Json out;
  out["kind"] = std::string(name(seen.kind));
  out["what"] = seen.what;
  out["bytes"] = fs::file_size(path);
  out["advice"] = seen.advice;
  if (seen.kind == FileKind::pickle) {
    out["advice"] =
        "limpid reads pickles only where torch.save wrote them; where it is trusted, its tensors are written "
        "as safetensors by "
        "this command, in a Python that has torch and safetensors";
    out["command"] = k_convert_pytorch;
  }
  if (seen.kind == FileKind::json) say_what_json_is(path, out);
  if (seen.kind == FileKind::text) count_text(path, out);
  return out;
}

namespace {

// ---- folders --------------------------------------------------------------------------------------------

// One line about a file of a folder.
std::string in_a_line(const std::string& path) {
  try {
    const RecognizedFile seen = recognize(fs::path(path));
    if (seen.kind == FileKind::text && is_vocabulary(path)) return k_vocabulary;
    if (seen.kind != FileKind::safetensors && seen.kind != FileKind::json) return seen.what;
    if (seen.kind == FileKind::json) {
      Json json = {{"what", seen.what}};
      say_what_json_is(path, json);
      return json["what"];
    }
    const SafetensorsInfo info = inspect_safetensors(path);
    if (info.metadata.count(k_model_key)) return "a model of limpid's";
    if (info.metadata.count(k_checkpoint_key)) return "a checkpoint of a training run";
    if (info.metadata.count(k_trace_key)) return "a trace";
    return join("a safetensors file, ", info.entries.size(),
                info.entries.size() == 1 ? " tensor" : " tensors");
  } catch (const Error& error) {
    return error.what();
  }
}

// What a model of the hub is for, by the class that its config.json names: a command; else "".
std::string task_of(const fs::path& folder) {
  if (fs::exists(folder / "modules.json")) return "embed \"Life is short\" \"Art is long\"";
  const Json config = document(read_file(folder / "config.json"));
  if (!config.is_object() || !config.contains("architectures") || !config["architectures"].is_array())
    return "";
  const Json& all = config["architectures"];
  const std::string name = all.empty() || !all[0].is_string() ? "" : all[0].get<std::string>();
  constexpr std::pair<std::string_view, const char*> k_tasks[] = {
      {"ForCausalLM", "generate \"Life is short\""},
      {"LMHeadModel", "generate \"Life is short\""},
      {"ForMaskedLM", "fill \"Life is [MASK].\""},
      {"ForSequenceClassification", "classify \"Life is short\""},
      {"ForTokenClassification", "classify \"Life is short\""},
      {"ForImageClassification", "classify IMAGE.jpg"},
      {"ForConditionalGeneration", "translate \"Life is short\""},
      {"MTModel", "translate \"Life is short\""}};
  for (const auto& [ending, command] : k_tasks)
    if (name.ends_with(ending)) return command;
  return "";
}

std::string advice_for_model(const fs::path& folder) {
  const std::string task = task_of(folder), model = " --model " + folder.string();
  if (task.find("IMAGE") != task.npos) return "limpid " + task + model;
  return "limpid trace \"Life is short\"" + model + (task.empty() ? "" : "; limpid " + task + model);
}

// What people ask of a network first: how many layers and heads it has, and how wide it is.
Json sizes_of(const Architecture& a) {
  Json out = {{"family", a.family}, {"layers", a.stack.layers}};
  if (a.encoder) out["encoder_layers"] = a.encoder->stack.layers;
  if (!a.stack.blocks.empty()) {
    const BlockOptions& block = a.stack.blocks[0];
    out["heads"] = block.attention.heads;
    if (block.attention.kv_heads > 0 && block.attention.kv_heads != block.attention.heads)
      out["key_value_heads"] = block.attention.kv_heads;
    out["width"] = a.inputs.width;
    out["feed_forward"] = block.feed_forward.width;
    if (block.feed_forward.experts) out["experts"] = block.feed_forward.experts->count;
  }
  if (a.inputs.vocabulary > 0) out["vocabulary"] = a.inputs.vocabulary;
  if (context_of(a) < INT64_MAX) out["context"] = context_of(a);
  return out;
}

// Adds "network", or why limpid runs none of this folder.
void say_network(const std::string& folder, Json& out) {
  try {
    out["network"] = sizes_of(hub_network(folder));
  } catch (const Error& error) {
    out["not_run"] = error.what();
  }
}

std::string advice_for_folder(const fs::path& folder, const Json& files) {
  const auto holds = [&](const char* file) {
    return std::any_of(files.begin(), files.end(), [&](const Json& each) { return each["name"] == file; });
  };
  const bool weights = holds("model.safetensors") || holds("model.safetensors.index.json") ||
                       holds("pytorch_model.bin") || holds("pytorch_model.bin.index.json");
  if (holds("config.json") && weights) return advice_for_model(folder);
  if (holds("model.safetensors")) {
    const std::string model = (folder / "model.safetensors").string();
    return holds("checkpoint.safetensors") ? "limpid trace \"Life is short\" --model " + model
                                           : "limpid info " + model;
  }
  if (holds("checkpoint.safetensors"))
    return "a training run that is not done; go on with its recipe and --resume";
  if (holds("model.safetensors.index.json")) return "the parts of a model, without its config.json";
  if (holds("pytorch_model.bin")) return "limpid info " + (folder / "pytorch_model.bin").string();
  return files.empty() ? "" : "give one of its files";
}

}  // namespace

Json describe_folder(const std::string& path) {
  constexpr size_t k_most = 1000;  // files that are looked into
  std::vector<fs::path> entries;
  std::error_code error;
  for (auto at = fs::directory_iterator(path, error); !error && at != fs::directory_iterator();
       at.increment(error))
    entries.push_back(at->path());
  if (error) fail_work("cannot read ", path, ": ", error.message());
  std::sort(entries.begin(), entries.end());
  Json files = Json::array();
  for (const fs::path& entry : entries) {
    if (files.size() == k_most) break;
    std::error_code none;
    Json file = {{"name", visible_line(entry.filename().string())}};
    if (fs::is_directory(entry, none)) {
      file["what"] = "a folder";
    } else if (fs::is_regular_file(entry, none)) {
      file["bytes"] = fs::file_size(entry, none);
      file["what"] = in_a_line(entry.string());
    } else {
      file["what"] = "neither a file nor a folder";
    }
    files.push_back(std::move(file));
  }
  Json out;
  out["kind"] = "folder";
  const auto holds = [&](const char* file) { return fs::exists(fs::path(path) / file); };
  out["what"] = holds("log.jsonl") || holds("checkpoint.safetensors") ? "the folder of a training run"
                : holds("config.json")                                ? "a model's folder, as on the hub"
                : files.empty()                                       ? "an empty folder"
                                                                      : "a folder";
  if (holds("config.json")) say_network(path, out);
  out["entries"] = entries.size();
  out["files"] = files;
  out["advice"] = advice_for_folder(path, files);
  return out;
}

}  // namespace limpid::command

// What a folder says of sentences, as sentence-transformers writes it: modules.json lists what a text goes
// through (the network, a pooling, a scaling to length 1), N_Pooling/config.json says which pooling,
// sentence_bert_config.json how long a text may be.
#include <filesystem>

#include "core/json.h"
#include "core/label.h"
#include "files/place.h"
#include "limpid/files.h"
#include "model/foreign.h"

namespace limpid {

namespace {

namespace fs = std::filesystem;

constexpr std::pair<Pooling, std::string_view> k_poolings[] = {
    {Pooling::mean, "mean"}, {Pooling::cls, "cls"}, {Pooling::max, "max"}, {Pooling::last, "last"}};

// Their names in a pooling's configuration: a flag each, or in newer files a word.
constexpr std::pair<const char*, std::optional<Pooling>> k_flags[] = {
    {"pooling_mode_mean_tokens", Pooling::mean},         {"pooling_mode_cls_token", Pooling::cls},
    {"pooling_mode_max_tokens", Pooling::max},           {"pooling_mode_lasttoken", Pooling::last},
    {"pooling_mode_mean_sqrt_len_tokens", std::nullopt}, {"pooling_mode_weightedmean_tokens", std::nullopt}};

Json read_json(const fs::path& path) { return parse_json(read_file(path), {path.string()}); }

std::optional<Pooling> pooling_called(std::string_view word) {
  if (word == "lasttoken") return Pooling::last;
  for (const auto& [pooling, name] : k_poolings)
    if (name == word) return pooling;
  return std::nullopt;
}

Pooling pooling_in(const fs::path& path) {
  const JsonSource source{path.string()};
  const Json document = read_json(path);
  const JsonValue config(document, source);
  config.require_object();
  if (config.has("pooling_mode")) {
    const JsonValue mode = config.at("pooling_mode");
    if (const auto known = pooling_called(mode.text())) return *known;
    mode.unexpected("mean, cls, max or lasttoken");
  }
  std::vector<std::string> chosen;
  std::optional<Pooling> pooling;
  for (const auto& [key, means] : k_flags) {
    if (!config.has(key) || !config.at(key).boolean()) continue;
    chosen.push_back(key);
    pooling = means;
  }
  if (chosen.size() != 1)
    source.fail(chosen.size(), " poolings are chosen, expected one of mean, cls, max, last");
  if (!pooling)
    source.fail("it chooses ", chosen[0], ", which limpid does not have; it has mean, cls, max, last");
  return *pooling;
}

// "sentence_transformers.models.Pooling" -> "Pooling"
std::string last_word(const std::string& type) { return type.substr(type.rfind('.') + 1); }

// A folder inside the model's.
fs::path inside(const fs::path& folder, const JsonValue& module) {
  const fs::path given = module.has("path") ? module.at("path").text() : "";
  for (const fs::path& part : given)
    if (part == ".." || given.is_absolute()) module.at("path").unexpected("a folder beside modules.json");
  return folder / given;
}

void read_modules(const fs::path& folder, ModelTasks& tasks) {
  const JsonSource source{(folder / "modules.json").string()};
  const Json document = read_json(folder / "modules.json");
  JsonValue(document, source).each_item([&](const JsonValue& module) {
    const std::string type = last_word(module.at("type").text());
    if (type == "Pooling")
      tasks.pooling = pooling_in(inside(folder, module) / "config.json");
    else if (type == "Normalize")
      tasks.normalize = true;
    else if (type != "Transformer")
      module.at("type").unexpected("Transformer, Pooling or Normalize, which limpid has");
  });
}

}  // namespace

std::string_view name(Pooling pooling) {
  for (const auto& [each, word] : k_poolings)
    if (each == pooling) return word;
  return "";
}

Pooling pooling_named(std::string_view word) {
  for (const auto& [each, name] : k_poolings)
    if (name == word) return each;
  fail_call("pooling is ", in_quotes(word), ", expected mean, cls, max or last");
}

void read_pooling(const std::string& folder, ModelTasks& tasks) {
  const fs::path path(folder);
  try {
    if (is_file(path / "modules.json")) read_modules(path, tasks);
    if (const fs::path said = path / "sentence_bert_config.json"; is_file(said)) {
      const JsonSource source{said.string()};
      const Json document = read_json(said);
      const JsonValue config(document, source);
      if (config.has("max_seq_length") && !config.at("max_seq_length").json().is_null())
        tasks.longest_text = config.at("max_seq_length").integer(1, INT32_MAX);
    }
  } catch (const Error& error) {
    tasks.pooling_problem = error.what();
  }
}

}  // namespace limpid

// A folder of the hub: config.json, the tensors, the tokenizer.
#include <filesystem>

#include "core/json.h"
#include "limpid/files.h"
#include "model/families/tensors.h"
#include "model/foreign.h"

namespace limpid {

namespace {

namespace fs = std::filesystem;

// Whether a file that a tokenizer comes in lies there: a model may well come without.
bool holds_tokenizer(const std::string& path) {
  std::error_code none;
  for (const char* name : {"tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
                           "spm.model", "vocab.json", "encoder.json", "vocab.txt"})
    if (fs::exists(fs::path(path) / name, none)) return true;
  return false;
}

}  // namespace

bool is_hub_folder(const std::string& path) {
  std::error_code none;
  return fs::is_directory(path, none) && fs::exists(fs::path(path) / "config.json", none);
}

ForeignModel read_hub_folder(const std::string& path) {
  const std::string config_path = (fs::path(path) / "config.json").string();
  const JsonSource source{config_path};
  const Json document = parse_json(read_file(config_path), source);
  const HubConfig config(JsonValue(document, source), config_path);
  const Family& family = family_of(config);
  Architecture a = family.architecture(config);
  a.family = family.name;
  const std::unique_ptr<TensorSource> file = open_tensors(path);
  ForeignModel model;
  model.parameters = parameters_of(a, family.tensors(config, a), *file, config_path);
  model.config = std::move(a);
  if (holds_tokenizer(path)) model.tokenizer = load_tokenizer(path);
  model.title = fs::path(path).lexically_normal().filename().string();
  if (model.title.empty()) model.title = fs::path(path).lexically_normal().parent_path().filename().string();
  return model;
}

}  // namespace limpid

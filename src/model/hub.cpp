// A folder of the hub: config.json, the tensors, the tokenizer.
#include <algorithm>
#include <filesystem>

#include "core/json.h"
#include "core/label.h"
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

// A class of somebody's own: the tensors say which of the library's it is like.  Whether they had to.
bool take_by_tensors(const Family& family, const TensorSource& file, HubConfig& config,
                     std::vector<std::string>& notes) {
  if (config.has_known_architecture() || !family.architecture_by_tensors) return false;
  const std::string like = family.architecture_by_tensors(file.names());
  if (like.empty()) return false;
  const std::string said = config.architecture();
  notes.push_back(join(said.empty() ? "its config.json names no architecture"
                                    : join("its config.json names the architecture ", in_quotes(said),
                                           ", which limpid does not know"),
                       "; it is read as ", like, ", whose tensors it holds"));
  config.take_for(like);
  return true;
}

std::string note_on_other_heads(const std::vector<std::string>& left) {
  constexpr size_t k_named = 3;
  std::string names;
  for (size_t i = 0; i < std::min(left.size(), k_named); ++i) names += (i ? ", " : "") + in_quotes(left[i]);
  return join(left.size(), left.size() == 1 ? " tensor" : " tensors", " of other heads left out: ", names,
              left.size() > k_named ? ", ..." : "");
}

// A classifier's classes, and whether they exclude each other.
void read_tasks(const HubConfig& config, const Architecture& a, ModelTasks& tasks) {
  if (a.head.kind != Head::classes && a.head.kind != Head::token_classes) return;
  if (config.word("problem_type", "") == "regression") return;  // its outputs are numbers
  tasks.classes = config.class_names(a.head.outputs);
  tasks.independent_classes =
      a.head.outputs == 1 || config.word("problem_type", "") == "multi_label_classification";
}

}  // namespace

bool is_hub_folder(const std::string& path) {
  std::error_code none;
  return fs::is_directory(path, none) && fs::exists(fs::path(path) / "config.json", none);
}

ForeignModel read_hub_folder(const std::string& path, Weights weights) {
  const std::string config_path = (fs::path(path) / "config.json").string();
  const JsonSource source{config_path};
  const Json document = parse_json(read_file(config_path), source);
  HubConfig config(JsonValue(document, source), config_path);
  const Family& family = family_of(config);
  const std::unique_ptr<TensorSource> file = open_tensors(path);
  ForeignModel model;
  const bool guessed = take_by_tensors(family, *file, config, model.notes);
  Architecture a = family.architecture(config);
  a.family = family.name;
  std::vector<std::string> left;
  model.parameters =
      parameters_of(a, family.tensors(config, a), *file, config_path, guessed ? &left : nullptr,
                    weights == Weights::f32 ? nullptr : &model.stored);
  if (!left.empty()) model.notes.push_back(note_on_other_heads(left));
  read_tasks(config, a, model.tasks);
  read_pooling(path, model.tasks);
  model.config = std::move(a);
  if (holds_tokenizer(path)) model.tokenizer = load_tokenizer(path);
  model.title = fs::path(path).lexically_normal().filename().string();
  if (model.title.empty()) model.title = fs::path(path).lexically_normal().parent_path().filename().string();
  return model;
}

}  // namespace limpid

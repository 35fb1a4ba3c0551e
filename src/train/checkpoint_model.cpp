// What a run's checkpoint says to others than the run itself, without its data: how far it is, and its model.
#include "core/json.h"
#include "limpid/files.h"
#include "limpid/train.h"

namespace limpid {

namespace {

constexpr const char* k_checkpoint_document = "limpid.checkpoint";

Json document_of(const std::map<std::string, std::string>& metadata, const JsonSource& source) {
  const auto found = metadata.find(k_checkpoint_document);
  if (found == metadata.end()) fail_work(source.name, ", it is not one of a training run");
  return parse_json(found->second, source);
}

JsonSource source_of(const std::string& path) { return {path + ": the checkpoint cannot be read"}; }

}  // namespace

RunProgress checkpoint_progress(const std::string& path) {
  const JsonSource source = source_of(path);
  const Json document = document_of(inspect_safetensors(path).metadata, source);
  const JsonValue json(document, source);
  return {json.at("step").integer(0, k_json_most_count),
          json.at("recipe").at("steps").integer(0, k_json_most_count)};
}

Model checkpoint_model(const std::string& path) {
  TensorFile file = read_safetensors(path);
  const JsonSource source = source_of(path);
  const Json document = document_of(file.metadata, source);
  const JsonValue json(document, source);
  const Recipe recipe = recipe_from_json(json.at("recipe").json().dump());
  std::shared_ptr<const Tokenizer> tokenizer;
  if (json.has("tokenizer")) tokenizer = tokenizer_from_json(json.at("tokenizer").json().dump());
  Model model = Model::fresh(recipe.network, std::move(tokenizer), recipe.seed);
  const std::string prefix = recipe.average > 0 ? "averaged/" : "parameters/";
  for (auto& [name, tensor] : model.parameters()) {
    const auto found = file.tensors.find(prefix + name);
    if (found == file.tensors.end()) fail_work(path, ": the checkpoint lacks '", prefix, name, "'");
    if (!found->second.shape().same_sizes(tensor.shape()))
      fail_work(path, ": '", prefix, name, "' is ", found->second.shape().text(), ", expected ",
                tensor.shape().text());
    const Shape shape = tensor.shape();
    tensor = std::move(found->second);
    tensor.reshape(shape);
  }
  const std::string title = recipe.title.empty() ? join("trained model, seed ", recipe.seed) : recipe.title;
  model.set_title(join(title, ", after step ", json.at("step").integer(0, k_json_most_count)));
  return model;
}

}  // namespace limpid

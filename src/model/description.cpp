#include "model/description.h"

#include "core/json.h"

namespace limpid {

ModelDescription describe_model(const std::string& text, const std::string& path) {
  const JsonSource source{path + ": its description of the model cannot be read"};
  const Json document = parse_json(text, source);
  const JsonValue json(document, source);
  const int64_t schema = json.at("schema").integer(1);
  if (schema > k_model_schema)
    fail_work(path, ": written by a newer limpid (schema ", schema, ", this one reads up to ", k_model_schema,
              ")");
  ModelDescription file;
  file.title = json.has("title") ? json.at("title").text() : path;
  try {
    file.config = network_from_json(json.at("network").json().dump());
    if (json.has("tokenizer")) file.tokenizer = tokenizer_from_json(json.at("tokenizer").json().dump());
  } catch (const Error& error) {
    fail_work(path, ": ", error.what());
  }
  return file;
}

void check_layers(const NetworkConfig& config, size_t tensors, const std::string& path) {
  if (const auto* parts = std::get_if<Architecture>(&config); parts && parts->stack.shared) return;
  if (layers_of(config) > static_cast<int64_t>(tensors))
    fail_work(path, ": its network has ", layers_of(config), " layers, but the file holds only ", tensors,
              " tensors");
}

}  // namespace limpid

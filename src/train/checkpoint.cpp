// Everything that a run needs to go on, as a file.
#include <cmath>

#include "core/json.h"
#include "limpid/files.h"
#include "train/head_kinds.h"
#include "train/start.h"
#include "train/trainer_impl.h"

namespace limpid {

namespace {

constexpr const char* k_key = "limpid.checkpoint";

nlohmann::ordered_json epoch_json(const Epoch& e) { return nlohmann::ordered_json::parse(to_json(e)); }

Epoch epoch_of(const JsonValue& json) {
  Epoch e;
  e.number = json.at("epoch").integer(0, k_json_most_count);
  e.step = json.at("step").integer(0, k_json_most_count);
  e.loss = json.at("loss").real();
  e.accuracy = json.at("accuracy").real();
  if (json.has("validation")) e.validation = json.at("validation").real();
  if (json.has("metrics"))
    json.at("metrics").each_entry(
        [&](const std::string& name, const JsonValue& value) { e.metrics[name] = value.real(); });
  e.tokens_per_second = json.at("tokens_per_second").real();
  e.seconds = json.at("seconds").real();
  e.learning_rate = json.at("learning_rate").real();
  e.best = json.at("best").boolean();
  e.observation = json.at("observation").text();
  if (json.has("heads")) e.heads = heads_from(json.at("heads"));
  return e;
}

void take(TensorFile& file, const std::string& prefix, std::map<std::string, Tensor>& into,
          const std::string& path) {
  for (auto& [name, tensor] : into) {
    const auto found = file.tensors.find(prefix + name);
    if (found == file.tensors.end()) fail_work(path, ": the checkpoint lacks '", prefix, name, "'");
    if (!found->second.shape().same_sizes(tensor.shape()) || found->second.dtype() != DType::f32)
      fail_work(path, ": '", prefix, name, "' is ", found->second.shape().text(), ", expected f32 ",
                tensor.shape().text());
    const Shape shape = tensor.shape();
    tensor = std::move(found->second);
    tensor.reshape(shape);
  }
}

}  // namespace

void Trainer::save(const std::string& path) const {
  const Impl& t = *impl_;
  nlohmann::ordered_json json = {{"schema", 3},
                                 {"recipe", nlohmann::ordered_json::parse(to_json(t.recipe))},
                                 {"data", t.data->digest()},
                                 {"from_model", t.from_model},
                                 {"step", t.done},
                                 {"epoch_loss", t.epoch_loss},
                                 {"epoch_steps", t.epoch_steps},
                                 {"epoch_tokens", t.epoch_tokens},
                                 {"seconds", t.earlier_seconds},
                                 {"history", nlohmann::ordered_json::array()}};
  if (t.model.tokenizer()) json["tokenizer"] = nlohmann::ordered_json::parse(t.model.tokenizer()->to_json());
  if (std::isfinite(t.best)) json["best"] = t.best;
  for (const Epoch& e : t.history) json["history"].push_back(epoch_json(e));
  std::map<std::string, ConstView> tensors;
  for (const auto& [name, tensor] : t.model.parameters()) tensors["parameters/" + name] = tensor;
  for (const auto& [name, tensor] : t.best_parameters) tensors["best/" + name] = tensor;
  for (const auto& [name, tensor] : t.averaged) tensors["averaged/" + name] = tensor;
  for (const auto& [prefix, state] : t.update->state())
    for (const auto& [name, tensor] : *state) tensors[prefix + name] = tensor;
  write_safetensors(path, tensors, {{k_key, json.dump()}});
}

Trainer::Trainer(const std::string& path, const TrainingData& data, const Model* base) {
  TensorFile file = read_safetensors(path);
  if (!file.metadata.count(k_key)) fail_work(path, ": not a checkpoint of a training run");
  const JsonSource source{path + ": the checkpoint cannot be read"};
  const Json document = parse_json(file.metadata.at(k_key), source);
  const JsonValue json(document, source);
  if (const int64_t schema = json.at("schema").integer(1); schema != 3)
    fail_work(path, ": the checkpoint is of another version of limpid (schema ", schema,
              ", expected 3); begin again in another folder");
  const Recipe recipe = recipe_from_json(json.at("recipe").json().dump());
  if (json.at("from_model").boolean() != (base != nullptr))
    fail_call(path, ": this run began ", base ? "without a model" : "from a model", "; ",
              base ? "leave it out" : "give the same one");
  Given given;
  if (base) given = given_by(*base);
  if (json.has("tokenizer")) given.tokenizer = tokenizer_from_json(json.at("tokenizer").json().dump());
  impl_ = std::make_unique<Impl>(prepare(recipe, data, given), base);
  Impl& t = *impl_;
  const Json& digest = json.at("data").json();
  if (!digest.is_number_unsigned()) json.at("data").unexpected("the digest of the data");
  if (digest.get<uint64_t>() != t.data->digest())
    fail_call(path, ": this run was learning from other data; give the same");
  t.done = json.at("step").integer(0, k_json_most_count);
  t.update->set_steps(t.done);
  t.epoch_loss = json.at("epoch_loss").real();
  t.epoch_steps = json.at("epoch_steps").integer(0, k_json_most_count);
  t.epoch_tokens = json.at("epoch_tokens").integer(0, k_json_most_count);
  t.earlier_seconds = json.at("seconds").real();
  if (json.has("best")) t.best = json.at("best").real();
  json.at("history").each_item([&](const JsonValue& epoch) { t.history.push_back(epoch_of(epoch)); });
  take(file, "parameters/", t.model.parameters(), path);
  take(file, "best/", t.best_parameters, path);
  take(file, "averaged/", t.averaged, path);
  for (const auto& [prefix, state] : t.update->state()) take(file, prefix, *state, path);
}

}  // namespace limpid

// A folder of the hub: config.json, the tensors, the tokenizer.
#include <filesystem>

#include "limpid/files.h"
#include "model/families/tensors.h"
#include "model/hub.h"

namespace limpid {

namespace {

namespace fs = std::filesystem;

class SafetensorsFile final : public NamedTensors {
 public:
  explicit SafetensorsFile(const fs::path& path) : reader_(path), path_(path.string()) {}
  std::vector<std::string> names() const override {
    std::vector<std::string> out;
    for (const auto& entry : reader_.info().entries) out.push_back(entry.name);
    return out;
  }
  bool has(const std::string& name) const override { return reader_.info().find(name) != nullptr; }
  Shape shape(const std::string& name) const override { return reader_.info().find(name)->shape; }
  Tensor read(const std::string& name) const override { return reader_.read(name); }
  std::string path() const override { return path_; }

 private:
  SafetensorsReader reader_;
  std::string path_;
};

}  // namespace

bool is_hub_folder(const std::string& path) {
  std::error_code none;
  return fs::is_directory(path, none) && fs::exists(fs::path(path) / "config.json", none);
}

HubModel read_hub_folder(const std::string& path) {
  const std::string config_path = (fs::path(path) / "config.json").string();
  const JsonSource source{config_path};
  const Json document = parse_json(read_file(config_path), source);
  const HubConfig config(JsonValue(document, source), config_path);
  const Family& family = family_of(config);
  HubModel model;
  model.architecture = family.architecture(config);
  model.architecture.family = family.name;
  const SafetensorsFile file(fs::path(path) / "model.safetensors");
  // Before anything of its size is made: as many layers as the file can hold.
  if (model.architecture.stack.layers > static_cast<int64_t>(file.names().size()) &&
      !model.architecture.stack.shared)
    fail_work(config_path, ": the network has ", model.architecture.stack.layers, " layers, but ",
              file.path(), " holds only ", file.names().size(), " tensors");
  Graph graph(operations());
  try {
    build(graph, model.architecture);
  } catch (const Error& error) {
    fail_work(config_path, ": ", error.what());
  }
  model.parameters = parameters_of(graph, family.tensors(config, model.architecture), file);
  return model;
}

}  // namespace limpid

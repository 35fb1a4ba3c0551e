// Model files: one .safetensors with the parameters by name, and in __metadata__ "limpid.model" the rest as
// JSON.
#include "core/json.h"
#include "limpid/files.h"
#include "limpid/version.h"
#include "model/description.h"
#include "model/impl.h"

extern "C" {
extern const char limpid_builtin_begin[];
extern const char limpid_builtin_end[];
}

// The built-in model's bytes, put into the program by the assembler.
__asm__(
    ".section .rodata\n"
    ".balign 64\n"
    ".global limpid_builtin_begin\n"
    "limpid_builtin_begin:\n"
    ".incbin \"" LIMPID_BUILTIN_FILE
    "\"\n"
    ".global limpid_builtin_end\n"
    "limpid_builtin_end:\n"
    ".byte 0\n"
    ".previous\n");

namespace limpid {

void Model::save(const std::string& path, DType dtype) const {
  nlohmann::ordered_json json = {{"schema", k_model_schema},
                                 {"engine", k_version},
                                 {"title", impl_->title},
                                 {"network", nlohmann::ordered_json::parse(to_json(impl_->config))}};
  if (impl_->tokenizer) json["tokenizer"] = nlohmann::ordered_json::parse(impl_->tokenizer->to_json());
  TensorFile file;
  for (const auto& [name, tensor] : impl_->parameters) file.tensors[name] = tensor.to(dtype);
  file.metadata[k_model_key] = json.dump();
  write_safetensors(path, file);
}

namespace {

std::string first_names(const TensorFile& file) {
  std::string names;
  int left = 3;
  for (const auto& [name, tensor] : file.tensors)
    if (left-- > 0) names += (names.empty() ? "'" : ", '") + name + "'";
  return names.empty() ? "no tensors" : names;
}

}  // namespace

Model Model::load(const std::string& path) { return from_file(read_safetensors(path), path); }

Model Model::builtin() {
  const Bytes bytes = bytes_of(
      std::string_view(limpid_builtin_begin, static_cast<size_t>(limpid_builtin_end - limpid_builtin_begin)));
  return from_file(read_safetensors(bytes, "the built-in model"), "the built-in model");
}

Model Model::from_file(TensorFile file, const std::string& path) {
  const auto description = file.metadata.find(k_model_key);
  if (description != file.metadata.end()) {
    ModelDescription described = describe_model(description->second, path);
    check_layers(described.config, file.tensors.size(), path);
    auto impl = std::make_unique<Impl>(described.config, described.tokenizer, described.title);
    set_parameters(*impl->graph, impl->parameters, std::move(file.tensors), path);
    return Model(std::move(impl));
  }
  if (is_mingpt(file.tensors, file.metadata)) {
    const GptConfig config = mingpt_config(file.metadata.at("config"), path);
    check_layers(config, file.tensors.size(), path);
    auto impl = std::make_unique<Impl>(config, nullptr, path);
    set_parameters(*impl->graph, impl->parameters, mingpt_parameters(file.tensors, config, path), path);
    return Model(std::move(impl));
  }
  fail_work(path, ": not a model that limpid reads (no \"", k_model_key,
            "\" in its metadata, no minGPT names; it holds ", first_names(file), "); see `limpid info ", path,
            "`");
}

}  // namespace limpid

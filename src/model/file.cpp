// Model files: one .safetensors with the parameters by name, and in __metadata__ "limpid.model" the rest as
// JSON.
#include <filesystem>

#include "core/json.h"
#include "files/recognize.h"
#include "limpid/files.h"
#include "limpid/version.h"
#include "model/description.h"
#include "model/hub.h"
#include "model/impl.h"
#include "text/padded.h"

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

// What the path is, with a word on what to give instead of a folder.
TensorFile read_model_file(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code none;
  if (fs::is_directory(path, none)) {
    const fs::path inside = fs::path(path) / "model.safetensors";
    if (fs::exists(inside, none))
      fail_work(path, " is a folder, expected a model file; give ", inside.string());
    fail_work(path, " is a folder without a model.safetensors, expected a model file; `limpid info ", path,
              "` lists what it holds");
  }
  if (recognize(fs::path(path)).kind == FileKind::npz) return {read_npz(path), {}};
  return read_safetensors(path);
}

// A network may be wider than its tokenizer (nanoGPT rounds 50,257 up to 50,304), never narrower.
std::shared_ptr<const Tokenizer> fitting(std::shared_ptr<const Tokenizer> tokenizer, int64_t vocabulary,
                                         const std::string& path) {
  if (!tokenizer || tokenizer->vocabulary() == vocabulary) return tokenizer;
  if (tokenizer->vocabulary() > vocabulary)
    fail_call(path, ": the tokenizer has ", tokenizer->vocabulary(), " tokens, the model ", vocabulary,
              "; give the tokenizer that it was trained with");
  return padded_tokenizer(std::move(tokenizer), vocabulary);
}

std::string first_names(const TensorFile& file) {
  std::string names;
  int left = 3;
  for (const auto& [name, tensor] : file.tensors)
    if (left-- > 0) names += (names.empty() ? "'" : ", '") + name + "'";
  return names.empty() ? "no tensors" : names;
}

}  // namespace

Model Model::load(const std::string& path, const LoadOptions& options) {
  if (is_hub_folder(path)) return from_folder(path, options);
  return from_file(read_model_file(path), path, options);
}

Model Model::from_folder(const std::string& path, const LoadOptions& options) {
  if (options.heads || options.activation)
    fail_call(path, ": its config.json says how many heads and which activation it has; leave ",
              options.heads ? "--heads" : "--activation", " out");
  HubModel hub = read_hub_folder(path);
  auto impl = std::make_unique<Impl>(hub.architecture,
                                     fitting(options.tokenizer, hub.architecture.inputs.vocabulary, path),
                                     std::filesystem::path(path).lexically_normal().filename().string());
  set_parameters(*impl->graph, impl->parameters, std::move(hub.parameters), path);
  if (std::string note = note_on_parameters(impl->parameters); !note.empty())
    impl->notes.push_back(std::move(note));
  return Model(std::move(impl));
}

Model Model::builtin() {
  const Bytes bytes = bytes_of(
      std::string_view(limpid_builtin_begin, static_cast<size_t>(limpid_builtin_end - limpid_builtin_begin)));
  return from_file(read_safetensors(bytes, "the built-in model"), "the built-in model");
}

Model Model::from_file(TensorFile file, const std::string& path, const LoadOptions& options) {
  const auto description = file.metadata.find(k_model_key);
  if (description != file.metadata.end()) {
    ModelDescription described = describe_model(description->second, path);
    check_layers(described.config, file.tensors.size(), path);
    if (options.heads || options.activation)
      fail_call(
          path,
          ": it is a model of limpid's and says itself how many heads and which activation it has; leave ",
          options.heads ? "--heads" : "--activation", " out");
    if (options.tokenizer) described.tokenizer = options.tokenizer;
    if (const auto* gpt = std::get_if<GptConfig>(&described.config))
      described.tokenizer = fitting(described.tokenizer, gpt->vocabulary, path);
    auto impl = std::make_unique<Impl>(described.config, described.tokenizer, described.title);
    set_parameters(*impl->graph, impl->parameters, std::move(file.tensors), path);
    if (std::string note = note_on_parameters(impl->parameters); !note.empty())
      impl->notes.push_back(std::move(note));
    return Model(std::move(impl));
  }
  if (is_mingpt(file.tensors)) {
    const size_t tensors = file.tensors.size();
    ForeignModel foreign = read_mingpt(std::move(file), path, options);
    check_layers(foreign.config, tensors, path);
    auto impl = std::make_unique<Impl>(foreign.config,
                                       fitting(options.tokenizer, foreign.config.vocabulary, path), path);
    set_parameters(*impl->graph, impl->parameters, std::move(foreign.parameters), path);
    impl->notes = std::move(foreign.notes);
    if (std::string note = note_on_parameters(impl->parameters); !note.empty())
      impl->notes.push_back(std::move(note));
    return Model(std::move(impl));
  }
  fail_work(path, ": not a model that limpid reads (no \"", k_model_key,
            "\" in its metadata, no names of minGPT, nanoGPT or GPT-2; it holds ", first_names(file),
            "); see `limpid info ", path, "`");
}

}  // namespace limpid

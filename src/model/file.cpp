// Model files: one .safetensors with the parameters by name, and in __metadata__ "limpid.model" the rest as
// JSON.
#include <algorithm>
#include <filesystem>

#include "core/json.h"
#include "files/place.h"
#include "files/recognize.h"
#include "limpid/files.h"
#include "limpid/version.h"
#include "model/description.h"
#include "model/eight_bits.h"
#include "model/foreign.h"
#include "model/impl.h"
#include "text/padded.h"

namespace limpid {

namespace {

void require_kept_as(DType dtype, BlockType blocks) {
  if (dtype != DType::f32 && dtype != DType::bf16 && dtype != DType::f16)
    fail_call("model: parameters are kept as f32, bf16 or f16, not as ", name(dtype));
  if (blocks != BlockType::none && blocks != BlockType::q8_0)
    fail_call("model: a model file has blocks of Q8_0 or none, not of ", name(blocks));
}

// Those that are kept in such blocks.
std::map<std::string, StorableMatrix> kept_in_blocks(const Graph& graph, BlockType blocks) {
  if (blocks == BlockType::none) return {};
  auto out = storable_parameters(graph);
  std::erase_if(out, [](const auto& matrix) { return !fits_eight_bits(matrix.second); });
  return out;
}

}  // namespace

void Model::round(DType dtype, BlockType blocks) {
  require_kept_as(dtype, blocks);
  const auto in_blocks = kept_in_blocks(*impl_->graph, blocks);
  for (auto& [name, tensor] : parameters()) {
    if (const auto matrix = in_blocks.find(name); matrix != in_blocks.end())
      tensor =
          stored_of(to_eight_bits(tensor, matrix->second), tensor.shape(), matrix->second, name).to_tensor();
    else if (dtype != DType::f32)
      tensor = tensor.to(dtype).to(DType::f32);
  }
}

void Model::save(const std::string& path, DType dtype, BlockType blocks) const {
  require_kept_as(dtype, blocks);
  nlohmann::ordered_json json = {{"schema", k_model_schema},
                                 {"engine", k_version},
                                 {"title", impl_->title},
                                 {"network", nlohmann::ordered_json::parse(to_json(impl_->config))}};
  if (impl_->tokenizer) json["tokenizer"] = nlohmann::ordered_json::parse(impl_->tokenizer->to_json());
  if (impl_->own_source)
    json["source_tokenizer"] = nlohmann::ordered_json::parse(impl_->own_source->to_json());
  if (const nlohmann::ordered_json tasks = tasks_json(impl_->tasks); !tasks.empty()) json["tasks"] = tasks;
  TensorFile file;
  const auto in_blocks = kept_in_blocks(*impl_->graph, blocks);
  const auto add = [&](const std::string& name, const Tensor& tensor) {
    if (const auto matrix = in_blocks.find(name); matrix != in_blocks.end()) {
      EightBits bits = to_eight_bits(tensor, matrix->second);
      file.tensors[name] = std::move(bits.numbers);
      file.tensors[scales_name(name)] = std::move(bits.scales);
    } else {
      file.tensors[name] = tensor.to(dtype);
    }
  };
  for (const auto& [name, tensor] : impl_->parameters) add(name, tensor);
  for (const auto& [name, matrix] : impl_->stored) add(name, matrix.to_tensor());
  file.metadata[k_model_key] = json.dump();
  write_safetensors(path, file);
}

namespace {

// Whether a file lies in a folder of the hub, which is then the model.
bool beside_a_config(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return is_hub_folder(folder.empty() ? "." : folder);
}

// What the path is, with a word on what to give instead of a folder.
TensorFile read_model_file(const std::string& path) {
  namespace fs = std::filesystem;
  if (is_folder(path)) {
    const fs::path inside = fs::path(path) / "model.safetensors";
    if (is_file(inside))
      fail_work(
          path,
          " is a folder without a config.json, so it is no model of the hub; if it is limpid's own, give ",
          inside.string());
    fail_work(path, " is a folder without config.json and model.safetensors, expected a model; `limpid info ",
              path, "` lists what it holds");
  }
  const RecognizedFile seen = recognize(fs::path(path));
  if (seen.kind == FileKind::npz) return {read_npz(path), {}};
  if (seen.kind != FileKind::safetensors && seen.kind != FileKind::binary)
    fail_work(path, " is ", seen.what,
              ", expected a model: a folder of the hub, a .safetensors or .gguf file, ", "or a checkpoint; ",
              beside_a_config(path) ? "give the folder it lies in" : seen.advice);
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

// The tokenizers of what a model reads and of what it writes; of most models the first is none.
struct Tokenizers {
  std::shared_ptr<const Tokenizer> source, target;
};

Tokenizers fitting(Tokenizers own, const NetworkConfig& config, const LoadOptions& options,
                   const std::string& path) {
  if (own.source && options.tokenizer)
    fail_call(
        path,
        ": the model has a tokenizer for what it reads and one for what it writes; leave --tokenizer out");
  if (own.source && !reads_source(config))
    fail_work(path, ": it has a tokenizer for what an encoder reads, but its network has no encoder");
  if (options.tokenizer) own.target = options.tokenizer;
  if (std::holds_alternative<TextbookConfig>(config)) return own;
  return {fitting(std::move(own.source), source_vocabulary_of(config), path),
          fitting(std::move(own.target), vocabulary_of(config), path)};
}

[[noreturn]] void fail_no_model(const std::string& path, FileKind kind,
                                const std::vector<std::string>& names) {
  const char* const wanted = "no names of minGPT, nanoGPT, GPT-2, llama2.c or TransformerLens";
  if (kind == FileKind::pytorch || kind == FileKind::pytorch_old)
    fail_work(path, " is ", recognize(std::filesystem::path(path)).what,
              ", but not a model that limpid reads by itself (it has ", wanted,
              "); give the folder it lies in, with its config.json; see `limpid info ", path, "`");
  std::string first;
  for (size_t i = 0; i < std::min<size_t>(names.size(), 3); ++i) first += (i ? ", '" : "'") + names[i] + "'";
  fail_work(path, ": not a model that limpid reads (no \"", k_model_key, "\" in its metadata, ", wanted,
            "; it holds ", first.empty() ? "no tensors" : first, "); ",
            beside_a_config(path) ? "give the folder it lies in, with its config.json; " : "",
            "see `limpid info ", path, "`");
}

// Every tensor of a state dict, and what the file says beside them.
TensorFile all_of(const TensorSource& source) {
  TensorFile file;
  for (const std::string& name : source.names()) file.tensors[name] = source.read(name);
  file.metadata = source.metadata();
  return file;
}

void refuse_options(const LoadOptions& options, const std::string& path) {
  if (options.heads || options.activation)
    fail_call(path, ": the file says itself how many heads and which activation it has; leave ",
              options.heads ? "--heads" : "--activation", " out");
}

}  // namespace

Model Model::load(const std::string& path, const LoadOptions& options) {
  namespace fs = std::filesystem;
  if (is_hub_folder(path)) {
    refuse_options(options, path);
    return from_foreign(read_hub_folder(path, options.weights), path, options);
  }
  if (is_folder(path)) return from_file(read_model_file(path), path, options);
  const FileKind kind = recognize(fs::path(path)).kind;
  if (kind == FileKind::gguf) {
    refuse_options(options, path);
    return from_foreign(read_gguf(path, options.weights), path, options);
  }
  if (kind == FileKind::binary && is_llama2c_file(path)) {
    refuse_options(options, path);
    return from_foreign(read_llama2c_file(path), path, options);
  }
  const bool checkpoint = kind == FileKind::pytorch || kind == FileKind::pytorch_old;
  if (checkpoint ||
      (kind == FileKind::safetensors && !inspect_safetensors(path).metadata.count(k_model_key))) {
    const std::unique_ptr<TensorSource> source = open_tensors(path);
    if (is_llama2c(source->names())) {
      refuse_options(options, path);
      return from_foreign(read_llama2c(*source), path, options);
    }
    if (is_transformer_lens(source->names()))
      return from_foreign(read_transformer_lens(*source, options), path, options);
    if (!is_mingpt(source->names())) fail_no_model(path, kind, source->names());
    return from_file(all_of(*source), path, options);
  }
  return from_file(read_model_file(path), path, options);
}

Model Model::from_foreign(ForeignModel foreign, const std::string& path, const LoadOptions& options) {
  Tokenizers own =
      fitting(Tokenizers{foreign.source_tokenizer, foreign.tokenizer}, foreign.config, options, path);
  auto impl = std::make_unique<Impl>(foreign.config, std::move(own.target), foreign.title);
  impl->own_source = std::move(own.source);
  impl->stored = std::move(foreign.stored);
  impl->set_parameters(options.weights, std::move(foreign.parameters), path);
  impl->notes = std::move(foreign.notes);
  impl->tasks = std::move(foreign.tasks);
  if (std::string note = note_on_parameters(impl->parameters, impl->stored); !note.empty())
    impl->notes.push_back(std::move(note));
  return Model(std::move(impl));
}

Model Model::read(Bytes bytes, const std::string& name, const LoadOptions& options) {
  const MemoryFiles files({{name, bytes}});
  return load(name, options);
}

Model Model::read(const std::map<std::string, Bytes>& files, const std::string& folder,
                  const LoadOptions& options) {
  std::map<std::string, Bytes> placed;
  for (const auto& [name, bytes] : files) placed[folder + "/" + name] = bytes;
  const MemoryFiles held(std::move(placed));
  return load(folder, options);
}

Model Model::from_file(TensorFile file, const std::string& path, const LoadOptions& options) {
  const auto description = file.metadata.find(k_model_key);
  if (description != file.metadata.end()) {
    ModelDescription described = describe_model(description->second, path);
    check_layers(described.config, file.tensors.size(), path);
    refuse_options(options, path);
    Tokenizers own =
        fitting(Tokenizers{described.source_tokenizer, described.tokenizer}, described.config, options, path);
    auto impl = std::make_unique<Impl>(described.config, std::move(own.target), described.title);
    impl->own_source = std::move(own.source);
    impl->tasks = std::move(described.tasks);
    impl->set_parameters(options.weights, std::move(file.tensors), path);
    if (std::string note = note_on_parameters(impl->parameters, impl->stored); !note.empty())
      impl->notes.push_back(std::move(note));
    return Model(std::move(impl));
  }
  std::vector<std::string> names;
  for (const auto& [name, tensor] : file.tensors) names.push_back(name);
  if (is_mingpt(names)) {
    ForeignModel foreign = read_mingpt(std::move(file), path, options);
    check_layers(foreign.config, names.size(), path);
    return from_foreign(std::move(foreign), path, options);
  }
  fail_no_model(path, FileKind::safetensors, names);
}

}  // namespace limpid

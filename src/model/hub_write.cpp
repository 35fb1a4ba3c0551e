// A model as a folder of the hub, which other programs open.
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "core/json.h"
#include "model/families/writing.h"
#include "model/impl.h"

namespace limpid {

namespace {

namespace fs = std::filesystem;

// A folder that appears whole: written beside its place, then renamed.
class NewFolder {
 public:
  explicit NewFolder(const std::string& path) : path_(path) {
    std::error_code error;
    if (path.empty()) fail_call("the folder's name is empty; give one");
    if (fs::exists(path_, error))
      fail_call(path, " is there already; give a folder that is not, or take it away first");
    if (path_.filename().empty()) path_ = path_.parent_path();
    partial_ = path_;
    partial_ += "." + std::to_string(::getpid()) + ".partial";
    if (!fs::create_directory(partial_, error) || error)
      fail_work("cannot make the folder ", partial_.string(), ": ", error.message());
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    std::error_code none;
    if (!committed_) fs::remove_all(partial_, none);
  }
  fs::path file(const char* name) const { return partial_ / name; }
  void commit() {
    std::error_code error;
    fs::rename(partial_, path_, error);
    if (error) fail_work("cannot make the folder ", path_.string(), ": ", error.message());
    committed_ = true;
  }

 private:
  fs::path path_, partial_;
  bool committed_ = false;
};

Architecture parts_of(const NetworkConfig& config) {
  if (const auto* gpt = std::get_if<GptConfig>(&config)) return architecture_of(*gpt);
  if (const auto* parts = std::get_if<Architecture>(&config)) return *parts;
  fail_call("the textbook's network is of no family of the hub; train one of gpt instead (docs/recipes.md)");
}

const char* torch_type(DType dtype) {
  return dtype == DType::bf16 ? "bfloat16" : dtype == DType::f16 ? "float16" : "float32";
}

// What the library wants to know besides the network.
void add_facts(Json& config, const Model& model, DType dtype) {
  config["dtype"] = config["torch_dtype"] = torch_type(dtype);
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) config[key] = nullptr;
  if (const Tokenizer* tokenizer = model.tokenizer()) {
    const SpecialIds ids = tokenizer->special_ids();
    if (ids.bos) config["bos_token_id"] = *ids.bos;
    if (ids.eos) config["eos_token_id"] = *ids.eos;
    if (ids.pad) config["pad_token_id"] = *ids.pad;
  }
  const std::vector<std::string>& classes = model.tasks().classes;
  for (size_t i = 0; i < classes.size(); ++i) config["id2label"][std::to_string(i)] = classes[i];
  for (size_t i = 0; i < classes.size(); ++i) config["label2id"][classes[i]] = i;
  if (model.tasks().independent_classes && classes.size() > 1)
    config["problem_type"] = "multi_label_classification";
}

// tokenizer_config.json: what the special tokens mean, and how many tokens are read at a time.
Json tokenizer_facts(const Model& model) {
  const Tokenizer& tokenizer = *model.tokenizer();
  Json out = {{"tokenizer_class", "PreTrainedTokenizerFast"}};
  if (const int64_t context = context_of(model.config()); context != INT64_MAX)
    out["model_max_length"] = context;
  const SpecialIds ids = tokenizer.special_ids();
  for (const auto& [key, id] : {std::pair{"bos_token", ids.bos},
                                {"eos_token", ids.eos},
                                {"unk_token", ids.unk},
                                {"sep_token", ids.sep},
                                {"pad_token", ids.pad},
                                {"cls_token", ids.cls},
                                {"mask_token", ids.mask}})
    if (id) out[key] = tokenizer.token_bytes(*id);
  return out;
}

}  // namespace

std::vector<std::string> write_hub_folder(const Model& model, const std::string& path, DType dtype) {
  if (dtype != DType::f32 && dtype != DType::bf16 && dtype != DType::f16)
    fail_call("weights as ", name(dtype), ", expected f32, bf16 or f16");
  WrittenAs as = written_as(parts_of(model.config()));
  std::map<std::string, Tensor> all = hub_tensors(as, [&](const std::string& name) -> std::optional<Tensor> {
    const int id = model.graph().find(name);
    if (id < 0 || model.graph().value(id).kind != Value::Kind::parameter) return std::nullopt;
    return model.parameter(name).to(DType::f32);
  });
  NewFolder folder(path);
  add_facts(as.config, model, dtype);
  write_file_whole(folder.file("config.json"), as.config.dump(2) + "\n");
  TensorFile file;
  for (auto& [name, tensor] : all)
    file.tensors[name] = dtype == DType::f32 ? std::move(tensor) : std::exchange(tensor, Tensor()).to(dtype);
  file.metadata["format"] = "pt";
  write_safetensors(folder.file("model.safetensors"), file);
  std::vector<std::string> notes = {join("written as ", as.config["architectures"][0].get<std::string>())};
  if (const Tokenizer* tokenizer = model.tokenizer()) {
    if (const auto json = hub_tokenizer_json(*tokenizer)) {
      write_file_whole(folder.file("tokenizer.json"), *json);
      write_file_whole(folder.file("tokenizer_config.json"), tokenizer_facts(model).dump(2) + "\n");
    } else {
      notes.push_back(join("its tokenizer, of the kind ", tokenizer->kind(),
                           ", has no form in tokenizer.json, so the folder has none"));
    }
    if (const std::string& chat = model.tasks().chat_template; !chat.empty())
      write_file_whole(folder.file("chat_template.jinja"), chat);
  }
  folder.commit();
  return notes;
}

}  // namespace limpid

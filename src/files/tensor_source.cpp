#include "limpid/tensor_source.h"

#include <cstring>

#include "core/json.h"
#include "core/label.h"
#include "files/mapped_file.h"
#include "files/place.h"
#include "files/recognize.h"
#include "files/tensor_list.h"
#include "limpid/torch_file.h"

namespace limpid {

namespace {

namespace fs = std::filesystem;

// ---- one file ------------------------------------------------------------------------------------

class SafetensorsSource : public TensorList {
 public:
  explicit SafetensorsSource(const fs::path& path)
      : TensorList(path.string()), file_(path), reader_(file_.bytes(), path.string()) {
    for (const auto& entry : reader_.info().entries)
      add({entry.name, entry.dtype, entry.shape, entry.unreadable.empty() ? entry.stored : entry.unreadable,
           entry.unreadable.empty() ? "" : "limpid has no type " + entry.unreadable, path});
    metadata_ = reader_.info().metadata;
  }

 private:
  Tensor read_entry(const Entry& entry) const override { return reader_.read(entry.name); }
  Bytes bytes_of_entry(const SafetensorsInfo::Entry& entry) const {
    return file_.bytes().subspan(static_cast<size_t>(entry.offset), static_cast<size_t>(entry.bytes));
  }

 public:
  std::optional<Rows> rows_of(std::string_view name) const override {
    const SafetensorsInfo::Entry* entry = reader_.info().find(name);
    if (!entry || !entry->unreadable.empty() || !entry->stored.empty() || entry->shape.rank() < 2 ||
        entry->shape.count() == 0 || (entry->dtype != DType::bf16 && entry->dtype != DType::f16))
      return {};
    Rows rows;
    rows.dtype = entry->dtype;
    rows.rows = entry->shape[0].size;
    rows.columns = entry->shape.count() / rows.rows;
    rows.bytes = static_cast<size_t>(rows.columns) * byte_size(entry->dtype);
    return rows;
  }
  void copy_row(std::string_view name, int64_t r, std::byte* to) const override {
    const Bytes all = bytes_of_entry(*reader_.info().find(name));
    const size_t bytes = rows_of(name)->bytes;
    std::memcpy(to, all.data() + static_cast<size_t>(r) * bytes, bytes);
  }
  void forget(std::string_view name) const override {
    if (const auto* entry = reader_.info().find(name)) file_.forget(bytes_of_entry(*entry));
  }

 private:
  MappedFile file_;
  SafetensorsReader reader_;
};

class TorchSource : public TensorList {
 public:
  explicit TorchSource(const fs::path& path)
      : TensorList(path.string()), reader_(path), prefix_(model_prefix(reader_.info())) {
    for (const auto& entry : reader_.info().entries)
      if (entry.name.starts_with(prefix_))
        add({entry.name.substr(prefix_.size()), entry.dtype, entry.shape, entry.stored, entry.unreadable,
             path});
    const Json values = parse_json(reader_.info().values, {path.string() + ": its values"});
    if (!values.is_object()) return;
    for (const auto& [key, value] : values.items())
      metadata_[key] = value.is_string() ? value.get<std::string>() : value.dump();
  }

 private:
  Tensor read_entry(const Entry& entry) const override { return reader_.read(prefix_ + entry.name); }

  TorchReader reader_;
  std::string prefix_;
};

// ---- several, and their index ----------------------------------------------------------------------

// {"metadata": {...}, "weight_map": {"wte.weight": "model-00001-of-00002.safetensors", ...}}
class ShardedSource : public TensorList {
 public:
  explicit ShardedSource(const fs::path& index) : TensorList(index.string()) {
    const JsonSource source{index.string()};
    const Json json = parse_json(read_file(index), source);
    const JsonValue map = JsonValue(json, source).at("weight_map");
    map.each_entry([&](const std::string& tensor, const JsonValue& file) {
      const TensorSource& shard = open_shard(index, tensor, file.text());
      if (!shard.find(tensor))
        fail_work(index.string(), ": says that ", in_quotes(tensor), " is in ", in_quotes(file.text()),
                  ", which has no such tensor");
    });
    for (const auto& [file, shard] : shards_) add_all(*shard);
  }

 private:
  const TensorSource& open_shard(const fs::path& index, const std::string& tensor, const std::string& file);
  void add_all(const TensorSource& shard);
  Tensor read_entry(const Entry& entry) const override { return shard_of(entry.name).read(entry.name); }
  const TensorSource& shard_of(std::string_view name) const {
    return *shards_.at(find(name)->file.filename().string());
  }

 public:
  std::optional<Rows> rows_of(std::string_view name) const override { return shard_of(name).rows_of(name); }
  void copy_row(std::string_view name, int64_t r, std::byte* to) const override {
    shard_of(name).copy_row(name, r, to);
  }
  void forget(std::string_view name) const override { shard_of(name).forget(name); }

 private:
  std::map<std::string, std::unique_ptr<TensorSource>> shards_;  // by the file's name
};

std::unique_ptr<TensorSource> open_one(const fs::path& path) {
  const RecognizedFile seen = recognize(path);
  switch (seen.kind) {
    case FileKind::safetensors:
      return std::make_unique<SafetensorsSource>(path);
    case FileKind::pytorch:
    case FileKind::pytorch_old:
      return std::make_unique<TorchSource>(path);
    case FileKind::binary:  // damaged: its reader says where
      if (path.extension() == ".safetensors") return std::make_unique<SafetensorsSource>(path);
      break;
    default:
      break;
  }
  fail_work(path.string(), " is ", seen.what, ", expected a file of tensors (.safetensors, .pt, .pth, .bin)",
            seen.advice.empty() ? "" : "; ", seen.advice);
}

// A file beside the index, and no other: an index from outside names no file of the machine's.
const TensorSource& ShardedSource::open_shard(const fs::path& index, const std::string& tensor,
                                              const std::string& file) {
  if (const auto found = shards_.find(file); found != shards_.end()) return *found->second;
  constexpr size_t k_most_shards = 10'000;  // the largest models have some 200
  if (shards_.size() == k_most_shards)
    fail_work(index.string(), ": names more than ", k_most_shards, " files");
  if (file.empty() || file == "." || file == ".." ||
      file.find_first_of(std::string_view("/\\\0", 3)) != file.npos)
    fail_work(index.string(), ": says that ", in_quotes(tensor), " is in ", in_quotes(file),
              ", expected the name of a file beside it");
  const fs::path path = index.parent_path() / file;
  if (!is_file(path))
    fail_work(index.string(), ": says that ", in_quotes(tensor), " is in ", in_quotes(file),
              ", which is not there; a part of the model is missing");
  return *shards_.emplace(file, open_one(path)).first->second;
}

void ShardedSource::add_all(const TensorSource& shard) {
  for (const std::string& each : shard.names()) {
    const Entry& entry = *shard.find(each);
    if (const Entry* other = find(each))
      fail_work(name(), ": ", in_quotes(each), " is in ", other->file.filename().string(), " and in ",
                entry.file.filename().string(), ", expected it once");
    add(entry);
  }
  for (const auto& [key, value] : shard.metadata()) metadata_.emplace(key, value);
}

fs::path file_in(const fs::path& folder) {
  constexpr const char* k_files[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                     "pytorch_model.bin.index.json"};
  std::string names;
  for (const char* file : k_files) {
    if (is_file(folder / file)) return folder / file;
    names += (names.empty() ? "" : ", ") + std::string(file);
  }
  fail_work(folder.string(), ": the folder holds no model: none of ", names);
}

}  // namespace

std::unique_ptr<TensorSource> open_tensors(const fs::path& path) {
  const fs::path file = is_folder(path) ? file_in(path) : path;
  if (recognize(file).kind == FileKind::json) return std::make_unique<ShardedSource>(file);
  return open_one(file);
}

}  // namespace limpid

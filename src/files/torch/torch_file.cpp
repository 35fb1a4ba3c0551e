// A checkpoint's tensors by name: what limpid/torch_file.h declares.
#include "limpid/torch_file.h"

#include <optional>
#include <unordered_map>

#include "core/label.h"
#include "files/byte_source.h"
#include "files/float8.h"
#include "files/mapped_file.h"
#include "files/recognize.h"
#include "files/torch/container.h"
#include "files/torch/contents.h"

namespace limpid {

using torch::Container;
using torch::ElementType;
using torch::Storage;
using torch::TensorValue;

namespace {

// A tensor may show one number many times (expand): of such, more is made than the file holds only up to
// this.
constexpr uint64_t k_most_repeated = uint64_t{256} << 20;

std::unique_ptr<Container> open_container(Bytes bytes, const std::string& name) {
  const auto source = memory_source(bytes, name);
  const RecognizedFile seen = recognize(*source);
  if (seen.kind == FileKind::pytorch) return torch::open_zip(bytes, name);
  if (seen.kind == FileKind::pytorch_old) return torch::open_old(bytes, name);
  refuse_other_kinds(*source, FileKind::pytorch);
  fail_work(name, " is ", seen.what, ", expected a PyTorch checkpoint");
}

uint64_t count_of(const TensorValue& tensor) {
  uint64_t count = 1;
  for (const int64_t size : tensor.sizes) count *= static_cast<uint64_t>(size);
  return count;
}

// The place of the last number, relative to the first; of a tensor that has some.
uint64_t last_of(const TensorValue& tensor) {
  uint64_t last = 0;
  for (size_t i = 0; i < tensor.sizes.size(); ++i)
    last += static_cast<uint64_t>((tensor.sizes[i] - 1) * tensor.strides[i]);
  return last;
}

bool contiguous(const TensorValue& tensor) {
  int64_t expected = 1;
  for (size_t i = tensor.sizes.size(); i-- > 0;) {
    if (tensor.sizes[i] != 1 && tensor.strides[i] != expected) return false;
    expected *= tensor.sizes[i];
  }
  return true;
}

TorchInfo::Entry entry_of(const std::string& name, const TensorValue& tensor) {
  TorchInfo::Entry entry{name, tensor.type->dtype, Shape::unnamed(tensor.sizes), 0, "", ""};
  entry.bytes = count_of(tensor) * tensor.type->bytes;
  if (!tensor.type->readable || float8_named(tensor.type->name)) entry.stored = tensor.type->name;
  if (!tensor.type->readable)
    entry.unreadable = join("limpid has no type ", tensor.type->name);
  else
    entry.unreadable = tensor.unreadable;
  return entry;
}

}  // namespace

struct TorchReader::State {
  explicit State(const std::filesystem::path& path) : name(path.string()), file(std::in_place, path) {
    open(file->bytes());
  }
  State(Bytes bytes, std::string_view shown) : name(shown) { open(bytes); }

  void open(Bytes bytes) {
    container = open_container(bytes, name);
    torch::Contents contents = torch::contents_of(container->pickled(), name);
    info.values = std::move(contents.values);
    for (const auto& each : contents.tensors) {
      const TensorValue& tensor = container->pickled().tensors[each.tensor];
      check_storage(each.name, tensor);
      info.entries.push_back(entry_of(each.name, tensor));
      tensors.push_back(each.tensor);
    }
    for (size_t i = 0; i < info.entries.size(); ++i) places.emplace(info.entries[i].name, i);
  }

  // Every number the pickle claims is in the file.
  void check_storage(const std::string& tensor_name, const TensorValue& tensor) const {
    if (count_of(tensor) == 0) return;
    const Storage& storage = container->pickled().storages[tensor.storage];
    const uint64_t there = container->storage_bytes(storage.key);
    const uint64_t needed =
        storage.skipped * storage.type->bytes + (tensor.offset + last_of(tensor) + 1) * tensor.type->bytes;
    if (needed > there)
      fail_work(name, ": tensor ", in_quotes(tensor_name), " needs ", needed, " bytes of storage '",
                visible_line(storage.key.substr(0, 200)), "', which has ", there);
    const uint64_t bytes = count_of(tensor) * tensor.type->bytes;
    if (bytes > 2 * there && bytes > k_most_repeated)
      fail_work(name, ": tensor ", in_quotes(tensor_name), " of shape ", Shape::unnamed(tensor.sizes).text(),
                " shows the ", there, " bytes of its storage so often that it takes ", bytes);
  }

  Tensor read(const TensorValue& tensor) const {
    const Storage& storage = container->pickled().storages[tensor.storage];
    const ElementType& type = *tensor.type;
    Tensor out(type.dtype, Shape::unnamed(tensor.sizes));
    if (out.count() == 0) return out;
    const uint64_t first = storage.skipped * storage.type->bytes + tensor.offset * type.bytes;
    const auto float8 = float8_named(type.name);
    const bool direct = contiguous(tensor) && !float8;
    std::vector<std::byte> span(direct ? 0 : (last_of(tensor) + 1) * type.bytes);
    const std::span<std::byte> bytes =
        direct ? std::span(static_cast<std::byte*>(out.raw()), out.bytes()) : std::span(span);
    container->read(storage.key, first, bytes);
    if (type.dtype == DType::boolean)  // a C++ bool may hold 0 or 1 only
      for (std::byte& b : bytes) b = static_cast<std::byte>(b != std::byte{0});
    if (direct) return out;
    std::vector<bf16> wide(float8 ? span.size() : 0);
    if (float8) widen(*float8, span, wide.data());
    const void* numbers = float8 ? static_cast<const void*>(wide.data()) : span.data();
    copy(ConstView(type.dtype, out.shape(), tensor.strides, numbers), out.view());
    return out;
  }

  std::string name;
  std::optional<MappedFile> file;
  std::unique_ptr<Container> container;
  TorchInfo info;
  std::vector<size_t> tensors;  // of each entry, its place in the pickle's
  std::unordered_map<std::string_view, size_t> places;
};

TorchReader::TorchReader(const std::filesystem::path& path) : state_(std::make_unique<State>(path)) {}
TorchReader::TorchReader(Bytes bytes, std::string_view name) : state_(std::make_unique<State>(bytes, name)) {}
TorchReader::~TorchReader() = default;
TorchReader::TorchReader(TorchReader&&) noexcept = default;
TorchReader& TorchReader::operator=(TorchReader&&) noexcept = default;

const TorchInfo& TorchReader::info() const { return state_->info; }

Tensor TorchReader::read(std::string_view name) const {
  const auto found = state_->places.find(name);
  if (found == state_->places.end()) fail_call(state_->name, " holds no tensor ", in_quotes(name));
  const auto& entry = state_->info.entries[found->second];
  if (!entry.unreadable.empty())
    fail_work(state_->name, ": tensor ", in_quotes(entry.name), ": ", entry.unreadable);
  return state_->read(state_->container->pickled().tensors[state_->tensors[found->second]]);
}

const TorchInfo::Entry* TorchInfo::find(std::string_view name) const {
  for (const Entry& entry : entries)
    if (entry.name == name) return &entry;
  return nullptr;
}

std::string model_prefix(const TorchInfo& info) {
  for (const char* prefix : {"model/", "state_dict/", "model_state_dict/", "module/"})
    for (const auto& entry : info.entries)
      if (entry.name.starts_with(prefix)) return prefix;
  return "";
}

TorchInfo inspect_torch(const std::filesystem::path& path) { return TorchReader(path).info(); }

}  // namespace limpid

#include <algorithm>
#include <bit>

#include "files/float8.h"
#include "files/safetensors_header.h"

namespace limpid {

// The file's byte order is the machine's, so that numbers are copied as they are.
static_assert(std::endian::native == std::endian::little, "safetensors: little-endian machines only");

namespace {

// A C++ bool may hold 0 or 1 only; other bytes would be undefined behaviour later.
void make_booleans(std::span<std::byte> bytes) {
  for (std::byte& b : bytes) b = static_cast<std::byte>(b != std::byte{0});
}

void read_float8(const ByteSource& source, const SafetensorsInfo::Entry& entry, Float8 type, bf16* into) {
  constexpr uint64_t k_piece = uint64_t{1} << 20;
  std::vector<std::byte> piece(std::min(entry.bytes, k_piece));
  for (uint64_t done = 0; done < entry.bytes;) {
    const std::span part(piece.data(), std::min(entry.bytes - done, k_piece));
    source.read(entry.offset + done, part);
    widen(type, part, into + done);
    done += part.size();
  }
}

Tensor read_entry(const ByteSource& source, const SafetensorsInfo::Entry& entry) {
  if (!entry.unreadable.empty())
    fail_work(source.name(), ": tensor '", entry.name, "': ", unsupported_type(entry.unreadable));
  Tensor tensor(entry.dtype, entry.shape);
  if (const auto float8 = float8_named(entry.stored)) {
    read_float8(source, entry, *float8, tensor.data<bf16>());
    return tensor;
  }
  const std::span bytes(static_cast<std::byte*>(tensor.raw()), tensor.bytes());
  source.read(entry.offset, bytes);
  if (entry.dtype == DType::boolean) make_booleans(bytes);
  return tensor;
}

TensorFile read_all(const ByteSource& source) {
  const SafetensorsInfo info = read_safetensors_header(source);
  TensorFile file;
  file.metadata = info.metadata;
  for (const auto& entry : info.entries) file.tensors.emplace(entry.name, read_entry(source, entry));
  return file;
}

// ---- writing -------------------------------------------------------------------------------------

// The reference implementation's order of types, by falling alignment.
int place(DType dtype) {
  constexpr DType k_order[] = {DType::i64, DType::f64, DType::f32, DType::u32, DType::i32, DType::bf16,
                               DType::f16, DType::u16, DType::i16, DType::i8,  DType::u8,  DType::boolean};
  return static_cast<int>(std::find(std::begin(k_order), std::end(k_order), dtype) - std::begin(k_order));
}

using Views = std::map<std::string, ConstView>;

Views views_of(const std::map<std::string, Tensor>& tensors) {
  Views views;
  for (const auto& [name, tensor] : tensors) views.emplace(name, tensor.view());
  return views;
}

// Calls out(Bytes) with one piece of the file after another.
template <class Out>
void put(const Views& tensors, const std::map<std::string, std::string>& metadata, Out&& out) {
  SafetensorsInfo info;
  info.metadata = metadata;
  for (const auto& [name, view] : tensors) {
    const auto count = static_cast<uint64_t>(view.shape().count());
    if (count > 0 && view.empty()) fail_call("safetensors: tensor '", name, "' holds no numbers");
    info.entries.push_back({name, view.dtype(), view.shape(), count * byte_size(view.dtype()), 0});
  }
  std::stable_sort(info.entries.begin(), info.entries.end(),
                   [](const auto& a, const auto& b) { return place(a.dtype) < place(b.dtype); });
  out(bytes_of(write_safetensors_header(info)));
  for (const auto& entry : info.entries) {
    const ConstView& view = tensors.at(entry.name);
    if (entry.bytes == 0) continue;
    if (view.contiguous()) {
      out(Bytes(static_cast<const std::byte*>(view.raw()), entry.bytes));
    } else {
      const Tensor copied = Tensor::copy_of(view);
      out(Bytes(static_cast<const std::byte*>(copied.raw()), entry.bytes));
    }
  }
}

}  // namespace

// ---- public --------------------------------------------------------------------------------------

const SafetensorsInfo::Entry* SafetensorsInfo::find(std::string_view name) const {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

SafetensorsInfo inspect_safetensors(const std::filesystem::path& path) {
  return read_safetensors_header(*open_source(path));
}

TensorFile read_safetensors(const std::filesystem::path& path) { return read_all(*open_source(path)); }

TensorFile read_safetensors(Bytes bytes, std::string_view name) {
  return read_all(*memory_source(bytes, name));
}

struct SafetensorsReader::State {
  explicit State(std::unique_ptr<ByteSource> from) : source(std::move(from)) {}
  std::unique_ptr<ByteSource> source;
  SafetensorsInfo info = read_safetensors_header(*source);
};

SafetensorsReader::SafetensorsReader(const std::filesystem::path& path)
    : state_(std::make_unique<State>(open_source(path))) {}
SafetensorsReader::SafetensorsReader(Bytes bytes, std::string_view name)
    : state_(std::make_unique<State>(memory_source(bytes, name))) {}
SafetensorsReader::~SafetensorsReader() = default;
SafetensorsReader::SafetensorsReader(SafetensorsReader&&) noexcept = default;
SafetensorsReader& SafetensorsReader::operator=(SafetensorsReader&&) noexcept = default;

const SafetensorsInfo& SafetensorsReader::info() const { return state_->info; }

Tensor SafetensorsReader::read(std::string_view name) const {
  const auto* entry = state_->info.find(name);
  if (!entry) fail_call(state_->source->name(), " holds no tensor '", name, "'");
  return read_entry(*state_->source, *entry);
}

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, ConstView>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  FileWriter writer(path);
  put(tensors, metadata, [&](Bytes bytes) { writer.write(bytes); });
  writer.commit();
}

void write_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  write_safetensors(path, views_of(file.tensors), file.metadata);
}

std::string safetensors_bytes(const TensorFile& file) {
  std::string out;
  put(views_of(file.tensors), file.metadata,
      [&](Bytes bytes) { out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size()); });
  return out;
}

}  // namespace limpid

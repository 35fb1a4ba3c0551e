// Tensors and arrays of metadata, out of mapped memory.
#include <cstring>
#include <optional>
#include <unordered_map>

#include "core/label.h"
#include "files/gguf/header.h"
#include "files/gguf/types.h"
#include "files/mapped_file.h"

namespace limpid {

struct GgufReader::State {
  std::optional<MappedFile> file;
  Bytes bytes;
  GgufInfo info;
  std::unordered_map<std::string_view, const GgufInfo::Entry*> by_name;

  State(std::optional<std::filesystem::path> path, Bytes given, std::string_view name) {
    if (path) given = file.emplace(*path).bytes();
    bytes = given;
    info = read_gguf_header(*memory_source(bytes, name));
    for (const GgufInfo::Entry& entry : info.entries) by_name.emplace(entry.name, &entry);
  }
  const GgufInfo::Entry& entry(std::string_view name) const {
    const auto found = by_name.find(name);
    if (found == by_name.end()) fail_call(info.file, " holds no tensor ", in_quotes(name));
    return *found->second;
  }
  Bytes blocks(const GgufInfo::Entry& entry) const { return bytes.subspan(entry.offset, entry.bytes); }
};

GgufReader::GgufReader(const std::filesystem::path& path)
    : state_(std::make_unique<State>(path, Bytes(), path.string())) {}
GgufReader::GgufReader(Bytes bytes, std::string_view name)
    : state_(std::make_unique<State>(std::nullopt, bytes, name)) {}
GgufReader::~GgufReader() = default;
GgufReader::GgufReader(GgufReader&&) noexcept = default;
GgufReader& GgufReader::operator=(GgufReader&&) noexcept = default;

const GgufInfo& GgufReader::info() const { return state_->info; }

Bytes GgufReader::raw(std::string_view name) const { return state_->blocks(state_->entry(name)); }

void GgufReader::forget(std::string_view name) const {
  if (state_->file) state_->file->forget(raw(name));
}

Tensor GgufReader::read(std::string_view name) const {
  const GgufInfo::Entry& entry = state_->entry(name);
  const GgufBlock& block = block_of(entry.type);
  if (!block.readable)
    fail_work(state_->info.file, ": tensor ", in_quotes(name), ": type ", block.name,
              " is not supported, expected one of ", readable_types());
  Tensor tensor(block.dtype, entry.shape);
  const Bytes blocks = state_->blocks(entry);
  if (block.numbers > 1)
    dequantize(entry.type, blocks, std::span(tensor.data<float>(), static_cast<size_t>(tensor.count())));
  else if (!blocks.empty())
    std::memcpy(tensor.raw(), blocks.data(), blocks.size());
  return tensor;
}

// ---- arrays of metadata ------------------------------------------------------------------------------

namespace {

const GgufValue& array_of(const GgufInfo& info, std::string_view key) {
  const auto found = info.metadata.find(key);
  if (found == info.metadata.end()) fail_work(info.file, " has no metadata ", in_quotes(key));
  if (!found->second.array)
    fail_work(info.file, ": metadata ", in_quotes(key), " is of type ", name(found->second.type),
              ", expected an array");
  return found->second;
}

[[noreturn]] void fail_elements(const GgufInfo& info, std::string_view key, GgufValueType type,
                                const char* expected) {
  fail_work(info.file, ": metadata ", in_quotes(key), " is an array of ", name(type), ", expected ",
            expected);
}

// Calls each(number), of the type of the elements; false where they are no numbers.
template <class Each>
bool visit_numbers(const GgufValue& array, Bytes file, Each&& each) {
  const auto visit = [&]<class T>(T) {
    for (uint64_t i = 0; i < array.count; ++i) {
      T value;
      std::memcpy(&value, file.data() + array.offset + i * sizeof value, sizeof value);
      each(value);
    }
    return true;
  };
  switch (array.type) {
    case GgufValueType::u8:
    case GgufValueType::boolean:  // 0 or 1, the header's reader has seen to it
      return visit(uint8_t{});
    case GgufValueType::i8:
      return visit(int8_t{});
    case GgufValueType::u16:
      return visit(uint16_t{});
    case GgufValueType::i16:
      return visit(int16_t{});
    case GgufValueType::u32:
      return visit(uint32_t{});
    case GgufValueType::i32:
      return visit(int32_t{});
    case GgufValueType::u64:
      return visit(uint64_t{});
    case GgufValueType::i64:
      return visit(int64_t{});
    case GgufValueType::f32:
      return visit(float{});
    case GgufValueType::f64:
      return visit(double{});
    default:
      return false;
  }
}

}  // namespace

std::vector<std::string> GgufReader::strings(std::string_view key) const {
  const GgufInfo& info = state_->info;
  const GgufValue& array = array_of(info, key);
  if (array.type != GgufValueType::string) fail_elements(info, key, array.type, "strings");
  std::vector<std::string> out;
  out.reserve(array.count);
  const std::byte* at = state_->bytes.data() + array.offset;
  for (uint64_t i = 0; i < array.count; ++i) {  // the header's reader has seen that each lies within the file
    uint64_t length;
    std::memcpy(&length, at, sizeof length);
    out.emplace_back(reinterpret_cast<const char*>(at + sizeof length), length);
    at += sizeof length + length;
  }
  return out;
}

std::vector<int64_t> GgufReader::integers(std::string_view key) const {
  const GgufInfo& info = state_->info;
  const GgufValue& array = array_of(info, key);
  if (array.type == GgufValueType::f32 || array.type == GgufValueType::f64)
    fail_elements(info, key, array.type, "integers");
  std::vector<int64_t> out;
  out.reserve(array.type == GgufValueType::string ? 0 : array.count);
  const bool numbers = visit_numbers(array, state_->bytes, [&](auto value) {
    if (std::is_same_v<decltype(value), uint64_t> && value > static_cast<decltype(value)>(INT64_MAX))
      fail_work(info.file, ": metadata ", in_quotes(key), " holds ", value, ", expected at most ", INT64_MAX);
    out.push_back(static_cast<int64_t>(value));
  });
  if (!numbers) fail_elements(info, key, array.type, "integers");
  return out;
}

std::vector<double> GgufReader::numbers(std::string_view key) const {
  const GgufValue& array = array_of(state_->info, key);
  std::vector<double> out;
  out.reserve(array.type == GgufValueType::string ? 0 : array.count);
  if (!visit_numbers(array, state_->bytes, [&](auto value) { out.push_back(static_cast<double>(value)); }))
    fail_elements(state_->info, key, array.type, "numbers");
  return out;
}

}  // namespace limpid

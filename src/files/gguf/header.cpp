#include "files/gguf/header.h"

#include <algorithm>
#include <array>
#include <bit>
#include <set>

#include "core/label.h"
#include "core/utf8.h"
#include "files/gguf/cursor.h"
#include "files/gguf/types.h"
#include "files/recognize.h"

namespace limpid {

namespace {

// Far beyond any model's; they bound the time and memory that a hostile file can take.
constexpr uint64_t k_most_header = uint64_t{1} << 30;
constexpr uint64_t k_most_keys = 1 << 14;
constexpr uint64_t k_most_tensors = 1 << 18;
constexpr uint64_t k_most_key = 65'535;  // the format's limit
constexpr uint64_t k_most_name = 1024;   // ggml's is 64 bytes, some programs' 128
constexpr uint64_t k_most_text = uint64_t{64}
                                 << 20;  // of one string that is no array's, and of all of them together
constexpr uint32_t k_most_axes = 4;      // the format's limit

constexpr uint64_t k_least_key = 8 + 1 + 4 + 1;         // bytes: length, a letter, type, value
constexpr uint64_t k_least_tensor = 8 + 1 + 4 + 4 + 8;  // length, a letter, axes, type, offset

// ---- the first bytes -------------------------------------------------------------------------------

uint32_t read_version(GgufCursor& in) {
  const auto magic = in.number<std::array<char, 4>>("a magic number");
  const std::string_view text(magic.data(), magic.size());
  if (text != "GGUF") in.fail("the file begins with ", in_quotes(text), ", expected \"GGUF\"");
  const auto version = in.number<uint32_t>("a version");
  if (version == 2 || version == 3) return version;
  if (version == 1)
    in.fail("version 1, which nobody writes since August 2023; expected 2 or 3: convert the model anew");
  if ((version & 0xffff) == 0 && version != 0)
    in.fail("a big-endian file (version ", version >> 24, "), expected a little-endian one");
  in.fail("version ", version, ", expected 2 or 3");
}

uint64_t read_count(GgufCursor& in, const char* what, uint64_t most) {
  const auto count = in.number<uint64_t>("a count");
  if (count > most) in.fail(count, " ", what, ", at most ", most, " are read");
  return count;
}

void check_count(const GgufCursor& in, uint64_t count, uint64_t least, const char* what) {
  if (count > in.left() / least)
    in.fail(count, " ", what, " in the ", in.left(),
            " bytes that follow; the file was cut short, or is damaged");
}

std::string read_name(GgufCursor& in, const char* what, uint64_t most) {
  std::string text = in.string(what, most);
  if (text.empty()) in.fail(what, " is empty");
  if (const size_t bad = first_not_utf8(text); bad != text.npos)
    in.fail(what, " ", in_quotes(text), " is not UTF-8, at byte ", bad, " of it");
  return text;
}

// ---- metadata --------------------------------------------------------------------------------------

GgufValueType read_value_type(GgufCursor& in) {
  const auto number = in.number<uint32_t>("a type");
  if (!is_value_type(number)) in.fail("value of type ", number, ", expected 0 to 12");
  return static_cast<GgufValueType>(number);
}

void check_boolean(const GgufCursor& in, unsigned byte) {
  if (byte > 1) in.fail("a bool of ", byte, ", expected 0 or 1");
}

void read_scalar(GgufCursor& in, GgufValue& value, uint64_t& text_left) {
  switch (value.type) {
    case GgufValueType::u8:
      value.value = uint64_t{in.number<uint8_t>("a u8")};
      break;
    case GgufValueType::u16:
      value.value = uint64_t{in.number<uint16_t>("a u16")};
      break;
    case GgufValueType::u32:
      value.value = uint64_t{in.number<uint32_t>("a u32")};
      break;
    case GgufValueType::u64:
      value.value = in.number<uint64_t>("a u64");
      break;
    case GgufValueType::i8:
      value.value = int64_t{in.number<int8_t>("an i8")};
      break;
    case GgufValueType::i16:
      value.value = int64_t{in.number<int16_t>("an i16")};
      break;
    case GgufValueType::i32:
      value.value = int64_t{in.number<int32_t>("an i32")};
      break;
    case GgufValueType::i64:
      value.value = in.number<int64_t>("an i64");
      break;
    case GgufValueType::f32:
      value.value = double{in.number<float>("an f32")};
      break;
    case GgufValueType::f64:
      value.value = in.number<double>("an f64");
      break;
    case GgufValueType::boolean: {
      const auto byte = in.number<uint8_t>("a bool");
      check_boolean(in, byte);
      value.value = byte == 1;
      break;
    }
    case GgufValueType::string: {
      std::string text = in.string("a string", text_left);
      text_left -= text.size();
      value.value = std::move(text);
      break;
    }
    case GgufValueType::array:
      break;  // read_array's
  }
}

// Steps over the elements: where each ends is checked, and nothing is kept.
void read_array(GgufCursor& in, GgufValue& value) {
  value.array = true;
  value.type = read_value_type(in);
  if (value.type == GgufValueType::array) in.fail("an array of arrays, which limpid does not read");
  value.count = in.number<uint64_t>("a count");
  value.offset = in.at();
  const uint64_t each =
      value.type == GgufValueType::string ? 8 : value_bytes(value.type);  // a string's length at least
  if (value.count > in.left() / each)
    in.fail("an array of ", value.count, " values of type ", name(value.type), ", only ", in.left(),
            " bytes follow", in.left() < k_most_header / 2 ? "; the file was cut short, or is damaged" : "");
  if (value.type == GgufValueType::string) {
    for (uint64_t i = 0; i < value.count; ++i) in.skip(in.number<uint64_t>("a length"), "a string");
  } else if (value.type == GgufValueType::boolean) {
    for (uint64_t i = 0; i < value.count; ++i) check_boolean(in, in.number<uint8_t>("a bool"));
  } else {
    in.skip(value.count * each, "an array");
  }
}

void read_metadata(GgufCursor& in, uint64_t count, GgufInfo& info) {
  uint64_t text_left = k_most_text;
  for (uint64_t i = 0; i < count; ++i) {
    in.enter(join("metadata key ", i + 1, " of ", count));
    std::string key = read_name(in, "the key", k_most_key);
    in.enter("metadata " + in_quotes(key));
    GgufValue value;
    value.type = read_value_type(in);
    value.offset = in.at();
    if (value.type == GgufValueType::array)
      read_array(in, value);
    else
      read_scalar(in, value, text_left);
    value.bytes = in.at() - value.offset;
    if (!info.metadata.emplace(std::move(key), std::move(value)).second) in.fail("the key is given twice");
  }
}

uint64_t read_alignment(const GgufInfo& info) {
  constexpr const char* k_key = "general.alignment";
  const auto found = info.metadata.find(k_key);
  if (found == info.metadata.end()) return 32;
  const GgufValue& value = found->second;
  if (value.array || value.type != GgufValueType::u32)
    fail_work(info.file, ": metadata \"", k_key, "\" is ", value.array ? "an array" : name(value.type),
              ", expected u32");
  const uint64_t alignment = std::get<uint64_t>(value.value);
  if (!std::has_single_bit(alignment))
    fail_work(info.file, ": metadata \"", k_key, "\" is ", alignment, ", expected a power of two");
  return alignment;
}

// ---- tensors ---------------------------------------------------------------------------------------

// The sizes, outermost first, and the bytes they need.  No product overflows, not even that of the sizes
// beside a 0.
void read_shape(GgufCursor& in, GgufInfo::Entry& entry) {
  const auto axes = in.number<uint32_t>("a number of dimensions");
  if (axes > k_most_axes) in.fail(axes, " dimensions, at most ", k_most_axes, " are allowed");
  std::vector<int64_t> sizes(axes);
  int64_t product = 1;
  for (auto size = sizes.rbegin(); size != sizes.rend(); ++size) {
    const auto dimension = in.number<uint64_t>("a dimension");
    if (dimension > INT64_MAX) in.fail("a dimension of ", dimension, ", expected at most ", INT64_MAX);
    *size = static_cast<int64_t>(dimension);
    if (__builtin_mul_overflow(product, std::max<int64_t>(*size, 1), &product) || product > INT64_MAX / 16)
      in.fail("its shape overflows: more numbers than any memory holds");
  }
  entry.shape = Shape::unnamed(sizes);
}

GgufInfo::Entry read_tensor(GgufCursor& in, uint64_t i, uint64_t count) {
  in.enter(join("tensor ", i + 1, " of ", count));
  GgufInfo::Entry entry;
  entry.name = read_name(in, "the name", k_most_name);
  in.enter("tensor " + in_quotes(entry.name));
  read_shape(in, entry);
  const auto type = in.number<uint32_t>("a type");
  entry.type = static_cast<GgufType>(type);
  const GgufBlock* block = find_block(entry.type);
  if (!block) in.fail("a tensor of type ", type, ", which is none of ggml's");
  const int64_t row = entry.shape.rank() == 0 ? 1 : entry.shape[entry.shape.rank() - 1].size;
  if (row % block->numbers != 0)
    in.fail("rows of ", row, " numbers, expected a multiple of ", block->numbers,
            ", the numbers of a block of ", block->name);
  entry.bytes = static_cast<uint64_t>(entry.shape.count() / block->numbers) * block->bytes;
  entry.offset = in.number<uint64_t>("an offset");
  return entry;
}

// From offsets within the data to offsets within the file.
void place_tensors(GgufInfo& info, uint64_t header_end, uint64_t size) {
  info.data_offset = (header_end + info.alignment - 1) & ~(info.alignment - 1);
  const uint64_t data = size > info.data_offset ? size - info.data_offset : 0;
  for (GgufInfo::Entry& entry : info.entries) {
    if (entry.offset % info.alignment != 0)
      fail_work(info.file, ": tensor ", in_quotes(entry.name), " begins at ", entry.offset,
                " of the data, expected a multiple of the alignment, ", info.alignment);
    if (entry.offset > data || entry.bytes > data - entry.offset)
      fail_work(info.file, ": tensor ", in_quotes(entry.name), " takes ", entry.bytes, " bytes from ",
                entry.offset, " of the data on, which has ", data, "; the file was cut short, or is damaged");
    entry.offset += info.data_offset;
  }
}

void check_tensors(const GgufInfo& info) {
  std::vector<const GgufInfo::Entry*> by_place;
  std::set<std::string_view> names;
  for (const GgufInfo::Entry& entry : info.entries) {
    if (!names.insert(entry.name).second)
      fail_work(info.file, ": tensor ", in_quotes(entry.name), " is given twice");
    if (entry.bytes > 0) by_place.push_back(&entry);
  }
  std::sort(by_place.begin(), by_place.end(),
            [](const auto* a, const auto* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < by_place.size(); ++i) {
    const auto &before = *by_place[i - 1], &entry = *by_place[i];
    if (entry.offset < before.offset + before.bytes)
      fail_work(info.file, ": tensors ", in_quotes(before.name), " and ", in_quotes(entry.name),
                " overlap, at byte ", entry.offset);
  }
}

}  // namespace

GgufInfo read_gguf_header(const ByteSource& source) {
  refuse_other_kinds(source, FileKind::gguf);
  GgufCursor in(source, k_most_header);
  GgufInfo info;
  info.file = source.name();
  info.version = read_version(in);
  const uint64_t tensors = read_count(in, "tensors", k_most_tensors);
  const uint64_t keys = read_count(in, "metadata keys", k_most_keys);
  check_count(in, keys, k_least_key, "metadata keys");
  read_metadata(in, keys, info);
  in.enter("");
  info.alignment = read_alignment(info);
  check_count(in, tensors, k_least_tensor, "tensors");
  info.entries.reserve(tensors);
  for (uint64_t i = 0; i < tensors; ++i) info.entries.push_back(read_tensor(in, i, tensors));
  place_tensors(info, in.at(), source.size());
  check_tensors(info);
  return info;
}

}  // namespace limpid

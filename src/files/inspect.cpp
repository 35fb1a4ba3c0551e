#include "files/inspect.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "files/byte_source.h"
#include "files/float8.h"
#include "files/gguf/header.h"
#include "files/npy.h"
#include "files/npz.h"
#include "files/recognize.h"
#include "files/safetensors_header.h"
#include "limpid/torch_file.h"
#include "tensor/dispatch.h"

namespace limpid {

namespace {

constexpr size_t k_piece = size_t{1} << 20;  // a multiple of every type's size

// ---- counting ------------------------------------------------------------------------------------------

class Counter {
 public:
  Counter(DType dtype, bool swapped) : dtype_(dtype), swapped_(swapped) {}

  void add_float8(Float8 type, Bytes bytes) {
    wide_.resize(bytes.size());
    widen(type, bytes, wide_.data());
    add(std::as_writable_bytes(std::span(wide_)));
  }

  void add(std::span<std::byte> bytes) {
    const size_t size = byte_size(dtype_);
    if (swapped_)
      for (size_t i = 0; i + size <= bytes.size(); i += size)
        std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i),
                     bytes.begin() + static_cast<std::ptrdiff_t>(i + size));
    visit_dtype(dtype_, [&]<class T>() { add_numbers<T>(bytes); });
  }

  ArrayNumbers result() {
    const int64_t finite = numbers_.finite();
    if (finite == 0) numbers_.least = numbers_.most = 0;
    numbers_.mean = finite ? static_cast<double>(sum_ / static_cast<long double>(finite)) : 0;
    return numbers_;
  }

 private:
  template <class T>
  void add_numbers(std::span<const std::byte> bytes) {
    for (size_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
      if constexpr (std::is_same_v<T, bool>) {  // any byte but 0 is true
        add_one(bytes[i] != std::byte{0} ? 1.0L : 0.0L);
      } else {
        T value;
        std::memcpy(&value, bytes.data() + i, sizeof value);
        if constexpr (std::is_integral_v<T>)
          add_one(static_cast<long double>(value));
        else
          add_one(load_as_double(value));
      }
    }
  }

  void add_one(long double x) {
    ++numbers_.count;
    if (std::isnan(x)) {
      ++numbers_.nan;
    } else if (std::isinf(x)) {
      ++numbers_.infinite;
    } else {
      sum_ += x;
      numbers_.least = std::min(numbers_.least, x);
      numbers_.most = std::max(numbers_.most, x);
    }
  }

  DType dtype_;
  bool swapped_;
  // A long double holds an int64 exactly, and the sum of many of the largest doubles.
  ArrayNumbers numbers_{.least = std::numeric_limits<long double>::infinity(),
                        .most = -std::numeric_limits<long double>::infinity()};
  long double sum_ = 0;
  std::vector<bf16> wide_;
};

ArrayNumbers count_numbers(const ByteSource& source, uint64_t offset, uint64_t bytes, Counter counter,
                           std::optional<Float8> float8 = {}) {
  std::vector<std::byte> piece(std::min<uint64_t>(bytes, k_piece));
  for (uint64_t done = 0; done < bytes;) {
    const std::span part(piece.data(), std::min<uint64_t>(bytes - done, k_piece));
    source.read(offset + done, part);
    float8 ? counter.add_float8(*float8, part) : counter.add(part);
    done += part.size();
  }
  return counter.result();
}

ArrayNumbers count_quantized(const ByteSource& source, const GgufInfo::Entry& entry) {
  const GgufBlock& block = block_of(entry.type);
  const uint64_t most = k_piece / block.bytes * block.bytes;
  Counter counter(DType::f32, false);
  std::vector<std::byte> piece(std::min<uint64_t>(entry.bytes, most));
  std::vector<float> numbers(piece.size() / block.bytes * static_cast<size_t>(block.numbers));
  for (uint64_t done = 0; done < entry.bytes;) {
    const std::span part(piece.data(), std::min<uint64_t>(entry.bytes - done, most));
    source.read(entry.offset + done, part);
    const std::span out =
        std::span(numbers).first(part.size() / block.bytes * static_cast<size_t>(block.numbers));
    dequantize(entry.type, part, out);
    counter.add(std::as_writable_bytes(out));
    done += part.size();
  }
  return counter.result();
}

// ---- the kinds of file -----------------------------------------------------------------------------

ArrayInfo info_of(const SafetensorsInfo::Entry& entry) {
  ArrayInfo info{entry.name, std::string(name(entry.dtype)), "", entry.dtype, entry.shape, entry.bytes};
  if (!entry.stored.empty()) info.type = entry.stored;
  if (!entry.unreadable.empty()) {
    info.type = entry.unreadable;
    info.unreadable = "limpid has no type " + entry.unreadable;
  }
  return info;
}

ArrayInfo info_of(const TorchInfo::Entry& entry) {
  ArrayInfo info{entry.name, std::string(name(entry.dtype)), entry.unreadable, entry.dtype, entry.shape,
                 entry.bytes};
  if (!entry.stored.empty()) info.type = entry.stored;
  return info;
}

ArrayInfo info_of(const std::string& array, const NpyHeader& header) {
  ArrayInfo info{array, std::string(name(header.dtype)), header.unreadable, header.dtype, header.shape, 0};
  if (!header.unreadable.empty()) {
    info.type = header.type;
    return info;
  }
  info.bytes = static_cast<uint64_t>(header.shape.count()) * byte_size(header.dtype);
  return info;
}

ArrayInfo info_of(const GgufInfo::Entry& entry) {
  const GgufBlock& block = block_of(entry.type);
  ArrayInfo info{entry.name, std::string(block.name), "", block.dtype, entry.shape, entry.bytes};
  if (!block.readable)
    info.unreadable = join("limpid does not read blocks of ", block.name);
  else if (block.numbers == 1)
    info.type = name(block.dtype);
  return info;
}

using Wanted = std::function<bool(const std::string&)>;
using Each = std::function<void(const ArrayInfo&, const ArrayNumbers&)>;

void measure_safetensors(const ByteSource& source, const Wanted& wanted, const Each& each) {
  for (const auto& entry : read_safetensors_header(source).entries) {
    if (!wanted(entry.name)) continue;
    const ArrayInfo info = info_of(entry);
    if (!info.unreadable.empty())
      each(info, {});
    else
      each(info, count_numbers(source, entry.offset, entry.bytes, Counter(entry.dtype, false),
                               float8_named(entry.stored)));
  }
}

void measure_torch(const std::filesystem::path& path, const Wanted& wanted, const Each& each) {
  const TorchReader reader(path);
  for (const auto& entry : reader.info().entries) {
    if (!wanted(entry.name)) continue;
    const ArrayInfo info = info_of(entry);
    if (!info.unreadable.empty()) {
      each(info, {});
      continue;
    }
    Tensor tensor = reader.read(entry.name);
    Counter counter(tensor.dtype(), false);
    counter.add(std::span(static_cast<std::byte*>(tensor.raw()), tensor.bytes()));
    each(info, counter.result());
  }
}

void measure_gguf(const ByteSource& source, const Wanted& wanted, const Each& each) {
  for (const auto& entry : read_gguf_header(source).entries) {
    if (!wanted(entry.name)) continue;
    const ArrayInfo info = info_of(entry);
    if (!info.unreadable.empty())
      each(info, {});
    else if (block_of(entry.type).numbers > 1)
      each(info, count_quantized(source, entry));
    else
      each(info, count_numbers(source, entry.offset, entry.bytes, Counter(info.dtype, false)));
  }
}

void measure_npy(const ByteSource& source, const Each& each) {
  const NpyHeader header = read_npy_header(source);
  const ArrayInfo info = info_of("", header);
  if (!info.unreadable.empty()) return each(info, {});
  check_npy_size(header, source.size() - header.data_at, source.name());
  each(info, count_numbers(source, header.data_at, info.bytes, Counter(header.dtype, header.big_endian)));
}

// The header of an entry lies within its first piece.
void visit_npz(const std::filesystem::path& path, const Wanted& wanted, const Each& each, bool counting) {
  visit_npz_entries(path, [&](const std::string& entry, const NpzPieces& next) {
    const bool is_array = entry.ends_with(".npy");
    const std::string array = is_array ? entry.substr(0, entry.size() - 4) : entry;
    if (!wanted(array)) return;
    if (!is_array)
      return each({array, "?", "it is not an array: its name in the zip does not end with .npy"}, {});
    std::vector<std::byte> piece(k_piece);
    size_t got = next(piece);
    const std::string shown = path.string() + ": '" + array + "'";
    const auto start = memory_source(Bytes(piece.data(), got), shown);
    const NpyHeader header = read_npy_header(*start);
    const ArrayInfo info = info_of(array, header);
    if (!counting || !info.unreadable.empty()) return each(info, {});
    Counter counter(header.dtype, header.big_endian);
    uint64_t bytes = 0;
    std::vector<std::byte> left(piece.begin() + static_cast<std::ptrdiff_t>(header.data_at),
                                piece.begin() + static_cast<std::ptrdiff_t>(got));
    for (;;) {
      bytes += left.size();
      const size_t whole = left.size() / byte_size(header.dtype) * byte_size(header.dtype);
      counter.add(std::span(left).first(whole));
      left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(whole));
      if ((got = next(piece)) == 0) break;
      bytes -= left.size();  // counted with what follows it
      left.insert(left.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(got));
    }
    check_npy_size(header, bytes, shown);
    each(info, counter.result());
  });
}

bool is_torch(FileKind kind) { return kind == FileKind::pytorch || kind == FileKind::pytorch_old; }

FileKind kind_of(const std::filesystem::path& path) {
  const RecognizedFile seen = recognize(path);
  switch (seen.kind) {
    case FileKind::safetensors:
    case FileKind::npy:
    case FileKind::npz:
    case FileKind::pytorch:
    case FileKind::pytorch_old:
    case FileKind::gguf:
      return seen.kind;
    case FileKind::binary:
      if (path.extension() == ".npy") return FileKind::npy;  // damaged: its reader says where
      if (path.extension() == ".npz") return FileKind::npz;
      if (path.extension() == ".safetensors") return FileKind::safetensors;
      if (path.extension() == ".gguf") return FileKind::gguf;
      [[fallthrough]];
    default:
      fail_work(path.string(), " is ", seen.what, seen.advice.empty() ? "" : "; ", seen.advice);
  }
}

}  // namespace

ArrayList list_arrays(const std::filesystem::path& path) {
  ArrayList list;
  const FileKind kind = kind_of(path);
  if (kind == FileKind::npy) {
    list.arrays.push_back(info_of("", read_npy_header(*open_source(path))));
  } else if (kind == FileKind::npz) {
    visit_npz(
        path, [](const std::string&) { return true; },
        [&](const ArrayInfo& info, const ArrayNumbers&) { list.arrays.push_back(info); }, false);
  } else if (is_torch(kind)) {
    const TorchInfo info = inspect_torch(path);
    list.values = info.values;
    for (const auto& entry : info.entries) list.arrays.push_back(info_of(entry));
  } else if (kind == FileKind::gguf) {
    for (const auto& entry : inspect_gguf(path).entries) list.arrays.push_back(info_of(entry));
  } else {
    const SafetensorsInfo info = inspect_safetensors(path);
    list.metadata = info.metadata;
    for (const auto& entry : info.entries) list.arrays.push_back(info_of(entry));
  }
  return list;
}

void measure_arrays(const std::filesystem::path& path, const Wanted& wanted, const Each& each) {
  const FileKind kind = kind_of(path);
  if (kind == FileKind::npy) return measure_npy(*open_source(path), each);
  if (kind == FileKind::npz) return visit_npz(path, wanted, each, true);
  if (is_torch(kind)) return measure_torch(path, wanted, each);
  if (kind == FileKind::gguf) return measure_gguf(*open_source(path), wanted, each);
  measure_safetensors(*open_source(path), wanted, each);
}

}  // namespace limpid

#include "files/safetensors_header.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/utf8.h"
#include "files/recognize.h"

namespace limpid {

namespace {

constexpr uint64_t k_length_bytes = 8;
constexpr uint64_t k_most_header_bytes = 100'000'000;  // the reference implementation's limit

// ---- checks --------------------------------------------------------------------------------------

// Every byte of the data belongs to one tensor, and each tensor has as many as its shape and type need.
void check_layout(const SafetensorsInfo& info, const std::string& file, uint64_t data_bytes) {
  uint64_t end = 0;
  const std::string* before = nullptr;
  for (const auto& entry : info.entries) {
    const auto offsets = join("data_offsets [", entry.offset, ", ", entry.offset + entry.bytes, "]");
    if (entry.offset != end)
      fail_work(file, ": tensor '", entry.name, "': ", offsets,
                entry.offset < end ? " overlap " : " leave a hole after ",
                before ? "tensor '" + *before + "'" : "the header", ", expected to begin at ", end);
    // Of a type that is not ours only the place can be checked.
    uint64_t needed = entry.unreadable.empty() && entry.stored.empty() ? byte_size(entry.dtype) : 1;
    for (const Dim& dim : entry.shape)
      if (__builtin_mul_overflow(needed, static_cast<uint64_t>(dim.size), &needed) || needed > INT64_MAX)
        fail_work(file, ": tensor '", entry.name, "': shape ", entry.shape.text(),
                  " overflows: more than any memory holds");
    if (entry.unreadable.empty() && entry.bytes != needed)
      fail_work(file, ": tensor '", entry.name, "': ", offsets, " are ", entry.bytes, " bytes, expected ",
                needed, " for ",
                entry.stored.empty() ? safetensors_name(entry.dtype) : std::string_view(entry.stored), " ",
                entry.shape.text());
    end = entry.offset + entry.bytes;
    before = &entry.name;
  }
  if (end > data_bytes)
    fail_work(file, ": incomplete: the tensors take ", end, " bytes, ", data_bytes, " are there");
  if (end < data_bytes)
    fail_work(file, ": ", data_bytes - end, " bytes after the last tensor belong to none");
}

std::string read_header_text(const ByteSource& source) {
  const std::string& file = source.name();
  if (source.size() < k_length_bytes)
    fail_work(file, ": header too small: ", source.size(),
              " bytes, a safetensors file starts with 8 bytes of header length; the file was cut short, or "
              "is none");
  std::array<unsigned char, k_length_bytes> raw;
  source.read(0, std::as_writable_bytes(std::span(raw)));
  uint64_t length = 0;
  for (size_t i = 0; i < raw.size(); ++i) length |= uint64_t{raw[i]} << (8 * i);
  if (length > k_most_header_bytes)
    fail_work(file, ": header too large: ", length, " bytes, at most ", k_most_header_bytes,
              " are allowed; this is probably no safetensors file");
  if (length > source.size() - k_length_bytes)
    fail_work(file, ": invalid header length: ", length, " bytes, only ", source.size() - k_length_bytes,
              " follow; the file was cut short, or is no safetensors file");
  std::string text(length, '\0');
  source.read(k_length_bytes, std::as_writable_bytes(std::span(text)));
  if (const size_t at = first_not_utf8(text); at != text.npos)
    fail_work(file, ": header is not UTF-8, at byte ", at, " of it");
  // two things the JSON reader below would let pass: it takes a zero byte as the end, and skips a byte order
  // mark
  if (const size_t at = text.find('\0'); at != text.npos)
    fail_work(file, ": header is not JSON, at byte ", at, " of it: a zero byte");
  if (text.starts_with("\xef\xbb\xbf"))
    fail_work(file, ": header is not JSON: it starts with a byte order mark");
  return text;
}

}  // namespace

SafetensorsInfo read_safetensors_header(const ByteSource& source) {
  refuse_other_kinds(source, FileKind::safetensors);
  const std::string text = read_header_text(source);
  SafetensorsInfo info = parse_safetensors_json(text, source.name());
  std::stable_sort(info.entries.begin(), info.entries.end(), [](const auto& a, const auto& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  const uint64_t data = k_length_bytes + text.size();
  check_layout(info, source.name(), source.size() - data);
  for (auto& entry : info.entries) entry.offset += data;
  return info;
}

// ---- entries to JSON -----------------------------------------------------------------------------

std::string write_safetensors_header(SafetensorsInfo& info) {
  const auto quoted = [](const std::string& text, const char* what) {
    if (!is_utf8(text)) fail_call("safetensors: ", what, " '", text, "' is not UTF-8");
    return nlohmann::json(text).dump();
  };
  std::string text;
  for (const auto& [key, value] : info.metadata)
    text += (text.empty() ? "" : ",") + quoted(key, "metadata key") + ":" + quoted(value, "metadata value");
  if (!text.empty()) text = "\"__metadata__\":{" + text + "}";
  uint64_t end = 0;
  for (auto& entry : info.entries) {
    if (entry.name == k_safetensors_metadata) fail_call("safetensors: a tensor cannot be named __metadata__");
    std::string sizes;
    for (const Dim& dim : entry.shape) sizes += (sizes.empty() ? "" : ",") + std::to_string(dim.size);
    text += join(text.empty() ? "" : ",", quoted(entry.name, "tensor name"), ":{\"dtype\":\"",
                 safetensors_name(entry.dtype), "\",\"shape\":[", sizes, "],\"data_offsets\":[", end, ",",
                 end + entry.bytes, "]}");
    entry.offset = end;
    end += entry.bytes;
  }
  text = "{" + text + "}";
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > k_most_header_bytes)
    fail_call("safetensors: names, shapes and metadata take ", text.size(), " bytes, at most ",
              k_most_header_bytes, " are allowed");
  std::string length;
  const uint64_t size = text.size();  // of 64 bits, where size_t may have 32
  for (int i = 0; i < 8; ++i) length += static_cast<char>(size >> (8 * i) & 0xff);
  for (auto& entry : info.entries) entry.offset += length.size() + text.size();
  return length + text;
}

}  // namespace limpid

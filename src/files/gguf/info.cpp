// What a header says, by key and name.
#include <algorithm>
#include <limits>

#include "core/label.h"
#include "files/gguf/header.h"

namespace limpid {

namespace {

const GgufValue* scalar_of(const GgufInfo& info, std::string_view key) {
  const auto found = info.metadata.find(key);
  return found == info.metadata.end() ? nullptr : &found->second;
}

[[noreturn]] void fail_kind(const GgufInfo& info, std::string_view key, const GgufValue& value,
                            const char* expected) {
  fail_work(info.file, ": metadata ", in_quotes(key), " is ", value.array ? "an array of " : "of type ",
            name(value.type), ", expected ", expected);
}

}  // namespace

const GgufInfo::Entry* GgufInfo::find(std::string_view name) const {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

std::optional<int64_t> GgufInfo::integer(std::string_view key) const {
  const GgufValue* value = scalar_of(*this, key);
  if (!value) return {};
  if (value->array) fail_kind(*this, key, *value, "an integer");
  if (const auto* number = std::get_if<int64_t>(&value->value)) return *number;
  const auto* number = std::get_if<uint64_t>(&value->value);
  if (!number) fail_kind(*this, key, *value, "an integer");
  if (*number > INT64_MAX)
    fail_work(file, ": metadata ", in_quotes(key), " is ", *number, ", expected at most ", INT64_MAX);
  return static_cast<int64_t>(*number);
}

std::optional<double> GgufInfo::number(std::string_view key) const {
  const GgufValue* value = scalar_of(*this, key);
  if (!value) return {};
  if (const auto* number = std::get_if<double>(&value->value); number && !value->array) return *number;
  if (const auto* number = std::get_if<int64_t>(&value->value); number && !value->array)
    return static_cast<double>(*number);
  if (const auto* number = std::get_if<uint64_t>(&value->value); number && !value->array)
    return static_cast<double>(*number);
  fail_kind(*this, key, *value, "a number");
}

std::optional<bool> GgufInfo::boolean(std::string_view key) const {
  const GgufValue* value = scalar_of(*this, key);
  if (!value) return {};
  if (const auto* is = std::get_if<bool>(&value->value); is && !value->array) return *is;
  fail_kind(*this, key, *value, "a bool");
}

std::optional<std::string> GgufInfo::text(std::string_view key) const {
  const GgufValue* value = scalar_of(*this, key);
  if (!value) return {};
  if (const auto* is = std::get_if<std::string>(&value->value); is && !value->array) return *is;
  fail_kind(*this, key, *value, "a string");
}

int64_t GgufInfo::parameter_count() const {
  int64_t sum = 0;
  for (const Entry& entry : entries) sum += entry.shape.count();
  return sum;
}

GgufInfo inspect_gguf(const std::filesystem::path& path) { return read_gguf_header(*open_source(path)); }

GgufInfo inspect_gguf(Bytes bytes, std::string_view name) {
  return read_gguf_header(*memory_source(bytes, name));
}

}  // namespace limpid

// Pickles and checkpoints by hand, for tests: what torch.save would write, and what it never would.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace limpid::torch {

template <class T>
std::string raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// Pieces of a pickle: each pushes one value.
inline std::string text(const std::string& t) {
  return "X" + raw<uint32_t>(static_cast<uint32_t>(t.size())) + t;
}
inline std::string integer(int32_t n) { return "J" + raw(n); }
inline std::string wide(int64_t n) { return "\x8a\x08" + raw(n); }
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string many(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += part;
  return all;
}
inline std::string tuple(const std::vector<std::string>& parts) { return "(" + many(parts) + "t"; }
inline std::string list(const std::vector<std::string>& parts) { return "](" + many(parts) + "e"; }
/// Keys and values in turn.
inline std::string dict(const std::vector<std::string>& parts) { return "}(" + many(parts) + "u"; }
inline std::string call(const std::string& module, const std::string& name,
                        const std::vector<std::string>& arguments) {
  return global(module, name) + tuple(arguments) + "R";
}
inline std::string sizes(const std::vector<int64_t>& numbers) {
  std::vector<std::string> parts;
  for (const int64_t n : numbers) parts.push_back(wide(n));
  return tuple(parts);
}
inline std::string storage(const std::string& type, const std::string& key, int64_t count) {
  return tuple({text("storage"), global("torch", type), text(key), text("cpu"), wide(count)}) + "Q";
}
inline std::string tensor(const std::string& storage, int64_t offset, const std::vector<int64_t>& shape,
                          const std::vector<int64_t>& strides) {
  return call(
      "torch._utils", "_rebuild_tensor_v2",
      {storage, wide(offset), sizes(shape), sizes(strides), "\x89", call("collections", "OrderedDict", {})});
}
inline std::string pickle(const std::string& value) { return "\x80\x02" + value + "."; }

inline uint32_t crc32_of(const std::string& bytes) {
  uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

struct ZipEntry {
  std::string name, content;
};

/// A zip of stored entries.
inline std::string zip_of(const std::vector<ZipEntry>& entries) {
  std::string out, directory;
  for (const ZipEntry& entry : entries) {
    const auto size = static_cast<uint32_t>(entry.content.size());
    const std::string common = raw<uint16_t>(20) + std::string(4, '\0') + raw<uint32_t>(33u << 16) +
                               raw(crc32_of(entry.content)) + raw(size) + raw(size) +
                               raw(static_cast<uint16_t>(entry.name.size())) + raw<uint16_t>(0);
    directory += "PK\1\2" + raw<uint16_t>(20) + common + std::string(10, '\0') +
                 raw(static_cast<uint32_t>(out.size())) + entry.name;
    out += "PK\3\4" + common + entry.name + entry.content;
  }
  const auto count = static_cast<uint16_t>(entries.size());
  return out + directory + "PK\5\6" + std::string(4, '\0') + raw(count) + raw(count) +
         raw(static_cast<uint32_t>(directory.size())) + raw(static_cast<uint32_t>(out.size())) +
         raw<uint16_t>(0);
}

/// The zip form; storages by key.
inline std::string checkpoint(const std::string& value,
                              const std::vector<std::pair<std::string, std::string>>& storages = {},
                              const std::string& order = "little") {
  std::vector<ZipEntry> entries = {{"archive/data.pkl", pickle(value)}, {"archive/byteorder", order}};
  for (const auto& [key, content] : storages) entries.push_back({"archive/data/" + key, content});
  entries.push_back({"archive/version", "3\n"});
  return zip_of(entries);
}

/// The old form; storages by key, each with how many numbers it says it has.
struct OldStorage {
  std::string key;
  int64_t count;
  std::string content;
};
inline std::string old_checkpoint(const std::string& value, const std::vector<OldStorage>& storages = {},
                                  bool little = true) {
  std::vector<std::string> keys;
  std::string numbers;
  for (const auto& [key, count, content] : storages) {
    keys.push_back(text(key));
    numbers += raw(count) + content;
  }
  return pickle("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") + pickle(integer(1001)) +
         pickle(dict(
             {text("protocol_version"), integer(1001), text("little_endian"), little ? "\x88" : "\x89"})) +
         pickle(value) + pickle(list(keys)) + numbers;
}

template <class T>
std::string numbers(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace limpid::torch

#include "files/place.h"

#include <algorithm>

namespace limpid {

namespace {

thread_local const std::map<std::string, Bytes>* held = nullptr;

std::string key_of(const std::filesystem::path& path) { return path.lexically_normal().generic_string(); }

std::string inside(const std::filesystem::path& folder) {
  std::string key = key_of(folder);
  if (!key.ends_with('/')) key += '/';
  return key;
}

bool holds_folder(const std::filesystem::path& folder) {
  if (!held) return false;
  const std::string start = inside(folder);
  const auto first = held->lower_bound(start);
  return first != held->end() && first->first.starts_with(start);
}

}  // namespace

MemoryFiles::MemoryFiles(std::map<std::string, Bytes> files) {
  for (const auto& [path, bytes] : files) files_[key_of(path)] = bytes;
  held = &files_;
}

MemoryFiles::~MemoryFiles() { held = nullptr; }

std::optional<Bytes> in_memory(const std::filesystem::path& path) {
  if (!held) return std::nullopt;
  const auto found = held->find(key_of(path));
  return found == held->end() ? std::nullopt : std::optional(found->second);
}

bool is_file(const std::filesystem::path& path) { return in_memory(path) || disk::is_file(path); }
bool is_folder(const std::filesystem::path& path) { return holds_folder(path) || disk::is_folder(path); }

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  if (!holds_folder(folder)) return disk::names_in(folder);
  std::vector<std::string> names;
  const std::string start = inside(folder);
  for (auto at = held->lower_bound(start); at != held->end() && at->first.starts_with(start); ++at) {
    const std::string name = at->first.substr(start.size(), at->first.find('/', start.size()) - start.size());
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  return names;
}

std::unique_ptr<ByteSource> open_source(const std::filesystem::path& path) {
  if (const auto bytes = in_memory(path)) return memory_source(*bytes, path.string());
  return disk::open(path);
}

std::string read_file(const std::filesystem::path& path) {
  if (const auto bytes = in_memory(path)) {
    const std::string_view text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    return std::string(text);
  }
  return disk::read(path);
}

}  // namespace limpid

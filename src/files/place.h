// Where a path leads: to the disk, or to files in memory for as long as somebody reads from there.  Readers
// of a model ask here and not the file system, so that the same code reads a folder of the disk and one that
// a page was given.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "files/byte_source.h"
#include "limpid/files.h"

namespace limpid {

/// While this lives, its thread finds these files by their paths ("model.gguf", "folder/config.json") before
/// those of the disk; their bytes outlive it.  One at a time on a thread.
class MemoryFiles {
 public:
  explicit MemoryFiles(std::map<std::string, Bytes> files);
  ~MemoryFiles();
  MemoryFiles(const MemoryFiles&) = delete;
  MemoryFiles& operator=(const MemoryFiles&) = delete;

 private:
  std::map<std::string, Bytes> files_;
};

/// What memory holds under that path; nothing: the disk is asked.
std::optional<Bytes> in_memory(const std::filesystem::path&);

bool is_file(const std::filesystem::path&);
bool is_folder(const std::filesystem::path&);
/// Names of what lies in a folder, sorted; none where it cannot be read.
std::vector<std::string> names_in(const std::filesystem::path& folder);

// ---- the disk: disk.cpp, or no_disk.cpp in a page -------------------------------------------------------

namespace disk {
bool is_file(const std::filesystem::path&);
bool is_folder(const std::filesystem::path&);
std::vector<std::string> names_in(const std::filesystem::path& folder);
std::unique_ptr<ByteSource> open(const std::filesystem::path&);
/// To the end, a pipe's too.
std::string read(const std::filesystem::path&);
}  // namespace disk

}  // namespace limpid

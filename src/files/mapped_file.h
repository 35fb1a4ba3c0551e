// A file's bytes without a copy: mapped where it is a regular file, read to the end where it is a pipe.
#pragma once

#include <filesystem>
#include <string>

#include "limpid/files.h"

namespace limpid {

/// The bytes live as long as this does.  A file that another program makes shorter meanwhile ends the program
/// (SIGBUS), as with every mapping: readers of files that may be written to use open_source.
class MappedFile {
 public:
  /// Throws Error{work} where the file cannot be read.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  Bytes bytes() const { return bytes_; }
  /// Gives back the memory that reading this part took; it may be read again.
  void forget(Bytes part) const;

 private:
  Bytes bytes_;
  void* mapping_ = nullptr;
  std::string read_;  // a pipe's
};

}  // namespace limpid

// Bytes to read from, in a file or in memory: the readers are written once for both.
#pragma once

#include <memory>
#include <string>

#include "limpid/files.h"

namespace limpid {

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  /// The file, for messages.
  const std::string& name() const { return name_; }
  uint64_t size() const { return size_; }
  /// Fills `into` with the bytes from `offset` on.  Throws Error{work} if there are fewer.
  virtual void read(uint64_t offset, std::span<std::byte> into) const = 0;

 protected:
  std::string name_;
  uint64_t size_ = 0;
};

/// Opens a file.  A pipe, which cannot be read from the middle, is read to its end first.
std::unique_ptr<ByteSource> open_source(const std::filesystem::path& path);
/// Reads from memory that outlives the source.
std::unique_ptr<ByteSource> memory_source(Bytes bytes, std::string_view name);

}  // namespace limpid

// libzip's objects, each closed by its owner; and what may come out of an archive in all.
#pragma once

#include <zip.h>

#include <algorithm>
#include <cstdint>
#include <memory>

namespace limpid {

struct ErrorText {
  ErrorText() { zip_error_init(&error); }
  ~ErrorText() { zip_error_fini(&error); }
  ErrorText(const ErrorText&) = delete;
  ErrorText& operator=(const ErrorText&) = delete;
  zip_error_t error;
  const char* text() { return zip_error_strerror(&error); }
};

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseEntry {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
struct FreeSource {
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using Archive = std::unique_ptr<zip_t, Discard>;
using Entry = std::unique_ptr<zip_file_t, CloseEntry>;
using Source = std::unique_ptr<zip_source_t, FreeSource>;

// Deflate makes a thousand bytes of one: what may come out of an archive in all.  Arrays of measured numbers
// shrink to a half or a tenth; what shrinks to a hundredth and has more than 256 MB is a trap.
inline constexpr uint64_t k_always_read = uint64_t{256} << 20, k_most_growth = 100;

inline uint64_t most_unpacked(uint64_t archive_bytes) {
  if (archive_bytes >= UINT64_MAX / k_most_growth) return k_always_read;
  return std::max(k_always_read, k_most_growth * archive_bytes);
}

}  // namespace limpid

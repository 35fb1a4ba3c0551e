#include "files/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/place.h"

namespace limpid {

MappedFile::MappedFile(const std::filesystem::path& path) {
  if (const auto held = in_memory(path)) {
    bytes_ = *held;
    return;
  }
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (descriptor >= 0 && ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    const auto size = static_cast<size_t>(status.st_size);
    void* mapping = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (mapping != MAP_FAILED) {
      mapping_ = mapping;
      bytes_ = Bytes(static_cast<const std::byte*>(mapping), size);
    }
  }
  if (descriptor >= 0) ::close(descriptor);
  if (mapping_) return;
  read_ = read_file(path);  // a pipe, an empty file, a file system that maps none; or it says what is wrong
  bytes_ = bytes_of(read_);
}

void MappedFile::forget(Bytes part) const {
  if (!mapping_ || part.empty()) return;
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t first = static_cast<size_t>(part.data() - bytes_.data()) / page * page;
  const size_t end = static_cast<size_t>(part.data() - bytes_.data()) + part.size();
  ::madvise(static_cast<std::byte*>(mapping_) + first, end - first, MADV_DONTNEED);  // a wish
}

MappedFile::~MappedFile() {
  if (mapping_) ::munmap(mapping_, bytes_.size());
}

}  // namespace limpid

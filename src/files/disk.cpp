// Files of the disk.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "files/place.h"

namespace limpid::disk {

namespace {

// What is read of a pipe or a device, which says of no size and may have no end (/dev/zero).
constexpr size_t k_most_piped = size_t{4} << 30;

[[noreturn]] void fail_reading(const std::string& name) {
  fail_work("cannot read ", name, ": ", std::generic_category().message(errno));
}

class FileSource : public ByteSource {
 public:
  explicit FileSource(const std::filesystem::path& path) {
    name_ = path.string();
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail_reading(name_);
    struct stat status;
    if (::fstat(descriptor_, &status) != 0 || S_ISDIR(status.st_mode)) {
      const int error = errno;
      ::close(descriptor_);  // the destructor does not run for a half-made object
      if (S_ISDIR(status.st_mode))
        fail_work(name_, " is a folder, expected a file; `limpid info ", name_, "` lists what it holds");
      errno = error;
      fail_reading(name_);
    }
    seekable_ = S_ISREG(status.st_mode);
    size_ = seekable_ ? static_cast<uint64_t>(status.st_size) : 0;
  }
  ~FileSource() override { ::close(descriptor_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  bool seekable() const { return seekable_; }

  void read(uint64_t offset, std::span<std::byte> into) const override {
    while (!into.empty()) {
      const ssize_t got = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail_reading(name_);
      if (got == 0) fail_work(name_, ": ends at byte ", offset, ", expected ", into.size(), " more");
      into = into.subspan(static_cast<size_t>(got));
      offset += static_cast<uint64_t>(got);
    }
  }

  // From where the descriptor stands to the end: also for a pipe, and for a file in /proc that says it is
  // empty.
  std::string read_to_end() const {
    std::string content;
    size_t used = 0;
    content.resize(std::max<size_t>(size_ + 1, 4096));  // one more, so that a file of this size ends at once
    for (;;) {
      if (!seekable_ && used > k_most_piped)
        fail_work(name_, ": has more than ", k_most_piped,
                  " bytes, the most that is read of a pipe or a device");
      if (used == content.size()) content.resize(seekable_ ? 2 * used : std::min(2 * used, k_most_piped + 1));
      const ssize_t got = ::read(descriptor_, content.data() + used, content.size() - used);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail_reading(name_);
      if (got == 0) break;
      used += static_cast<size_t>(got);
    }
    content.resize(used);
    return content;
  }

 private:
  int descriptor_ = -1;
  bool seekable_ = false;
};

// A pipe, read whole.
class OwnedSource : public ByteSource {
 public:
  OwnedSource(std::string content, const std::string& name)
      : content_(std::move(content)), view_(memory_source(bytes_of(content_), name)) {
    name_ = name;
    size_ = content_.size();
  }
  void read(uint64_t offset, std::span<std::byte> into) const override { view_->read(offset, into); }

 private:
  std::string content_;
  std::unique_ptr<ByteSource> view_;
};

}  // namespace

bool is_file(const std::filesystem::path& path) {
  std::error_code none;
  return std::filesystem::is_regular_file(path, none);
}

bool is_folder(const std::filesystem::path& path) {
  std::error_code none;
  return std::filesystem::is_directory(path, none);
}

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code none;
  for (std::filesystem::directory_iterator at(folder, none), end; !none && at != end; at.increment(none))
    names.push_back(at->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::unique_ptr<ByteSource> open(const std::filesystem::path& path) {
  auto file = std::make_unique<FileSource>(path);
  if (file->seekable()) return file;
  return std::make_unique<OwnedSource>(file->read_to_end(), file->name());
}

std::string read(const std::filesystem::path& path) { return FileSource(path).read_to_end(); }

}  // namespace limpid::disk

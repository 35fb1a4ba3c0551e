// FileWriter: temporary file in the same folder, fsync, rename.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <system_error>

#include "limpid/files.h"

namespace limpid {

namespace fs = std::filesystem;

struct FileWriter::State {
  fs::path named;      // what the caller said, for messages
  fs::path target;     // the file itself, symbolic links followed
  fs::path temporary;  // empty where the target is written to directly
  int descriptor = -1;

  [[noreturn]] void fail() const {
    const int why = errno;
    const fs::path folder = target.parent_path();
    std::error_code unknown;
    if (why == ENOENT && !folder.empty() && !fs::exists(folder, unknown))
      fail_work("cannot write ", named.string(), ": there is no folder ", folder.string());
    fail_work("cannot write ", named.string(), ": ", std::generic_category().message(why));
  }
  void open_temporary();
  void close();
  ~State();
};

namespace {

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

// A name that no other file of the folder has, of this process and others.  Short: the target's own name may
// already be as long as a name can be.
fs::path temporary_beside(const fs::path& target) {
  static std::atomic<unsigned> count = 0;
  return folder_of(target) /
         (".limpid-" + std::to_string(::getpid()) + "-" + std::to_string(count++) + ".tmp");
}

// Best effort: some file systems cannot, and the file is whole either way.
void sync_folder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

void FileWriter::State::open_temporary() {
  for (;;) {
    temporary = temporary_beside(target);
    descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0) return;
    if (errno != EEXIST) {  // EEXIST: left by a killed process of the same number
      temporary.clear();
      fail();
    }
  }
}

void FileWriter::State::close() {
  const int open = descriptor;
  descriptor = -1;
  if (open >= 0 && ::close(open) != 0 && errno != EINTR) fail();
}

FileWriter::State::~State() {
  if (descriptor >= 0) ::close(descriptor);
  if (!temporary.empty()) ::unlink(temporary.c_str());
}

FileWriter::FileWriter(fs::path path) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.named = std::move(path);
  if (s.named.empty()) fail_work("cannot write a file: its path is empty");
  std::error_code none;
  const fs::path followed = fs::canonical(s.named, none);
  s.target = none ? s.named : followed;

  struct stat old;
  const bool exists = ::stat(s.target.c_str(), &old) == 0;
  if (exists && !S_ISREG(old.st_mode)) {
    s.descriptor = ::open(s.target.c_str(), O_WRONLY | O_CLOEXEC);  // a folder: EISDIR
    if (s.descriptor < 0) s.fail();
    return;
  }
  // rename() would replace a file that its owner made read-only
  if (exists && ::faccessat(AT_FDCWD, s.target.c_str(), W_OK, AT_EACCESS) != 0) s.fail();
  s.open_temporary();
  if (exists && ::fchmod(s.descriptor, old.st_mode & 07777) != 0) s.fail();
}

FileWriter::~FileWriter() = default;

void FileWriter::write(Bytes bytes) {
  State& s = *state_;
  if (s.descriptor < 0) fail_call("write to ", s.named.string(), " after its commit");
  while (!bytes.empty()) {
    const ssize_t written = ::write(s.descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) s.fail();
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void FileWriter::commit() {
  State& s = *state_;
  if (s.descriptor < 0) fail_call("second commit of ", s.named.string());
  if (s.temporary.empty()) return s.close();
  if (::fsync(s.descriptor) != 0) s.fail();
  s.close();
  if (::rename(s.temporary.c_str(), s.target.c_str()) != 0) s.fail();
  s.temporary.clear();
  sync_folder(folder_of(s.target));
}

void write_file_whole(const fs::path& path, Bytes bytes) {
  FileWriter writer(path);
  writer.write(bytes);
  writer.commit();
}

void write_file_whole(const fs::path& path, std::string_view bytes) {
  write_file_whole(path, bytes_of(bytes));
}

}  // namespace limpid

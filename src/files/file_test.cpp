#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "files/test_files.h"
#include "limpid/files.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;

// Permissions do not bind root: while one of these lives, the process is nobody.
struct AsNobody {
  AsNobody() : root(::geteuid() == 0) {
    if (root && ::seteuid(65534) != 0) std::abort();
  }
  ~AsNobody() {
    if (root && ::seteuid(0) != 0) std::abort();
  }
  bool root;
};

// A disk that is full after so many bytes of a file: write() fails as it does on a full disk.
struct SmallDisk {
  explicit SmallDisk(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before);
    rlimit small = before;
    small.rlim_cur = bytes;
    handler = std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
  }
  rlimit before;
  void (*handler)(int);
};

mode_t mode_of(const fs::path& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

// ---- reading -------------------------------------------------------------------------------------

TEST(ReadFile, gives_every_byte) {
  const TestFolder folder;
  for (size_t size : {0u, 1u, 4095u, 4096u, 4097u, 1000000u}) {
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7);
    write_file_whole(folder / "f", bytes);
    EXPECT_TRUE(read_file(folder / "f") == bytes) << size;
  }
}

TEST(ReadFile, reads_pipes_and_files_that_do_not_know_their_size) {
  EXPECT_NE(read_file("/proc/self/status").find("Name:"), std::string::npos);
  const TestFolder folder;
  const fs::path pipe = folder / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const std::string content(300000, 'x');
  std::thread writer([&] { write_file_whole(pipe, content); });
  const std::string got = read_file(pipe);
  writer.join();
  EXPECT_TRUE(got == content);
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST(ReadFile, says_what_is_wrong) {
  const TestFolder folder;
  EXPECT_TRUE(holds(error_of([&] { read_file(folder / "none"); }), {"cannot read", "/none", "No such file"}));
  EXPECT_TRUE(holds(error_of([&] { read_file(folder.path()); }), {folder.path().string(), "is a folder"}));
  EXPECT_TRUE(holds(error_of([&] { read_file(""); }), {"cannot read"}));
}

// ---- writing -------------------------------------------------------------------------------------

TEST(FileWriter, a_file_appears_at_its_commit_and_not_before) {
  const TestFolder folder;
  FileWriter writer(folder / "f");
  writer.write("first ");
  writer.write("second");
  EXPECT_FALSE(fs::exists(folder / "f"));
  writer.commit();
  EXPECT_EQ(read_file(folder / "f"), "first second");
  EXPECT_EQ(folder.files(), 1);
  EXPECT_TRUE(holds(error_of([&] { writer.write("late"); }, Error::Kind::call), {"after its commit"}));
  EXPECT_TRUE(holds(error_of([&] { writer.commit(); }, Error::Kind::call), {"second commit"}));
}

TEST(FileWriter, without_a_commit_nothing_happened) {
  const TestFolder folder;
  write_file_whole(folder / "old", "old");
  {
    FileWriter fresh(folder / "new"), over(folder / "old");
    fresh.write("half");
    over.write("half");
  }
  EXPECT_EQ(read_file(folder / "old"), "old");
  EXPECT_EQ(folder.files(), 1);
}

TEST(FileWriter, a_killed_process_leaves_the_old_file) {
  const TestFolder folder;
  write_file_whole(folder / "old", "old");
  const pid_t child = ::fork();
  if (child == 0) {
    FileWriter writer(folder / "old");
    writer.write("half of the new one");
    ::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(read_file(folder / "old"), "old");
}

TEST(FileWriter, a_full_disk_leaves_the_old_file_and_nothing_else) {
  const TestFolder folder;
  write_file_whole(folder / "old", "old");
  const std::string large(10000, 'x');
  TensorFile tensors;
  tensors.tensors.emplace("t", Tensor(DType::f32, Shape::unnamed({5000})));
  const Tensor& t = tensors.tensors.at("t");
  const std::function<void()> writes[] = {
      [&] { write_file_whole(folder / "old", large); },    [&] { write_file_whole(folder / "new", large); },
      [&] { write_safetensors(folder / "old", tensors); }, [&] { write_npy(folder / "old", t); },
      [&] { write_npz(folder / "old", tensors.tensors); }, [&] { write_csv(folder / "old", t); },
  };
  for (const auto& write : writes) {
    std::string message;
    {
      const SmallDisk disk(4096);
      message = error_of(write);
    }
    EXPECT_TRUE(holds(message, {"cannot write", folder.path().string(), "File too large"}));
    EXPECT_EQ(read_file(folder / "old"), "old");
    EXPECT_EQ(folder.files(), 1);
  }
  EXPECT_TRUE(holds(error_of([&] { write_file_whole("/dev/full", large); }), {"/dev/full", "No space left"}));
}

TEST(FileWriter, says_what_is_wrong) {
  const TestFolder folder;
  EXPECT_TRUE(holds(error_of([&] { FileWriter(folder / "none/f"); }),
                    {"cannot write", "none/f", "there is no folder", "/none"}));
  EXPECT_TRUE(
      holds(error_of([&] { FileWriter{folder.path()}; }), {folder.path().string(), "Is a directory"}));
  EXPECT_NE(error_of([&] { FileWriter(""); }), "");
  write_file_whole(folder / "f", "x");
  EXPECT_TRUE(holds(error_of([&] { FileWriter(folder / "f/g"); }), {"f/g", "Not a directory"}));
  const std::string long_name(300, 'n');
  EXPECT_NE(error_of([&] { write_file_whole(folder / long_name, "x"); }), "");
  EXPECT_EQ(folder.files(), 1);
}

TEST(FileWriter, keeps_off_what_is_read_only) {
  const TestFolder folder;
  write_file_whole(folder / "locked", "old");
  fs::permissions(folder / "locked", fs::perms(0444));
  fs::permissions(folder.path(), fs::perms(0777));
  {
    const AsNobody nobody;
    EXPECT_TRUE(holds(error_of([&] { write_file_whole(folder / "locked", "new"); }),
                      {"locked", "Permission denied"}));
  }
  EXPECT_EQ(read_file(folder / "locked"), "old");
  fs::permissions(folder.path(), fs::perms(0555));
  {
    const AsNobody nobody;
    EXPECT_TRUE(
        holds(error_of([&] { write_file_whole(folder / "new", "new"); }), {"/new", "Permission denied"}));
  }
  EXPECT_EQ(folder.files(), 1);
  fs::permissions(folder.path(), fs::perms(0700));
}

TEST(FileWriter, keeps_permissions_and_follows_links) {
  const TestFolder folder;
  write_file_whole(folder / "target", "old");
  fs::permissions(folder / "target", fs::perms(0640));
  fs::create_symlink("target", folder / "link");
  write_file_whole(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_file(folder / "target"), "new");
  EXPECT_EQ(mode_of(folder / "target"), 0640u);
  const mode_t mask = ::umask(027);
  write_file_whole(folder / "fresh", "x");
  ::umask(mask);
  EXPECT_EQ(mode_of(folder / "fresh"), 0640u);  // as any new file: 0666 less the mask
}

TEST(FileWriter, takes_the_longest_name_and_a_name_without_folder) {
  const TestFolder folder;
  const std::string longest(255, 'n');
  write_file_whole(folder / longest, "x");
  EXPECT_EQ(read_file(folder / longest), "x");
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  write_file_whole("bare", "y");
  fs::current_path(before);
  EXPECT_EQ(read_file(folder / "bare"), "y");
}

TEST(FileWriter, threads_do_not_meet) {
  const TestFolder folder;
  std::vector<std::thread> writers;
  for (int i = 0; i < 8; ++i)
    writers.emplace_back([&, i] {
      for (int round = 0; round < 10; ++round)
        write_file_whole(folder / "f", std::string(10000, static_cast<char>('a' + i)));
    });
  for (auto& writer : writers) writer.join();
  const std::string content = read_file(folder / "f");
  EXPECT_TRUE(content == std::string(10000, content[0]));
  EXPECT_EQ(folder.files(), 1);
}

}  // namespace
}  // namespace limpid

#include "train/run_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "limpid/error.h"
#include "limpid/files.h"

namespace limpid {
namespace {

struct RunLockTest : testing::Test {
  std::string path =
      (std::filesystem::temp_directory_path() / ("limpid_lock_" + std::to_string(getpid()))).string();
  ~RunLockTest() override { std::filesystem::remove(path); }
};

TEST_F(RunLockTest, IsHeldAsLongAsItLives) {
  EXPECT_FALSE(RunLock::held(path));
  {
    const RunLock lock(path, "limpid train sayings.json");
    EXPECT_TRUE(RunLock::held(path));
    EXPECT_EQ(read_file(path), "limpid train sayings.json");
    EXPECT_THROW(RunLock(path, "another"), Error);
    EXPECT_EQ(read_file(path), "limpid train sayings.json");
  }
  EXPECT_FALSE(RunLock::held(path));
  const RunLock again(path, "shorter");
  EXPECT_EQ(read_file(path), "shorter");
}

// A process that is killed says nothing; that it is gone is seen all the same.
TEST_F(RunLockTest, EndsWithItsProcess) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const RunLock lock(path, "");
    (void)!write(ready[1], "x", 1);
    for (;;) pause();
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_TRUE(RunLock::held(path));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(RunLock::held(path));
}

}  // namespace
}  // namespace limpid

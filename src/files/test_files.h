// What the tests of this folder share: a folder that goes away, the data folder, errors as text.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "limpid/error.h"

namespace limpid {

/// An empty folder, removed with all it holds at the end.
class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "limpid-test-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp failed for " + name);
    path_ = name;
  }
  ~TestFolder() {
    std::error_code none;
    std::filesystem::remove_all(path_, none);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }
  int64_t files() const {
    return std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator());
  }

 private:
  std::filesystem::path path_;
};

/// Read-only test data: LIMPID_DATA, or ../shared/data beside the repository.  It may be absent.
inline std::filesystem::path data_folder() {
  if (const char* named = std::getenv("LIMPID_DATA")) return named;
  return std::filesystem::path(LIMPID_SOURCE_DIR) / "../shared/data";
}

/// The message of the Error that `work` throws, "" if it throws none.
inline std::string error_of(const std::function<void()>& work, Error::Kind kind = Error::Kind::work) {
  try {
    work();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind) << e.what();
    return e.what();
  }
  return "";
}

/// Does the message hold every one of these pieces?
inline testing::AssertionResult holds(const std::string& message, std::initializer_list<std::string> pieces) {
  for (const std::string& piece : pieces)
    if (message.find(piece) == message.npos)
      return testing::AssertionFailure() << "no '" << piece << "' in the message '" << message << "'";
  return testing::AssertionSuccess();
}

/// Is there a Python with NumPy to compare with?
inline bool numpy_here() {
  static const bool here = std::system("/usr/bin/python3 -c 'import numpy' >/dev/null 2>&1") == 0;
  return here;
}

/// Runs a Python script that exits with 0 if all is as it should be.
inline bool python_agrees(const std::filesystem::path& folder, const std::string& script) {
  const auto path = folder / "check.py";
  FILE* file = std::fopen(path.c_str(), "w");
  if (!file) return false;
  std::fputs(script.c_str(), file);
  std::fclose(file);
  return std::system(("cd '" + folder.string() + "' && /usr/bin/python3 check.py").c_str()) == 0;
}

}  // namespace limpid

// Where the test data lies: LIMPID_DATA, by default ../shared/data beside the repository.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace limpid {

/// The folder, or "" where there is none (the test then skips and says so).
inline std::string data_folder(const std::string& part) {
  const char* given = std::getenv("LIMPID_DATA");
  const std::filesystem::path root = given ? given : LIMPID_SOURCE_DIR "/../shared/data";
  const std::filesystem::path folder = root / part;
  return std::filesystem::is_directory(folder) ? folder.string() : "";
}

}  // namespace limpid

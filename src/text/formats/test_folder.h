// Folders with SentencePiece models for tests, made byte by byte.
#pragma once

#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "text/test_text.h"

namespace limpid::text {

// A field of a protocol buffer: its number, its length, its bytes (up to 127).
inline std::string length_and(int number, std::string_view bytes) {
  return std::string(1, static_cast<char>(number << 3 | 2)) + static_cast<char>(bytes.size()) +
         std::string(bytes);
}
// A piece with its score, -1 or better for longer ones, and its type.
inline std::string scored(std::string_view text, int type = 1) {
  const float score = -3.0f / static_cast<float>(text.size() + 1);
  std::string bytes(sizeof score, '\0');
  std::memcpy(bytes.data(), &score, sizeof score);
  return length_and(1, length_and(1, text) + "\x15" + bytes + "\x18" + static_cast<char>(type));
}

class Folder {
 public:
  explicit Folder(const std::string& name)
      : path_(std::filesystem::path(::testing::TempDir()) / ("limpid_tokenizer_" + name)) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  Folder(Folder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
  }
  std::unique_ptr<Tokenizer> tokenizer() const { return load_tokenizer(path()); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace limpid::text

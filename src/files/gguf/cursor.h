// Reads the header of a GGUF file from its first byte on, in pieces of 64 KiB.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "files/byte_source.h"

namespace limpid {

class GgufCursor {
 public:
  GgufCursor(const ByteSource& source, uint64_t most)
      : source_(source), end_(std::min(source.size(), most)), piece_(std::min<uint64_t>(end_, k_piece)) {}

  uint64_t at() const { return at_; }
  uint64_t left() const { return end_ - at_; }
  /// What is being read, for messages: "metadata 'general.name'".
  void enter(std::string where) { where_ = std::move(where); }

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    fail_work(source_.name(), ": ", where_, where_.empty() ? "" : ", ", "at byte ", at_, ": ", parts...);
  }

  /// Throws Error{work} unless so many bytes are left.
  void need(uint64_t bytes, const char* what) const {
    if (bytes <= left()) return;
    if (end_ < source_.size())
      fail(what, " of ", bytes, " bytes: the header is longer than ", end_, " bytes, the most that is read");
    fail(what, " of ", bytes, " bytes, only ", left(), " follow; the file was cut short, or is damaged");
  }

  template <class T>
  T number(const char* what) {
    T value;
    need(sizeof value, what);
    read(std::as_writable_bytes(std::span(&value, 1)));
    return value;
  }

  /// A length and so many bytes.
  std::string string(const char* what, uint64_t most) {
    const auto length = number<uint64_t>("a length");
    if (length > most) fail(what, " of ", length, " bytes, at most ", most, " are allowed");
    need(length, what);
    std::string text(length, '\0');
    read(std::as_writable_bytes(std::span(text)));
    return text;
  }

  void skip(uint64_t bytes, const char* what) {
    need(bytes, what);
    at_ += bytes;
  }

  /// Fills `into`; there must be as many bytes.
  void read(std::span<std::byte> into) {
    while (!into.empty()) {
      if (at_ < begin_ || at_ >= begin_ + filled_) refill();
      const auto from = static_cast<size_t>(at_ - begin_);
      const size_t count = std::min(into.size(), filled_ - from);
      std::memcpy(into.data(), piece_.data() + from, count);
      into = into.subspan(count);
      at_ += count;
    }
  }

 private:
  static constexpr uint64_t k_piece = 1 << 16;

  void refill() {
    begin_ = at_;
    filled_ = static_cast<size_t>(std::min<uint64_t>(piece_.size(), end_ - at_));
    source_.read(begin_, std::span(piece_).first(filled_));
  }

  const ByteSource& source_;
  uint64_t end_;
  std::vector<std::byte> piece_;
  uint64_t begin_ = 0, at_ = 0;  // of the piece; where the next byte is read
  size_t filled_ = 0;
  std::string where_;
};

}  // namespace limpid

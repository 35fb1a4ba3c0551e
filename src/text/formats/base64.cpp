#include "text/formats/base64.h"

#include <algorithm>

#include <cstdint>

#include "limpid/error.h"

namespace limpid::text {
namespace {

constexpr std::string_view k_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

}  // namespace

std::string from_base64(std::string_view text) {
  const size_t size = text.size();
  while (!text.empty() && text.back() == '=' && size - text.size() < 2) text.remove_suffix(1);
  if (size % 4 != 0 || text.size() % 4 == 1) {
    fail_work("base64 of ", size, " characters, expected a multiple of 4");
  }
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  uint32_t bits = 0;
  int count = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const int value = value_of(text[at]);
    if (value < 0) fail_work("base64: its character ", at, " is none of base64's");
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xFF);
    }
  }
  return out;
}

std::string to_base64(std::string_view bytes) {
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t bits = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - at);
    for (size_t i = 0; i < 3; ++i)
      bits = bits << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    for (size_t i = 0; i < 4; ++i) out += i <= count ? k_digits[bits >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

}  // namespace limpid::text

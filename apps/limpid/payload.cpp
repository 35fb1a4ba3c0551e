#include "limpid/payload.h"

#include <array>
#include <optional>

#include "limpid/error.h"

namespace limpid::command {

namespace {

unsigned char moved(char byte, int key) { return static_cast<unsigned char>(byte + key); }

// The least key that `block`, behind a character, may have; -1: there is none.
int key_of(std::string_view block, char before) {
  std::array<bool, 256> bad = {};
  const auto forbid = [&](int key) { bad[static_cast<unsigned char>(key)] = true; };
  forbid('\r');
  if (before == '<') forbid('/'), forbid('!');
  if (const unsigned char first = moved(block[0], '<'); first == '/' || first == '!') forbid('<');
  for (size_t i = 0; i < block.size(); ++i) {
    forbid('\r' - block[i]);
    if (i + 1 == block.size()) break;
    const auto step = static_cast<unsigned char>(block[i + 1] - block[i]);
    for (const char after : {'/', '!'})
      if (step == static_cast<unsigned char>(after - '<')) forbid('<' - block[i]);
  }
  for (int key = 0; key < 256; ++key)
    if (!bad[static_cast<size_t>(key)]) return key;
  return -1;
}

std::optional<std::string> coded(std::string_view bytes, size_t size) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / size + 1);
  for (size_t from = 0; from < bytes.size(); from += size) {
    const std::string_view block = bytes.substr(from, size);
    const int key = key_of(block, out.empty() ? '\0' : out.back());
    if (key < 0) return std::nullopt;
    out += static_cast<char>(key);
    for (const char byte : block) out += static_cast<char>(moved(byte, key));
  }
  return out;
}

}  // namespace

Payload coded_payload(std::string_view bytes) {
  // Of packed bytes the first fits.  At 32 there is a key for any: 32 bytes and the 31 steps between them
  // forbid at most 63, what stands around them 4.
  for (const size_t block : {512, 256, 128, 64, 32})
    if (std::optional<std::string> text = coded(bytes, block)) return {std::move(*text), block};
  fail_work("explore: bytes that no key moves");
}

}  // namespace limpid::command

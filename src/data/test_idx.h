// What tests of IDX share: a file of bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace limpid {

inline std::string idx_bytes(const std::vector<uint32_t>& sizes, const std::string& numbers, char type = 8) {
  std::string out = {0, 0, type, static_cast<char>(sizes.size())};
  for (const uint32_t size : sizes)
    for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(size >> shift);
  return out + numbers;
}

}  // namespace limpid

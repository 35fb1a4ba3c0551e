// What may come out of a file that is compressed.
#pragma once

#include <algorithm>
#include <cstdint>

namespace limpid {

// Deflate makes a thousand bytes of one: what may come out of one in all.  Arrays of measured numbers
// shrink to a half or a tenth; what shrinks to a hundredth and has more than 256 MB is a trap.
inline constexpr uint64_t k_always_read = uint64_t{256} << 20, k_most_growth = 100;

inline uint64_t most_unpacked(uint64_t archive_bytes) {
  if (archive_bytes >= UINT64_MAX / k_most_growth) return k_always_read;
  return std::max(k_always_read, k_most_growth * archive_bytes);
}

}  // namespace limpid

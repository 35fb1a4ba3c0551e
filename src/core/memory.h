// Memory for numbers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace limpid {

/// At least `bytes` bytes at a multiple of 64, or null where there are none.  A block of 4 MiB or more begins
/// a page of 2 MiB and is put on such pages where the system has them (Linux): with those of 4 KiB every page
/// of a stream costs a walk through the page table, a fifth to a third of all time that reading takes (Zen 4,
/// as a guest).
std::byte* allocate(std::uint64_t bytes) noexcept;
void release(std::byte* block) noexcept;

}  // namespace limpid

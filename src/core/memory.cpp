#include "core/memory.h"

#include <cstdlib>

#if __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

namespace limpid {

namespace {

constexpr std::size_t k_line = 64, k_large_page = std::size_t{2} << 20;

}  // namespace

std::byte* allocate(std::uint64_t wanted) noexcept {
  if (wanted > SIZE_MAX / 2) return nullptr;  // where addresses have 32 bits
  const auto bytes = static_cast<std::size_t>(wanted);
  const bool large = bytes >= 2 * k_large_page;
  void* block = nullptr;
  if (posix_memalign(&block, large ? k_large_page : k_line, bytes > 0 ? bytes : 1) != 0) return nullptr;
#ifdef MADV_HUGEPAGE
  if (large) madvise(block, bytes, MADV_HUGEPAGE);  // a wish: where it is refused nothing is lost
#endif
  return static_cast<std::byte*>(block);
}

void release(std::byte* block) noexcept { std::free(block); }

}  // namespace limpid

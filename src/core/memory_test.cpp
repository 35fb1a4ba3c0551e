#include "core/memory.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

namespace limpid {
namespace {

uint64_t address(const std::byte* p) { return reinterpret_cast<uint64_t>(p); }

TEST(Memory, BeginsALineAndWhereItIsLargeAPageOfTwoMebibytes) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{100}, size_t{4} << 20, (size_t{9} << 20) + 12345}) {
    std::byte* block = allocate(bytes);
    ASSERT_NE(block, nullptr) << bytes;
    EXPECT_EQ(address(block) % (bytes >= size_t{4} << 20 ? size_t{2} << 20 : 64), 0U) << bytes;
    std::memset(block, 7, bytes);
    if (bytes > 0) {
      EXPECT_EQ(block[bytes - 1], std::byte{7});
    }
    release(block);
  }
}

#if !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)  // which end the program at such a request
TEST(Memory, IsNullWhereThereIsNone) { EXPECT_EQ(allocate(SIZE_MAX / 2), nullptr); }
#endif

}  // namespace
}  // namespace limpid

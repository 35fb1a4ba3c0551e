#include "fused/memory.h"

#include <memory>
#include <vector>

#include "core/memory.h"
#include "limpid/error.h"

namespace limpid {

namespace {

struct Free {
  void operator()(std::byte* p) const { release(p); }
};
struct Block {
  std::unique_ptr<std::byte, Free> data;
  int64_t size;
};

// Blocks side by side while a call grows; one block that holds all of it for the next.
struct Kept {
  std::vector<Block> blocks;
  int64_t used = 0;   // of the last block
  int64_t taken = 0;  // by the calls that live, all together
  int64_t calls = 0;  // that live
};
thread_local Kept kept;

bool add_block(int64_t bytes) {
  Block block{std::unique_ptr<std::byte, Free>(allocate(static_cast<uint64_t>(bytes))), bytes};
  if (!block.data) return false;
  kept.blocks.push_back(std::move(block));
  kept.used = 0;
  return true;
}

}  // namespace

CallMemory::CallMemory() { ++kept.calls; }

CallMemory::~CallMemory() {
  if (--kept.calls > 0) return;  // a call inside a call: all is given back with the outer one
  if (kept.blocks.size() > 1) {
    const int64_t all = kept.taken;
    kept.blocks.clear();
    add_block(all);  // where that fails the next call asks again
  }
  kept.used = kept.taken = 0;
}

std::byte* CallMemory::take_bytes(int64_t bytes) {
  if (bytes == 0) return nullptr;
  bytes = (bytes + 63) / 64 * 64;
  if ((kept.blocks.empty() || kept.used + bytes > kept.blocks.back().size) && !add_block(bytes))
    fail_work("attention: no memory for ", bytes, " bytes");
  std::byte* const place = kept.blocks.back().data.get() + kept.used;
  kept.used += bytes;
  kept.taken += bytes;
  return place;
}

}  // namespace limpid

// Memory that a call needs beside its views: kept by the thread and used again, so that calls of sizes seen
// before allocate nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace limpid {

/// The memory of one call, while this lives.  What is taken is not set to anything.
class CallMemory {
 public:
  CallMemory();
  ~CallMemory();
  CallMemory(const CallMemory&) = delete;
  CallMemory& operator=(const CallMemory&) = delete;

  /// Room for `count` numbers, at a multiple of 64 bytes.  Throws Error{work} where there is none.
  template <class T>
  T* take(int64_t count) {
    return reinterpret_cast<T*>(take_bytes(count * static_cast<int64_t>(sizeof(T))));
  }

 private:
  std::byte* take_bytes(int64_t bytes);
};

}  // namespace limpid

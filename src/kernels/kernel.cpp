#include "kernels/kernel.h"

#include <memory>
#include <new>

namespace limpid::kernels {
namespace {

struct Free {
  void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t(64)); }
};

}  // namespace

std::byte* launch_scratch(int64_t bytes) {
  thread_local std::unique_ptr<std::byte, Free> kept;
  thread_local int64_t size = 0;
  if (bytes > size) {
    kept.reset();  // first: two at once would double the peak
    size = 0;
    kept.reset(static_cast<std::byte*>(::operator new(static_cast<size_t>(bytes), std::align_val_t(64))));
    size = bytes;
  }
  return kept.get();
}

}  // namespace limpid::kernels

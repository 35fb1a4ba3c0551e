#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/narrow.cpp"
#include "hwy/foreach_target.h"
//
#include <algorithm>

#include "hwy/highway.h"
#include "kernels/attention_rows-inl.h"
#include "kernels/narrow.h"
#include "kernels/parts.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

void narrow(const Narrow& a, int64_t b, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const int64_t from = b * a.from_at.batch + r * a.from_at.row, to = b * a.to_at.batch + r * a.to_at.row;
    if (a.back)
      load_rows(DType::bf16, static_cast<const uint16_t*>(a.from) + from, a.from_at.head, a.heads, a.width,
                static_cast<float*>(a.to) + to, a.to_at.head);
    else
      store_rows(DType::bf16, static_cast<const float*>(a.from) + from, a.from_at.head, a.heads, a.width,
                 static_cast<uint16_t*>(a.to) + to, a.to_at.head);
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(narrow);

// Rows of a task: about as many numbers as a pass of elementwise.cpp has.
int64_t block_of(const Narrow& a) {
  return std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, a.heads * a.width));
}

}  // namespace

int64_t Narrow::tasks() const noexcept { return batch * parts(rows, block_of(*this)); }

void Narrow::run(int64_t task, std::byte*) const noexcept {
  const int64_t block = block_of(*this), blocks = parts(rows, block), begin = task % blocks * block;
  HWY_DYNAMIC_DISPATCH(narrow)(*this, task / blocks, begin, std::min(begin + block, rows));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE

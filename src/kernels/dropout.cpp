#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/dropout.cpp"
#include "hwy/foreach_target.h"
//
#include <algorithm>

#include "hwy/highway.h"
#include "kernels/dropout.h"
#include "kernels/math-inl.h"
#include "kernels/philox-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

void dropout(const Dropout& d, int64_t begin, int64_t end) {
  constexpr int64_t batch = 4 * k_random_blocks;
  const RandomStream stream = {d.seed, d.stream, d.step};
  const uint64_t least = least_word(d.rate);
  HWY_ALIGN float mask[batch];
  const Vec sign = set(-0.f);
  for (int64_t i = begin; i < end; i += batch) {
    const int64_t count = std::min(batch, end - i);
    random_mask(stream, static_cast<uint64_t>(d.first + i), batch, least, d.factor, mask);
    for (int64_t j = 0; j < count; j += k_lanes) {
      const Vec x = load(d.x + i + j, count - j), kept = hn::Load(k_f32, mask + j);
      const auto drops = hn::Eq(kept, hn::Zero(k_f32));  // a factor is at least 1
      store(hn::IfThenElse(drops, hn::And(sign, x), hn::Mul(x, kept)), d.y + i + j, count - j);
    }
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(dropout);
constexpr int64_t k_block = 1 << 14;

}  // namespace

int64_t Dropout::tasks() const noexcept { return (count + k_block - 1) / k_block; }

void Dropout::run(int64_t task, std::byte*) const noexcept {
  const int64_t begin = task * k_block;
  HWY_DYNAMIC_DISPATCH(dropout)(*this, begin, std::min(begin + k_block, count));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE

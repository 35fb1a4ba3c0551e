// Sums over one row of numbers, whose error does not grow with the row.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_ROW_SUMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_ROW_SUMS_INL_H_
#undef LIMPID_KERNELS_ROW_SUMS_INL_H_
#else
#define LIMPID_KERNELS_ROW_SUMS_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

/// Adds up over a row of `width` numbers, kSums sums at once: add(i, n, parts) adds what the numbers from i
/// on, of which there are n or more than a vector holds, give to each of parts[kSums]; lanes beyond the end
/// must give 0.  Blocks of 128 vectors are summed in f32 by two chains, and the blocks in double: so a chain
/// has 64 terms at most, whatever the row's width and the machine's vectors.
template <int kSums, class Add>
HWY_INLINE void row_sums(int64_t width, double* sums, Add add) {
  constexpr int64_t k_block = 128 * k_lanes;
  for (int s = 0; s < kSums; ++s) sums[s] = 0;
  for (int64_t i = 0; i < width;) {
    Vec even[kSums], odd[kSums];  // two chains: one would wait for every addition
    for (int s = 0; s < kSums; ++s) even[s] = odd[s] = hn::Zero(k_f32);
    const int64_t stop = std::min(width, i + k_block);
    for (; i + 2 * k_lanes <= stop; i += 2 * k_lanes) {
      add(i, k_lanes, even);
      add(i + k_lanes, k_lanes, odd);
    }
    for (; i < stop; i += k_lanes) add(i, stop - i, even);
    for (int s = 0; s < kSums; ++s) sums[s] += static_cast<double>(sum_lanes(hn::Add(even[s], odd[s])));
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_ROW_SUMS_INL_H_

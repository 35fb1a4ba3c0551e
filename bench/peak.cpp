#include "kernels/targets.h"
//
#include "bench/peak.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/peak.cpp"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::bench::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// A multiply-add takes 4 or 5 cycles and up to 4 begin in each (2 on most machines), so 10 to 20 chains keep
// the units busy.  x86 without AVX-512 has 16 registers, of which 2 hold the factors.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int k_chains = 24;
#else
constexpr int k_chains = 12;
#endif

int64_t multiply_adds(int64_t steps, float factor, float term, float* sink) {
  const hn::ScalableTag<float> d;
  using Vec = hn::Vec<decltype(d)>;
  // Every chain goes towards term / (1 - factor): no infinity, no denormal number, and nothing known in
  // advance.
  const Vec a = hn::Set(d, factor), b = hn::Set(d, term);
  Vec chain[k_chains];
#pragma GCC unroll 24
  for (int i = 0; i < k_chains; ++i) chain[i] = hn::Set(d, static_cast<float>(i) + term);
  for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 24
    for (int i = 0; i < k_chains; ++i) chain[i] = hn::MulAdd(chain[i], a, b);
  }
  Vec sum = chain[0];
#pragma GCC unroll 24
  for (int i = 1; i < k_chains; ++i) sum = hn::Add(sum, chain[i]);
  *sink = hn::GetLane(sum);
  return steps * k_chains * static_cast<int64_t>(hn::Lanes(d)) * 2;
}

}  // namespace
}  // namespace limpid::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/isa.h"

namespace limpid::bench {
namespace {

HWY_EXPORT(multiply_adds);

}  // namespace

int64_t multiply_adds(int64_t steps) {
  kernels::choose_isa();
  static volatile float factor = 0.999f, term = 0.001f;  // the compiler cannot run the loop itself
  float result = 0;
  const int64_t operations = HWY_DYNAMIC_DISPATCH(multiply_adds)(steps, factor, term, &result);
  return result == 0 ? 0 : operations;  // never 0: but the compiler must have the sum to know
}

}  // namespace limpid::bench
#endif

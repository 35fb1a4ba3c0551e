#include "kernels/targets.h"
//
#include "bench/measure/loops.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/measure/loops.cpp"
#include "hwy/foreach_target.h"
//
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::bench::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
const hn::ScalableTag<float> df;
using Vec = hn::Vec<decltype(df)>;

// A multiply-add takes 4 or 5 cycles and up to 4 begin in each (2 on most machines), so 10 to 20 chains keep
// the units busy.  x86 without AVX-512 has 16 registers, of which 2 hold the factors.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
constexpr int k_chains = 24;
#else
constexpr int k_chains = 12;
#endif

int64_t multiply_adds(int64_t steps, float factor, float term, float* sink) {
  // Every chain goes towards term / (1 - factor): no infinity, no denormal number, and nothing known in
  // advance.
  const Vec a = hn::Set(df, factor), b = hn::Set(df, term);
  Vec chain[k_chains];
#pragma GCC unroll 24
  for (int i = 0; i < k_chains; ++i) chain[i] = hn::Set(df, static_cast<float>(i) + term);
  for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 24
    for (int i = 0; i < k_chains; ++i) chain[i] = hn::MulAdd(chain[i], a, b);
  }
  Vec sum = chain[0];
#pragma GCC unroll 24
  for (int i = 1; i < k_chains; ++i) sum = hn::Add(sum, chain[i]);
  *sink = hn::GetLane(sum);
  return steps * k_chains * static_cast<int64_t>(hn::Lanes(df)) * 2;
}

// Four streams side by side: from memory 27 GB/s where one stream reads 22 (Zen 4, one thread), from caches 1
// to 7% more.  Prefetching by hand read less everywhere.
void read_all(const std::byte* from, int64_t bytes, uint32_t* sink) {
  const hn::ScalableTag<uint32_t> d;
  const auto* p = reinterpret_cast<const uint32_t*>(from);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t quarter = bytes / 16 / (4 * lanes) * (4 * lanes);
  auto a = hn::Zero(d), b = a, c = a, e = a;
  for (int64_t i = 0; i < quarter; i += 4 * lanes) {
#pragma GCC unroll 4
    for (int64_t j = i; j < i + 4 * lanes; j += lanes) {
      a = hn::Or(a, hn::LoadU(d, p + j));
      b = hn::Or(b, hn::LoadU(d, p + quarter + j));
      c = hn::Or(c, hn::LoadU(d, p + 2 * quarter + j));
      e = hn::Or(e, hn::LoadU(d, p + 3 * quarter + j));
    }
  }
  uint32_t rest = hn::GetLane(hn::Or(hn::Or(a, b), hn::Or(c, e)));
  for (int64_t i = 4 * quarter; i < bytes / 4; ++i) rest |= p[i];
  *sink = rest;
}

void copy_all(const std::byte* from, std::byte* to, int64_t bytes) {
  const hn::ScalableTag<uint8_t> d;
  const auto* source = reinterpret_cast<const uint8_t*>(from);
  auto* target = reinterpret_cast<uint8_t*>(to);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + 4 * lanes <= bytes; i += 4 * lanes) {
#pragma GCC unroll 4
    for (int64_t j = i; j < i + 4 * lanes; j += lanes) hn::StoreU(hn::LoadU(d, source + j), d, target + j);
  }
  for (; i < bytes; ++i) target[i] = source[i];
}

// Past the caches, in four streams: what is written is not read first.  48 MiB: 42 GB/s where copy_all has 23
// and memcpy 21; what fits a cache is copied half as fast (Zen 4, one thread).
void copy_around(const std::byte* from, std::byte* to, int64_t bytes) {
  const hn::ScalableTag<uint8_t> d;
  const auto* source = reinterpret_cast<const uint8_t*>(from);
  auto* target = reinterpret_cast<uint8_t*>(to);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t quarter = bytes / 4 / 128 * 128;
  for (int64_t i = 0; i < quarter; i += 128)
    for (int64_t stream = 0; stream < 4; ++stream)
      for (int64_t j = stream * quarter + i; j < stream * quarter + i + 128; j += lanes)
        hn::Stream(hn::LoadU(d, source + j), d, target + j);
  for (int64_t i = 4 * quarter; i < bytes; ++i) target[i] = source[i];
  hwy::FlushStream();
}

// ---- convert and multiply ------------------------------------------------------------------------

// Two vectors of f32 from the elements at p.  bf16 are the upper halves of f32: one instruction for each of
// the even and the odd ones, half of what widening in order takes (a query can be laid out to match).
struct LoadF32 {
  using T = float;
  static void load(const T* p, Vec& a, Vec& b) {
    a = hn::LoadU(df, p);
    b = hn::LoadU(df, p + hn::Lanes(df));
  }
};
struct LoadBF16 {
  using T = uint16_t;
  static void load(const T* p, Vec& a, Vec& b) {
    const hn::ScalableTag<uint32_t> d;
    const auto pair = hn::LoadU(d, reinterpret_cast<const uint32_t*>(p));
    a = hn::BitCast(df, hn::ShiftLeft<16>(pair));
    b = hn::BitCast(df, hn::And(pair, hn::Set(d, 0xffff0000u)));
  }
};
struct LoadF16 {
  using T = hwy::float16_t;
  static void load(const T* p, Vec& a, Vec& b) {
    const hn::Rebind<hwy::float16_t, decltype(df)> d;
    a = hn::PromoteTo(df, hn::LoadU(d, p));
    b = hn::PromoteTo(df, hn::LoadU(d, p + hn::Lanes(d)));
  }
};
struct LoadInt8 {
  using T = int8_t;
  static void load(const T* p, Vec& a, Vec& b) {
    const hn::Rebind<int8_t, decltype(df)> d;
    const hn::RebindToSigned<decltype(df)> di;
    a = hn::ConvertTo(df, hn::PromoteTo(di, hn::LoadU(d, p)));
    b = hn::ConvertTo(df, hn::PromoteTo(di, hn::LoadU(d, p + hn::Lanes(d))));
  }
};

constexpr int64_t k_block_bytes = 8192;

// `queries` times `vectors` chains; 2 * vectors chains and as many factors as queries stay in registers.
template <class Load, int queries, int pairs>
int64_t convert_multiply_as(const std::byte* block, int64_t steps, float factor, float* sink) {
  using T = typename Load::T;
  const auto* elements = reinterpret_cast<const T*>(block);
  const auto each = static_cast<int64_t>(2 * hn::Lanes(df));  // elements that Load::load takes
  const int64_t count = k_block_bytes / static_cast<int64_t>(sizeof(T)) / (each * pairs) * (each * pairs);
  Vec factors[queries], chain[queries][2 * pairs];
#pragma GCC unroll 4
  for (int q = 0; q < queries; ++q) {
    factors[q] = hn::Set(df, factor + static_cast<float>(q));
#pragma GCC unroll 12
    for (int i = 0; i < 2 * pairs; ++i) chain[q][i] = hn::Zero(df);
  }
  for (int64_t step = 0; step < steps; ++step) {
    for (int64_t at = 0; at < count; at += each * pairs) {
#pragma GCC unroll 12
      for (int i = 0; i < pairs; ++i) {
        Vec a, b;
        Load::load(elements + at + i * each, a, b);
#pragma GCC unroll 4
        for (int q = 0; q < queries; ++q) {
          chain[q][2 * i] = hn::MulAdd(a, factors[q], chain[q][2 * i]);
          chain[q][2 * i + 1] = hn::MulAdd(b, factors[q], chain[q][2 * i + 1]);
        }
      }
    }
  }
  Vec sum = hn::Zero(df);
#pragma GCC unroll 4
  for (int q = 0; q < queries; ++q)
#pragma GCC unroll 12
    for (int i = 0; i < 2 * pairs; ++i) sum = hn::Add(sum, chain[q][i]);
  *sink = hn::GetLane(sum);
  return steps * count;
}

template <class Load>
int64_t convert_multiply_with(const std::byte* block, int queries, int64_t steps, float factor, float* sink) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
  return queries == 1 ? convert_multiply_as<Load, 1, 6>(block, steps, factor, sink)
                      : convert_multiply_as<Load, 4, 2>(block, steps, factor, sink);
#else
  return queries == 1 ? convert_multiply_as<Load, 1, 6>(block, steps, factor, sink)
                      : convert_multiply_as<Load, 4, 1>(block, steps, factor, sink);
#endif
}

int64_t convert_multiply(Stored stored, const std::byte* block, int queries, int64_t steps, float factor,
                         float* sink) {
  switch (stored) {
    case Stored::f32:
      return convert_multiply_with<LoadF32>(block, queries, steps, factor, sink);
    case Stored::bf16:
      return convert_multiply_with<LoadBF16>(block, queries, steps, factor, sink);
    case Stored::f16:
      return convert_multiply_with<LoadF16>(block, queries, steps, factor, sink);
    case Stored::int8:
      break;
  }
  return convert_multiply_with<LoadInt8>(block, queries, steps, factor, sink);
}

}  // namespace
}  // namespace limpid::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "kernels/isa.h"

namespace limpid::bench {
namespace {

HWY_EXPORT(multiply_adds);
HWY_EXPORT(read_all);
HWY_EXPORT(copy_all);
HWY_EXPORT(copy_around);
HWY_EXPORT(convert_multiply);

volatile float k_factor = 0.999f, k_term = 0.001f;  // the compiler cannot run a loop itself
thread_local volatile float t_sink;                 // and must have its result
thread_local volatile uint32_t t_bits;

}  // namespace

int64_t multiply_adds(int64_t steps) {
  kernels::choose_isa();
  float result = 0;
  const int64_t operations = HWY_DYNAMIC_DISPATCH(multiply_adds)(steps, k_factor, k_term, &result);
  t_sink = result;
  return operations;
}

void read_all(const std::byte* from, int64_t bytes) {
  kernels::choose_isa();
  uint32_t result = 0;
  HWY_DYNAMIC_DISPATCH(read_all)(from, bytes, &result);
  t_bits = result;
}

void copy_all(const std::byte* from, std::byte* to, int64_t bytes) {
  kernels::choose_isa();
  HWY_DYNAMIC_DISPATCH(copy_all)(from, to, bytes);
}

void copy_around(const std::byte* from, std::byte* to, int64_t bytes) {
  kernels::choose_isa();
  HWY_DYNAMIC_DISPATCH(copy_around)(from, to, bytes);
}

int64_t convert_multiply(Stored stored, int queries, int64_t steps) {
  kernels::choose_isa();
  alignas(64) static constexpr std::byte k_block[8192] = {};  // zeros: no infinity whatever the type
  float result = 0;
  const int64_t elements =
      HWY_DYNAMIC_DISPATCH(convert_multiply)(stored, k_block, queries, steps, k_factor, &result);
  t_sink = result;
  return elements;
}

}  // namespace limpid::bench
#endif

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

// Streams side by side, 16 vectors a round.
template <int kStreams>
void read_streams(const std::byte* from, int64_t bytes, uint32_t* sink) {
  const hn::ScalableTag<uint32_t> d;
  const auto* p = reinterpret_cast<const uint32_t*>(from);
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t each = 16 / kStreams * lanes, part = bytes / 4 / kStreams / each * each;
  auto a = hn::Zero(d), b = a, c = a, e = a;
  for (int64_t i = 0; i < part; i += each) {
#pragma GCC unroll 4
    for (int stream = 0; stream < kStreams; ++stream) {
      const uint32_t* at = p + stream * part + i;
#pragma GCC unroll 4
      for (int64_t j = 0; j < each; j += 4 * lanes) {
        a = hn::Or(a, hn::LoadU(d, at + j));
        b = hn::Or(b, hn::LoadU(d, at + j + lanes));
        c = hn::Or(c, hn::LoadU(d, at + j + 2 * lanes));
        e = hn::Or(e, hn::LoadU(d, at + j + 3 * lanes));
      }
    }
  }
  uint32_t rest = hn::GetLane(hn::Or(hn::Or(a, b), hn::Or(c, e)));
  for (int64_t i = kStreams * part; i < bytes / 4; ++i) rest |= p[i];
  *sink = rest;
}

void read_all(const std::byte* from, int64_t bytes, int streams, uint32_t* sink) {
  return streams == 4   ? read_streams<4>(from, bytes, sink)
         : streams == 2 ? read_streams<2>(from, bytes, sink)
                        : read_streams<1>(from, bytes, sink);
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

// k_vecs vectors of f32 from the elements at p.  bf16 are the upper halves of f32: one instruction for each
// of the even and the odd ones, half of what widening in order takes (a query can be laid out to match).
struct LoadF32 {
  using T = float;
  static constexpr int k_vecs = 2;
  static void load(const T* p, Vec* x) {
    x[0] = hn::LoadU(df, p);
    x[1] = hn::LoadU(df, p + hn::Lanes(df));
  }
};
struct LoadBF16 {
  using T = uint16_t;
  static constexpr int k_vecs = 2;
  static void load(const T* p, Vec* x) {
    const hn::ScalableTag<uint32_t> d;
    const auto pair = hn::LoadU(d, reinterpret_cast<const uint32_t*>(p));
    x[0] = hn::BitCast(df, hn::ShiftLeft<16>(pair));
    x[1] = hn::BitCast(df, hn::And(pair, hn::Set(d, 0xffff0000u)));
  }
};
struct LoadF16 {
  using T = hwy::float16_t;
  static constexpr int k_vecs = 2;
  static void load(const T* p, Vec* x) {
    const hn::Rebind<hwy::float16_t, decltype(df)> d;
    x[0] = hn::PromoteTo(df, hn::LoadU(d, p));
    x[1] = hn::PromoteTo(df, hn::LoadU(d, p + hn::Lanes(d)));
  }
};
struct LoadInt8 {
  using T = int8_t;
  static constexpr int k_vecs = 2;
  static void load(const T* p, Vec* x) {
    const hn::Rebind<int8_t, decltype(df)> d;
    const hn::RebindToSigned<decltype(df)> di;
    x[0] = hn::ConvertTo(df, hn::PromoteTo(di, hn::LoadU(d, p)));
    x[1] = hn::ConvertTo(df, hn::PromoteTo(di, hn::LoadU(d, p + hn::Lanes(d))));
  }
};
#if HWY_TARGET != HWY_SCALAR
// Each byte becomes the highest of four: every fourth number, times 2^24.
struct LoadInt8InFours {
  using T = int8_t;
  static constexpr int k_vecs = 4;
  static void load(const T* p, Vec* x) {
    HWY_ALIGN static constexpr uint8_t k_from[3][16] = {
        {128, 128, 128, 0, 128, 128, 128, 4, 128, 128, 128, 8, 128, 128, 128, 12},
        {128, 128, 128, 1, 128, 128, 128, 5, 128, 128, 128, 9, 128, 128, 128, 13},
        {128, 128, 128, 2, 128, 128, 128, 6, 128, 128, 128, 10, 128, 128, 128, 14}};
    const hn::ScalableTag<uint8_t> d;
    const hn::ScalableTag<uint32_t> du;
    const hn::RebindToSigned<decltype(df)> di;
    const auto bytes = hn::LoadU(d, reinterpret_cast<const uint8_t*>(p));
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i)
      x[i] = hn::ConvertTo(df, hn::BitCast(di, hn::TableLookupBytesOr0(bytes, hn::LoadDup128(d, k_from[i]))));
    x[3] = hn::ConvertTo(df, hn::BitCast(di, hn::And(hn::BitCast(du, bytes), hn::Set(du, 0xff000000u))));
  }
};
#else
using LoadInt8InFours = LoadInt8;
#endif

constexpr int64_t k_block_bytes = 8192;

// `queries` times `vectors` chains, and as many factors as queries, stay in registers.
template <class Load, int queries, int vectors>
int64_t convert_multiply_as(const std::byte* block, int64_t steps, float factor, float* sink) {
  using T = typename Load::T;
  constexpr int kVecs = Load::k_vecs;
  static_assert(vectors % kVecs == 0);
  const auto* elements = reinterpret_cast<const T*>(block);
  const auto each = static_cast<int64_t>(kVecs * hn::Lanes(df));  // elements that Load::load takes
  const int64_t round = vectors / kVecs * each;
  const int64_t count = k_block_bytes / static_cast<int64_t>(sizeof(T)) / round * round;
  Vec factors[queries], chain[queries][vectors];
#pragma GCC unroll 4
  for (int q = 0; q < queries; ++q) {
    factors[q] = hn::Set(df, factor + static_cast<float>(q));
#pragma GCC unroll 12
    for (int i = 0; i < vectors; ++i) chain[q][i] = hn::Zero(df);
  }
  for (int64_t step = 0; step < steps; ++step) {
    for (int64_t at = 0; at < count; at += round) {
#pragma GCC unroll 12
      for (int i = 0; i < vectors; i += kVecs) {
        Vec x[kVecs];
        Load::load(elements + at + i / kVecs * each, x);
#pragma GCC unroll 4
        for (int q = 0; q < queries; ++q) {
#pragma GCC unroll 4
          for (int v = 0; v < kVecs; ++v) chain[q][i + v] = hn::MulAdd(x[v], factors[q], chain[q][i + v]);
        }
      }
    }
  }
  Vec sum = hn::Zero(df);
#pragma GCC unroll 4
  for (int q = 0; q < queries; ++q)
#pragma GCC unroll 12
    for (int i = 0; i < vectors; ++i) sum = hn::Add(sum, chain[q][i]);
  *sink = hn::GetLane(sum);
  return steps * count;
}

template <class Load>
int64_t convert_multiply_with(const std::byte* block, int queries, int64_t steps, float factor, float* sink) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
  constexpr int kOfFour = 4;
#else
  constexpr int kOfFour = Load::k_vecs;
#endif
  return queries == 1 ? convert_multiply_as<Load, 1, 12>(block, steps, factor, sink)
                      : convert_multiply_as<Load, 4, kOfFour>(block, steps, factor, sink);
}

int64_t convert_multiply(Stored stored, const std::byte* block, int queries, int64_t steps, bool in_fours,
                         float factor, float* sink) {
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
  if (in_fours) return convert_multiply_with<LoadInt8InFours>(block, queries, steps, factor, sink);
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

void read_all(const std::byte* from, int64_t bytes, int streams) {
  kernels::choose_isa();
  uint32_t result = 0;
  HWY_DYNAMIC_DISPATCH(read_all)(from, bytes, streams, &result);
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

int64_t convert_multiply(Stored stored, int queries, int64_t steps, bool in_fours) {
  kernels::choose_isa();
  alignas(64) static constexpr std::byte k_block[8192] = {};  // zeros: no infinity whatever the type
  float result = 0;
  const int64_t elements =
      HWY_DYNAMIC_DISPATCH(convert_multiply)(stored, k_block, queries, steps, in_fours, k_factor, &result);
  t_sink = result;
  return elements;
}

}  // namespace limpid::bench
#endif

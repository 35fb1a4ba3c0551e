// The counter-based random words of limpid/random.h by vectors: the same bits.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_PHILOX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_PHILOX_INL_H_
#undef LIMPID_KERNELS_PHILOX_INL_H_
#else
#define LIMPID_KERNELS_PHILOX_INL_H_
#endif

#include <cmath>
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"
#include "kernels/tile-inl.h"
#include "limpid/random.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

/// What random_words is asked for, beside the number of the block.
struct RandomStream {
  uint64_t seed;
  uint32_t stream, step;
};

/// A word w stands for the number w 2^-32: it is at least `rate` where w is at least this (to 2^32: never).
inline uint64_t least_word(double rate) { return static_cast<uint64_t>(std::ceil(rate * 0x1p32)); }

#if HWY_TARGET == HWY_SCALAR

constexpr int64_t k_random_blocks = 1;

/// The words of k_random_blocks blocks of four, from `first` on.
inline void random_blocks(const RandomStream& s, uint64_t first, uint32_t* HWY_RESTRICT to) {
  const PhiloxCounter words = random_words(s.seed, s.stream, s.step, first);
  std::memcpy(to, words.data(), 16);
}

#else

using U64 = hn::ScalableTag<uint64_t>;
using U32 = hn::RepartitionToNarrow<U64>;
constexpr U64 k_u64;
constexpr int64_t k_random_chains = 2;  // that fill each other's gaps
constexpr int64_t k_random_blocks = k_random_chains * static_cast<int64_t>(HWY_LANES(uint64_t));

/// The words of k_random_blocks blocks of four, from `first` on.  A lane holds a block; the upper halves of
/// its counters hold what no later step reads.
inline void random_blocks(const RandomStream& s, uint64_t first, uint32_t* HWY_RESTRICT to) {
  using V = hn::Vec<U64>;
  constexpr U32 u32;
  constexpr auto lanes = static_cast<int64_t>(HWY_LANES(uint64_t));
  HWY_ALIGN uint64_t place[lanes];  // so that interleaving two words each puts the blocks in order
  for (int64_t i = 0; i < lanes; ++i) place[i] = static_cast<uint64_t>(i / 2 + i % 2 * (lanes / 2));
  const V a = hn::Set(k_u64, 0xD2511F53u), b = hn::Set(k_u64, 0xCD9E8D57u);
  const auto product = [&](V x, V y) { return hn::MulEven(hn::BitCast(u32, x), hn::BitCast(u32, y)); };
  V c[k_random_chains][4];
  for (int64_t n = 0; n < k_random_chains; ++n) {
    const V block = hn::Add(hn::Set(k_u64, first + static_cast<uint64_t>(n * lanes)), hn::Load(k_u64, place));
    c[n][0] = block;
    c[n][1] = hn::ShiftRight<32>(block);
    c[n][2] = hn::Set(k_u64, s.step);
    c[n][3] = hn::Set(k_u64, s.stream);
  }
  auto key0 = static_cast<uint32_t>(s.seed), key1 = static_cast<uint32_t>(s.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const V k0 = hn::Set(k_u64, key0), k1 = hn::Set(k_u64, key1);
    for (auto& x : c) {
      const V pa = product(x[0], a), pb = product(x[2], b);
      x[0] = hn::Xor(hn::Xor(hn::ShiftRight<32>(pb), x[1]), k0);
      x[2] = hn::Xor(hn::Xor(hn::ShiftRight<32>(pa), x[3]), k1);
      x[1] = pb;
      x[3] = pa;
    }
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  const V low = hn::Set(k_u64, 0xFFFFFFFFu);
  auto* const out = reinterpret_cast<uint64_t*>(to);
  for (int64_t n = 0; n < k_random_chains; ++n) {
    const V one = hn::Or(hn::And(c[n][0], low), hn::ShiftLeft<32>(c[n][1])),
            two = hn::Or(hn::And(c[n][2], low), hn::ShiftLeft<32>(c[n][3]));
    hn::StoreU(hn::InterleaveLower(k_u64, one, two), k_u64, out + 2 * n * lanes);
    hn::StoreU(hn::InterleaveUpper(k_u64, one, two), k_u64, out + (2 * n + 1) * lanes);
  }
}

#endif

/// to[i] = kept where the number `first` + i of the stream is at least the rate, else 0.
inline void random_mask(const RandomStream& s, uint64_t first, int64_t count, uint64_t least, float kept,
                        float* HWY_RESTRICT to) {
  constexpr hn::RebindToUnsigned<F32> u32;
  constexpr int64_t batch = 4 * k_random_blocks;
  HWY_ALIGN uint32_t words[batch + k_lanes];
  const auto bound = hn::Set(u32, static_cast<uint32_t>(least));
  const Vec factor = hn::Set(k_f32, least >> 32 ? 0.f : kept);
  int64_t skip = static_cast<int64_t>(first % 4);
  uint64_t block = first / 4;
  for (int64_t i = 0; i < count; block += k_random_blocks) {
    random_blocks(s, block, words);
    const int64_t n = std::min(batch - skip, count - i);
    for (int64_t j = 0; j < n; j += k_lanes) {
      const auto drops = hn::RebindMask(k_f32, hn::Lt(hn::LoadU(u32, words + skip + j), bound));
      store(hn::IfThenZeroElse(drops, factor), to + i + j, n - j);
    }
    i += n;
    skip = 0;
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_PHILOX_INL_H_

// Numbers of every type that a cache holds, by vectors of floats.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_CACHE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_CACHE_INL_H_
#undef LIMPID_KERNELS_CACHE_INL_H_
#else
#define LIMPID_KERNELS_CACHE_INL_H_
#endif

#include <cmath>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/cache.h"
#include "kernels/math-inl.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

// Of each type: load and store, k_lanes numbers as floats, and back (rounded to nearest, ties to even); and
// what is faster: raw, k_pack times as many numbers at once, of which part j is those at j, j + k_pack, ...,
// times k_unit.  Cycles a vector, with one multiply-add (Zen 4): bf16 1.0 in pairs and 1.9 by load; i8 1.65
// in fours and 1.9.

struct AsF32 {
  using Element = float;
  using Raw = Vec;
  static constexpr int k_pack = 1;
  static constexpr float k_unit = 1;
  static HWY_INLINE Vec load(const Element* from) { return hn::LoadU(k_f32, from); }
  static HWY_INLINE void store(Vec x, Element* to) { hn::StoreU(x, k_f32, to); }
  static HWY_INLINE Raw raw(const Element* from) { return load(from); }
  static HWY_INLINE Vec part(Raw x, int /*j*/) { return x; }
};

struct AsBf16 {
  using Element = bf16;
  static constexpr float k_unit = 1;
  static HWY_INLINE Vec load(const Element* from) {
    const hn::Rebind<uint16_t, F32> u16;
    const hn::RebindToUnsigned<F32> u32;
    const auto wide = hn::PromoteTo(u32, hn::LoadU(u16, reinterpret_cast<const uint16_t*>(from)));
    return hn::BitCast(k_f32, hn::ShiftLeft<16>(wide));
  }
  static HWY_INLINE void store(Vec x, Element* to) {
    const hn::Rebind<uint16_t, F32> u16;
    const hn::RebindToUnsigned<F32> u32;
    const hn::RebindToSigned<F32> i32;
    const auto bits = hn::BitCast(u32, x), high = hn::ShiftRight<16>(bits), one = hn::Set(u32, 1);
    const auto nearest = hn::ShiftRight<16>(hn::Add(bits, hn::Add(hn::Set(u32, 0x7fff), hn::And(high, one))));
    const auto nan = hn::Or(high, hn::Set(u32, 0x40));  // stays NaN, whatever its payload
    const auto kept = hn::IfThenElse(hn::RebindMask(u32, hn::IsNaN(x)), nan, nearest);
    hn::StoreU(hn::DemoteTo(u16, hn::BitCast(i32, kept)), u16, reinterpret_cast<uint16_t*>(to));
  }
#if HWY_TARGET == HWY_SCALAR
  using Raw = Vec;
  static constexpr int k_pack = 1;
  static Raw raw(const Element* from) { return load(from); }
  static Vec part(Raw x, int /*j*/) { return x; }
#else
  using Raw = hn::Vec<hn::RebindToUnsigned<F32> >;
  static constexpr int k_pack = 2;
  static HWY_INLINE Raw raw(const Element* from) {
    const hn::Repartition<uint16_t, F32> u16;
    return hn::BitCast(hn::RebindToUnsigned<F32>(), hn::LoadU(u16, reinterpret_cast<const uint16_t*>(from)));
  }
  static HWY_INLINE Vec part(Raw x, int j) {
    const hn::RebindToUnsigned<F32> u32;
    return hn::BitCast(k_f32, j == 0 ? hn::ShiftLeft<16>(x) : hn::And(x, hn::Set(u32, 0xffff0000u)));
  }
#endif
};

struct AsF16 {
  using Element = f16;
  using Raw = Vec;
  static constexpr int k_pack = 1;
  static constexpr float k_unit = 1;
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128
  static Vec load(const Element* from) {
    HWY_ALIGN float wide[k_lanes];
    for (int64_t i = 0; i < k_lanes; ++i) wide[i] = to_float(from[i]);
    return hn::Load(k_f32, wide);
  }
  static void store(Vec x, Element* to) {
    HWY_ALIGN float wide[k_lanes];
    hn::Store(x, k_f32, wide);
    for (int64_t i = 0; i < k_lanes; ++i) to[i] = to_f16(wide[i]);
  }
#else
  static HWY_INLINE Vec load(const Element* from) {
    const hn::Rebind<hwy::float16_t, F32> half;
    return hn::PromoteTo(k_f32, hn::LoadU(half, reinterpret_cast<const hwy::float16_t*>(from)));
  }
  static HWY_INLINE void store(Vec x, Element* to) {
    const hn::Rebind<hwy::float16_t, F32> half;
    hn::StoreU(hn::DemoteTo(half, x), half, reinterpret_cast<hwy::float16_t*>(to));
  }
#endif
  static HWY_INLINE Raw raw(const Element* from) { return load(from); }
  static HWY_INLINE Vec part(Raw x, int /*j*/) { return x; }
};

// The numbers are the integers.
struct AsI8 {
  using Element = int8_t;
  static HWY_INLINE Vec load(const Element* from) {
    const hn::Rebind<int8_t, F32> i8;
    const hn::RebindToSigned<F32> i32;
    return hn::ConvertTo(k_f32, hn::PromoteTo(i32, hn::LoadU(i8, from)));
  }
  static HWY_INLINE void store(Vec x, Element* to) {
    const hn::Rebind<int8_t, F32> i8;
    hn::StoreU(hn::DemoteTo(i8, hn::NearestInt(x)), i8, to);
  }
#if HWY_TARGET == HWY_SCALAR
  using Raw = Vec;
  static constexpr int k_pack = 1;
  static constexpr float k_unit = 1;
  static Raw raw(const Element* from) { return load(from); }
  static Vec part(Raw x, int /*j*/) { return x; }
#else
  // A byte becomes the highest of four, the others 0: one instruction, and the sign is in its place.
  using Bytes = hn::Repartition<uint8_t, F32>;
  using Raw = hn::Vec<Bytes>;
  static constexpr int k_pack = 4;
  static constexpr float k_unit = 16777216;
  static HWY_INLINE Raw raw(const Element* from) {
    return hn::LoadU(Bytes(), reinterpret_cast<const uint8_t*>(from));
  }
  static HWY_INLINE Vec part(Raw x, int j) {
    HWY_ALIGN static constexpr uint8_t k_from[3][16] = {
        {128, 128, 128, 0, 128, 128, 128, 4, 128, 128, 128, 8, 128, 128, 128, 12},
        {128, 128, 128, 1, 128, 128, 128, 5, 128, 128, 128, 9, 128, 128, 128, 13},
        {128, 128, 128, 2, 128, 128, 128, 6, 128, 128, 128, 10, 128, 128, 128, 14}};
    const hn::RebindToSigned<F32> i32;
    const hn::RebindToUnsigned<F32> u32;
    if (j == 3) {
      const auto high = hn::And(hn::BitCast(u32, x), hn::Set(u32, 0xff000000u));
      return hn::ConvertTo(k_f32, hn::BitCast(i32, high));
    }
    const auto high = hn::TableLookupBytesOr0(x, hn::LoadDup128(Bytes(), k_from[j]));
    return hn::ConvertTo(k_f32, hn::BitCast(i32, high));
  }
#endif
};

/// Calls run(AsF32{}), ... as the type says.
template <class Run>
HWY_INLINE auto with_type(DType type, Run run) {
  switch (type) {
    case DType::bf16:
      return run(AsBf16{});
    case DType::f16:
      return run(AsF16{});
    case DType::i8:
      return run(AsI8{});
    default:
      return run(AsF32{});
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_CACHE_INL_H_

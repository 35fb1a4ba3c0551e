// What attention's kernels rest on: powers of two, and rows of q, k, v and z of any type.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_ATTENTION_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_ATTENTION_ROWS_INL_H_
#undef LIMPID_KERNELS_ATTENTION_ROWS_INL_H_
#else
#define LIMPID_KERNELS_ATTENTION_ROWS_INL_H_
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "hwy/highway.h"
#include "kernels/attention.h"
#include "kernels/math-inl.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

constexpr float k_log2_e = 1.44269504088896341f;
constexpr double k_log_2 = 0.69314718055994531;

#if HWY_TARGET != HWY_AVX3
/// 2^(r + n), n + 127 being the last bits of `shifted`.
HWY_INLINE Vec power_of_score(Vec r, hn::Vec<hn::RebindToSigned<F32>> shifted) {
  Vec p = hn::MulAdd(set(1.326472731307149e-3f), r, set(9.671512991189957e-3f));
  p = hn::MulAdd(p, r, set(5.550733581185341e-2f));
  p = hn::MulAdd(p, r, set(2.4022242426872253e-1f));
  p = hn::MulAdd(p, r, set(6.931470036506653e-1f));
  p = hn::MulAdd(p, r, set(1.f));
  return hn::Mul(p, hn::BitCast(k_f32, hn::ShiftLeft<23>(shifted)));
}
#endif

/// 2^x, within 3 ulp: 0 for x < -126.5 or so (-inf too), inf above 128, NaN for NaN.  2^0 is exactly 1.  The
/// polynomials are minimax fits of degree 5 with p(0) = 1, relative error below 1e-7.
HWY_INLINE Vec exp2(Vec x) {
#if HWY_TARGET == HWY_AVX3
  // x = floor(x) + r.  Of -inf the instruction makes r = 0, and scalef then 0: nothing has to be clamped.
  const Vec r{_mm512_reduce_ps(x.raw, 0x09)};
  Vec p = hn::MulAdd(set(1.8671301659196615e-3f), r, set(9.0170297771692276e-3f));
  p = hn::MulAdd(p, r, set(5.5799912661314011e-2f));
  p = hn::MulAdd(p, r, set(2.4016444385051727e-1f));
  p = hn::MulAdd(p, r, set(6.9315129518508911e-1f));
  p = hn::MulAdd(p, r, set(1.f));
  return Vec{_mm512_scalef_ps(p.raw, x.raw)};
#else
#if HWY_TARGET == HWY_AVX2
  // In this order both keep a NaN of x (NEON's drop it in any).
  x = hn::Min(set(128.f), hn::Max(set(-127.f), x));
#else
  x = hn::IfThenElse(hn::Lt(x, set(-127.f)), set(-127.f), x);
  x = hn::IfThenElse(hn::Gt(x, set(128.f)), set(128.f), x);
#endif
  const hn::RebindToSigned<F32> i32;
  const Vec shift = set(12582912.f + 127.f);  // 1.5 * 2^23: the sum's last bits are round(x) + 127
  const Vec shifted = hn::Add(x, shift);
  return power_of_score(hn::Sub(x, hn::Sub(shifted, shift)), hn::BitCast(i32, shifted));
#endif
}

/// e^x, within 4 ulp for x near 0 and 1 + |x| / 2 more further off: 0 for x < -87.7 or so (-inf too), inf
/// above 88.4, NaN for NaN.  e^0 is exactly 1.
HWY_INLINE Vec exp_score(Vec x) {
#if HWY_TARGET == HWY_AVX3
  return exp2(hn::Mul(x, set(k_log2_e)));
#else
#if HWY_TARGET == HWY_AVX2
  x = hn::Min(set(89.f), hn::Max(set(-88.f), x));  // in this order both keep a NaN of x
#else
  x = hn::IfThenElse(hn::Lt(x, set(-88.f)), set(-88.f), x);
  x = hn::IfThenElse(hn::Gt(x, set(89.f)), set(89.f), x);
#endif
  const hn::RebindToSigned<F32> i32;
  const Vec shift = set(12582912.f + 127.f), unit = set(k_log2_e);  // as in exp2
  const Vec shifted = hn::MulAdd(x, unit, shift);
  return power_of_score(hn::MulSub(x, unit, hn::Sub(shifted, shift)), hn::BitCast(i32, shifted));
#endif
}

inline int64_t padded(int64_t width) { return vecs_for(width) * k_lanes; }

/// rows [count][width], each `stride` elements apart, as floats `pitch` apart.
inline void load_rows(DType type, const void* from, int64_t stride, int64_t count, int64_t width,
                      float* HWY_RESTRICT to, int64_t pitch) {
  if (type == DType::f32) {
    const float* row = static_cast<const float*>(from);
    for (int64_t r = 0; r < count; ++r, row += stride, to += pitch) {
      int64_t c = 0;
      for (; c + k_lanes <= width; c += k_lanes) hn::StoreU(hn::LoadU(k_f32, row + c), k_f32, to + c);
      for (; c < width; ++c) to[c] = row[c];
    }
    return;
  }
  const uint16_t* row = static_cast<const uint16_t*>(from);
  for (int64_t r = 0; r < count; ++r, row += stride, to += pitch) {
    int64_t c = 0;
    if (type == DType::bf16) {
      const hn::Rebind<uint16_t, F32> u16;
      const hn::RebindToUnsigned<F32> u32;
      for (; c + k_lanes <= width; c += k_lanes) {
        const auto wide = hn::PromoteTo(u32, hn::LoadU(u16, row + c));
        hn::StoreU(hn::BitCast(k_f32, hn::ShiftLeft<16>(wide)), k_f32, to + c);
      }
      for (; c < width; ++c) to[c] = to_float(bf16{row[c]});
    } else {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
      const hn::Rebind<hwy::float16_t, F32> half;
      for (; c + k_lanes <= width; c += k_lanes) {
        const auto narrow = hn::LoadU(half, reinterpret_cast<const hwy::float16_t*>(row + c));
        hn::StoreU(hn::PromoteTo(k_f32, narrow), k_f32, to + c);
      }
#endif
      for (; c < width; ++c) to[c] = to_float(f16{row[c]});
    }
  }
}

/// The other way round: rounded to nearest, ties to even.
inline void store_rows(DType type, const float* from, int64_t pitch, int64_t count, int64_t width, void* to,
                       int64_t stride) {
  for (int64_t r = 0; r < count; ++r, from += pitch) {
    int64_t c = 0;
    if (type == DType::f32) {
      std::copy_n(from, width, static_cast<float*>(to) + r * stride);
    } else if (type == DType::bf16) {
      const hn::RebindToUnsigned<F32> u32;
      const hn::RebindToSigned<F32> i32;
      const hn::Rebind<uint16_t, F32> u16;
      auto* out = static_cast<uint16_t*>(to) + r * stride;
      for (; c + k_lanes <= width; c += k_lanes) {
        const Vec x = hn::LoadU(k_f32, from + c);
        const auto bits = hn::BitCast(u32, x), high = hn::ShiftRight<16>(bits);
        const auto odd = hn::And(high, hn::Set(u32, 1));
        const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(u32, 0x7fff))));
        const auto quiet = hn::Or(high, hn::Set(u32, 0x40));
        const auto kept = hn::IfThenElse(hn::RebindMask(u32, hn::IsNaN(x)), quiet, rounded);
        hn::StoreU(hn::DemoteTo(u16, hn::BitCast(i32, kept)), u16, out + c);
      }
      for (; c < width; ++c) out[c] = to_bf16(from[c]).bits;
    } else {
      for (; c < width; ++c) static_cast<f16*>(to)[r * stride + c] = to_f16(from[c]);
    }
  }
}

/// A row of a tensor of this type, `offset` elements after the first.
inline const void* at(DType type, const void* from, int64_t offset) {
  return static_cast<const std::byte*>(from) + offset * (type == DType::f32 ? 4 : 2);
}
inline void* at(DType type, void* from, int64_t offset) {
  return static_cast<std::byte*>(from) + offset * (type == DType::f32 ? 4 : 2);
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_ATTENTION_ROWS_INL_H_

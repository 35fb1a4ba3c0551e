// exp, tanh and the normal distribution by vectors.  Each states its error; NaN in gives NaN out.
//
// Included once per instruction set.
#if defined(LIMPID_KERNELS_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIMPID_KERNELS_MATH_INL_H_
#undef LIMPID_KERNELS_MATH_INL_H_
#else
#define LIMPID_KERNELS_MATH_INL_H_
#endif

#include <cmath>
#include <limits>

#include "hwy/highway.h"
#include "kernels/tile-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

constexpr float k_infinity = std::numeric_limits<float>::infinity();

HWY_INLINE Vec set(float x) { return hn::Set(k_f32, x); }

/// e^x = 2^n p(r) with x = n ln 2 + r, |r| <= ln 2 / 2: the polynomial's part, and n.  The coefficients are
/// those of Cephes' expf; p(0) is exactly 1.
HWY_INLINE Vec exp_parts(Vec x, Vec* n) {
  *n = hn::Round(hn::Mul(x, set(1.44269504088896341f)));
  const Vec r = hn::NegMulAdd(*n, set(-2.12194440e-4f), hn::NegMulAdd(*n, set(0.693359375f), x));
  Vec p = hn::MulAdd(set(1.9875691500e-4f), r, set(1.3981999507e-3f));
  p = hn::MulAdd(p, r, set(8.3334519073e-3f));
  p = hn::MulAdd(p, r, set(4.1665795894e-2f));
  p = hn::MulAdd(p, r, set(1.6666665459e-1f));
  p = hn::MulAdd(p, r, set(5.0000001201e-1f));
  return hn::Add(hn::MulAdd(hn::Mul(r, r), p, r), set(1.f));
}

/// 2^n for whole n in [-126, 127].
template <class Ints>
HWY_INLINE Vec power_of_two(Ints n) {
  const hn::RebindToSigned<F32> i32;
  return hn::BitCast(k_f32, hn::ShiftLeft<23>(hn::Add(n, hn::Set(i32, 127))));
}

/// e^x, within 2 ulp (denormal results: within 2 of their steps); e^-inf = 0, e^inf = inf.
HWY_INLINE Vec exp(Vec x) {
  const hn::RebindToSigned<F32> i32;
  x = hn::IfThenElse(hn::Lt(x, set(-104.f)), set(-104.f), x);  // keeps NaN, as Max would not
  x = hn::IfThenElse(hn::Gt(x, set(89.f)), set(89.f), x);
  Vec n;
  const Vec p = exp_parts(x, &n);
  // In two steps: 2^n alone may be denormal, or beyond the largest float when p brings it back.
  const auto whole = hn::ConvertTo(i32, n), half = hn::ShiftRight<1>(whole);
  const Vec y = hn::Mul(hn::Mul(p, power_of_two(half)), power_of_two(hn::Sub(whole, half)));
  return hn::IfThenZeroElse(hn::Le(x, set(-104.f)), y);
}

/// e^x for x <= 0, up to rounding: within 2 ulp, and 0 below the smallest normal float (x < -87.3).
HWY_INLINE Vec exp_weight(Vec x) {
  const hn::RebindToSigned<F32> i32;
  Vec n;
  const Vec p = exp_parts(x, &n);
  return hn::IfThenZeroElse(hn::Lt(x, set(-87.33f)), hn::Mul(p, power_of_two(hn::ConvertTo(i32, n))));
}

/// exp_weight for the loops that do little else: a third fewer instructions.  x + 3/2 2^23 has the whole
/// number nearest to x in its lowest bits, so that no conversion is needed.  x <= 80.
HWY_INLINE Vec exp_below(Vec x) {
  const hn::RebindToSigned<F32> i32;
  const Vec shift = set(12582912.f), shifted = hn::MulAdd(x, set(1.44269504088896341f), shift);
  const Vec n = hn::Sub(shifted, shift);
  const Vec r = hn::NegMulAdd(n, set(-2.12194440e-4f), hn::NegMulAdd(n, set(0.693359375f), x));
  Vec p = hn::MulAdd(set(1.9875691500e-4f), r, set(1.3981999507e-3f));
  p = hn::MulAdd(p, r, set(8.3334519073e-3f));
  p = hn::MulAdd(p, r, set(4.1665795894e-2f));
  p = hn::MulAdd(p, r, set(1.6666665459e-1f));
  p = hn::MulAdd(p, r, set(5.0000001201e-1f));
  p = hn::Add(hn::MulAdd(hn::Mul(r, r), p, r), set(1.f));
  const auto power = hn::ShiftLeft<23>(hn::BitCast(i32, shifted));
  const Vec y = hn::BitCast(k_f32, hn::Add(hn::BitCast(i32, p), power));
  const Vec other = hn::IfThenZeroElse(hn::Eq(x, x), x);  // 0, or the NaN that x is
  return hn::IfThenElse(hn::Ge(x, set(-87.33f)), y, other);
}

/// tanh x, within 4 ulp.
HWY_INLINE Vec tanh(Vec x) {
  // Small: x + x^3 q(x^2), Cephes' tanhf.  Large: 1 - 2 / (e^2|x| + 1), with the sign of x.
  const Vec s = hn::Mul(x, x), magnitude = hn::Abs(x);
  Vec q = hn::MulAdd(set(-5.70498872745e-3f), s, set(2.06390887954e-2f));
  q = hn::MulAdd(q, s, set(-5.37397155531e-2f));
  q = hn::MulAdd(q, s, set(1.33314422036e-1f));
  q = hn::MulAdd(q, s, set(-3.33332819422e-1f));
  const Vec small = hn::MulAdd(hn::Mul(q, s), x, x);
  const Vec e = exp(hn::Add(magnitude, magnitude));
  const Vec large = hn::Sub(set(1.f), hn::Div(set(2.f), hn::Add(e, set(1.f))));
  return hn::IfThenElse(hn::Lt(magnitude, set(0.625f)), small, hn::CopySign(large, x));
}

/// 1 / (1 + e^-x), within 4 ulp where it is normal, 0 below.
HWY_INLINE Vec sigmoid(Vec x) {
  const Vec e = exp_below(hn::Neg(hn::Abs(x)));  // never overflows
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(k_f32)), e, set(1.f)), hn::Add(set(1.f), e));
}

/// e^(-x^2 / 2): the normal distribution's density but for a factor, and the steep part of its tail.
HWY_INLINE Vec bell(Vec x) { return exp_below(hn::Mul(set(-0.5f), hn::Mul(x, x))); }

constexpr float k_bell_density = 0.39894228040143268f;  // 1 / sqrt(2 pi)

/// The normal distribution's cumulative function, erfc(-x / sqrt 2) / 2, from bell(x): relative error below
/// 4e-6 for |x| < 8, absolute error below 2e-7.  What is left of the tail beside the bell is smooth: a
/// polynomial in 1 / (1 + 0.305 |x|) (a minimax fit, relative error 1.1e-7 for |x| < 13.3, exactly 1/2 at 0).
HWY_INLINE Vec normal_cdf(Vec x, Vec e) {
  const Vec t = hn::Div(set(1.f), hn::MulAdd(set(0.305f), hn::Abs(x), set(1.f)));
  Vec p = hn::MulAdd(set(0.0364528298f), t, set(-0.151999414f));
  p = hn::MulAdd(p, t, set(0.184077114f));
  p = hn::MulAdd(p, t, set(-0.0365260243f));
  p = hn::MulAdd(p, t, set(0.120284736f));
  p = hn::MulAdd(p, t, set(0.103635013f));
  p = hn::MulAdd(p, t, set(0.12243396f));
  p = hn::MulAdd(p, t, set(0.121641785f));
  const Vec tail = hn::Mul(hn::Mul(p, t), e);  // 0 .. 1/2
  return hn::IfThenElse(hn::Gt(x, set(0.f)), hn::Sub(set(1.f), tail), tail);
}

// The activations of elementwise.h, which a product may apply too (matmul.h): with the same bits.

HWY_INLINE Vec relu(Vec x) {
  return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(k_f32)), x);
}  // Max would lose a NaN
HWY_INLINE Vec gelu(Vec x) { return hn::Mul(x, normal_cdf(x, bell(x))); }
HWY_INLINE Vec silu(Vec x) { return hn::Mul(x, sigmoid(x)); }

constexpr float k_tanh_scale = 0.79788456080286536f;  // sqrt(2 / pi)
constexpr float k_tanh_cubic = 0.044715f;

/// 2u of gelu_tanh: (1 + tanh u) / 2 is sigmoid(2u).
HWY_INLINE Vec gelu_inner(Vec x) {
  const Vec cube = hn::Mul(hn::Mul(x, x), x);
  return hn::Mul(set(2 * k_tanh_scale), hn::MulAdd(set(k_tanh_cubic), cube, x));
}
HWY_INLINE Vec gelu_tanh(Vec x) { return hn::Mul(x, sigmoid(gelu_inner(x))); }

// Their gradients: a is the output's, b where it is taken.

HWY_INLINE Vec relu_gradient(Vec a, Vec b) { return hn::IfThenElseZero(hn::Gt(b, hn::Zero(k_f32)), a); }
HWY_INLINE Vec gelu_gradient(Vec a, Vec b) {
  const Vec e = bell(b);
  return hn::Mul(a, hn::MulAdd(b, hn::Mul(set(k_bell_density), e), normal_cdf(b, e)));
}
HWY_INLINE Vec gelu_tanh_gradient(Vec a, Vec b) {
  const Vec s = sigmoid(gelu_inner(b));
  const Vec inner = hn::MulAdd(set(6 * k_tanh_scale * k_tanh_cubic), hn::Mul(b, b), set(2 * k_tanh_scale));
  // The order keeps it finite: s (1 - s) is 0 where b^3 is large.
  return hn::Mul(a, hn::MulAdd(hn::Mul(hn::Mul(s, hn::Sub(set(1.f), s)), inner), b, s));
}
HWY_INLINE Vec silu_gradient(Vec a, Vec b) {
  const Vec s = sigmoid(b);
  return hn::Mul(a, hn::MulAdd(hn::Mul(s, hn::Sub(set(1.f), s)), b, s));
}
HWY_INLINE Vec tanh_gradient(Vec a, Vec b) { return hn::Mul(a, hn::NegMulAdd(b, b, set(1.f))); }

/// The first n floats (all lanes if there are as many), the rest `fill`.
HWY_INLINE Vec load(const float* from, int64_t n, float fill = 0) {
  if (n >= k_lanes) return hn::LoadU(k_f32, from);
  HWY_ALIGN float part[k_lanes];
  for (int64_t i = 0; i < k_lanes; ++i) part[i] = i < n ? from[i] : fill;
  return hn::Load(k_f32, part);
}
HWY_INLINE void store(Vec x, float* to, int64_t n) {
  if (n >= k_lanes) {
    hn::StoreU(x, k_f32, to);
    return;
  }
  HWY_ALIGN float part[k_lanes];
  hn::Store(x, k_f32, part);
  for (int64_t i = 0; i < n; ++i) to[i] = part[i];
}

/// The sum of the lanes, in one order per instruction set.
HWY_INLINE float sum_lanes(Vec x) { return hn::GetLane(hn::SumOfLanes(k_f32, x)); }
HWY_INLINE float max_lanes(Vec x) { return hn::GetLane(hn::MaxOfLanes(k_f32, x)); }

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LIMPID_KERNELS_MATH_INL_H_

#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cache.cpp"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/cache-inl.h"
#include "kernels/cache.h"
#include "kernels/isa.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

// The scale of a row of i8: NaN where the row holds NaN or infinity.
float scale_of(const float* from, int64_t width) {
  Vec most = hn::Zero(k_f32), bad = hn::Zero(k_f32);  // x * 0 is 0 or NaN, and NaN stays
  for (int64_t d = 0; d < width; d += k_lanes) {
    const Vec x = load(from + d, width - d);
    most = hn::Max(most, hn::Abs(x));
    bad = hn::MulAdd(x, hn::Zero(k_f32), bad);
  }
  return max_lanes(most) / 127 + sum_lanes(bad);
}

template <class Type>
void write_row(Type, const float* from, int64_t width, float divisor, typename Type::Element* to) {
  const auto at = [&](int64_t d) {
    const Vec x = load(from + d, width - d);
    return std::is_same_v<Type, AsI8> ? hn::Div(x, set(divisor)) : x;
  };
  int64_t d = 0;
  for (; d + k_lanes <= width; d += k_lanes) Type::store(at(d), to + d);
  if (d == width) return;
  typename Type::Element rest[k_lanes];
  Type::store(at(d), rest);
  std::copy_n(rest, width - d, to + d);
}

}  // namespace

// All heads of one row.
void cache_write(const CacheWrite& w, int64_t b, int64_t row) {
  int64_t s = (w.write_indices ? w.write_indices[b] : 0) + row;
  if (w.circular) s %= w.capacity;
  const CachePlace place = place_in(w.to, b, s);
  for (int64_t g = 0; g < w.heads; ++g) {
    const float* from = w.from + b * w.from_at.batch + row * w.from_at.row + g * w.from_at.head;
    float divisor = 1;
    if (w.to.type == DType::i8) {
      const float scale = scale_of(from, w.width);
      w.to.scales[offset_of(w.to.scales_at, place, g)] = scale;
      divisor = scale > 0 ? scale : 1;  // NaN: any integer will do
    }
    with_type(w.to.type, [&](auto type) {
      using Element = typename decltype(type)::Element;
      write_row(type, from, w.width, divisor,
                static_cast<Element*>(w.to.data) + offset_of(w.to.at, place, g));
    });
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(cache_write);

}  // namespace

void CacheWrite::run(int64_t task, std::byte* /*scratch*/) const noexcept {
  HWY_DYNAMIC_DISPATCH(cache_write)(*this, task / rows, task % rows);
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE

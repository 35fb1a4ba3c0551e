#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise.cpp"
#include "hwy/foreach_target.h"
//
#include <algorithm>

#include "hwy/highway.h"
#include "kernels/elementwise.h"
#include "kernels/math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

template <class F>
HWY_INLINE void each(const Elementwise& e, int64_t begin, int64_t end, F f) {
  int64_t i = begin;
  for (; i + 2 * k_lanes <= end; i += 2 * k_lanes) {  // two at once: their chains fill each other's gaps
    const Vec one = f(hn::LoadU(k_f32, e.a + i)), two = f(hn::LoadU(k_f32, e.a + i + k_lanes));
    hn::StoreU(one, k_f32, e.out + i);
    hn::StoreU(two, k_f32, e.out + i + k_lanes);
  }
  for (; i < end; i += k_lanes) store(f(load(e.a + i, end - i)), e.out + i, end - i);
}

template <class F>
HWY_INLINE void each_pair(const Elementwise& e, int64_t begin, int64_t end, F f) {
  int64_t i = begin;
  for (; i + 2 * k_lanes <= end; i += 2 * k_lanes) {
    const Vec one = f(hn::LoadU(k_f32, e.a + i), hn::LoadU(k_f32, e.b + i));
    const Vec two = f(hn::LoadU(k_f32, e.a + i + k_lanes), hn::LoadU(k_f32, e.b + i + k_lanes));
    hn::StoreU(one, k_f32, e.out + i);
    hn::StoreU(two, k_f32, e.out + i + k_lanes);
  }
  for (; i < end; i += k_lanes) {
    store(f(load(e.a + i, end - i), load(e.b + i, end - i)), e.out + i, end - i);
  }
}

}  // namespace

void elementwise(const Elementwise& e, int64_t begin, int64_t end) {
  const Vec alpha = set(e.alpha), beta = set(e.beta);
  switch (e.function) {
    case Function::add:
      return each_pair(e, begin, end, [=](Vec a, Vec b) { return hn::MulAdd(beta, b, hn::Mul(alpha, a)); });
    case Function::multiply:
      return each_pair(e, begin, end, [](Vec a, Vec b) { return hn::Mul(a, b); });
    case Function::scale:
      return each(e, begin, end, [=](Vec a) { return hn::Mul(alpha, a); });
    case Function::gelu:
      return each(e, begin, end, [](Vec a) { return gelu(a); });
    case Function::gelu_gradient:
      return each_pair(e, begin, end, [](Vec a, Vec b) { return gelu_gradient(a, b); });
    case Function::gelu_tanh:
      return each(e, begin, end, [](Vec a) { return gelu_tanh(a); });
    case Function::gelu_tanh_gradient:
      return each_pair(e, begin, end, [](Vec a, Vec b) { return gelu_tanh_gradient(a, b); });
    case Function::relu:
      return each(e, begin, end, [](Vec a) { return relu(a); });
    case Function::relu_gradient:
      return each_pair(e, begin, end, [](Vec a, Vec b) { return relu_gradient(a, b); });
    case Function::silu:
      return each(e, begin, end, [](Vec a) { return silu(a); });
    case Function::silu_gradient:
      return each_pair(e, begin, end, [](Vec a, Vec b) { return silu_gradient(a, b); });
    case Function::tanh:
      return each(e, begin, end, [](Vec a) { return tanh(a); });
    case Function::tanh_gradient:
      return each_pair(e, begin, end, [](Vec a, Vec b) { return tanh_gradient(a, b); });
    case Function::exp:
      return each(e, begin, end, [](Vec a) { return exp(a); });
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(elementwise);
constexpr int64_t k_block = 16384;

}  // namespace

int64_t Elementwise::tasks() const noexcept { return (count + k_block - 1) / k_block; }

void Elementwise::run(int64_t task, std::byte*) const noexcept {
  const int64_t begin = task * k_block;
  HWY_DYNAMIC_DISPATCH(elementwise)(*this, begin, std::min(begin + k_block, count));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE

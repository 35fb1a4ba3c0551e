#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/optimizer.cpp"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <cmath>
#include <vector>

#include "hwy/highway.h"
#include "kernels/kernel.h"
#include "kernels/math-inl.h"
#include "kernels/optimizer.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {

void adamw(const AdamW& a, int64_t begin, int64_t end) {
  // In double: 1 - beta^step would lose most digits in float.
  const double step = static_cast<double>(a.step);
  const double bias1 = 1 - std::pow(static_cast<double>(a.beta1), step);
  const double bias2 = 1 - std::pow(static_cast<double>(a.beta2), step);
  const Vec keep = set(static_cast<float>(1 - static_cast<double>(a.rate) * a.decay));
  const Vec rate = set(static_cast<float>(a.rate / bias1)),
            per_bias2 = set(static_cast<float>(1 / std::sqrt(bias2)));
  const Vec beta1 = set(a.beta1), rest1 = set(static_cast<float>(1 - static_cast<double>(a.beta1)));
  const Vec beta2 = set(a.beta2), rest2 = set(static_cast<float>(1 - static_cast<double>(a.beta2)));
  for (int64_t i = begin; i < end; i += k_lanes) {
    const int64_t n = end - i;
    const Vec g = hn::Mul(set(a.gradient_scale), load(a.gradients + i, n));
    const Vec m = hn::MulAdd(beta1, load(a.m + i, n), hn::Mul(rest1, g));
    const Vec v = hn::MulAdd(beta2, load(a.v + i, n), hn::Mul(rest2, hn::Mul(g, g)));
    const Vec size = hn::MulAdd(hn::Sqrt(v), per_bias2, set(a.epsilon));
    const Vec p = hn::Mul(load(a.parameters + i, n), keep);
    store(m, a.m + i, n);
    store(v, a.v + i, n);
    store(hn::NegMulAdd(rate, hn::Div(m, size), p), a.parameters + i, n);
  }
}

double squares(const float* x, int64_t count) {
  double sums[8] = {};  // eight chains: one would wait for every addition
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int j = 0; j < 8; ++j) sums[j] += static_cast<double>(x[i + j]) * x[i + j];
  }
  for (; i < count; ++i) sums[0] += static_cast<double>(x[i]) * x[i];
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(adamw);
HWY_EXPORT(squares);
constexpr int64_t k_block = 16384;

struct Squares {
  const float* x;
  int64_t count;
  double* sums;  // [tasks]

  int64_t tasks() const noexcept { return (count + k_block - 1) / k_block; }
  int64_t scratch() const noexcept { return 0; }
  int64_t work() const noexcept { return count; }
  void run(int64_t task, std::byte*) const noexcept {
    const int64_t begin = task * k_block;
    sums[task] = HWY_DYNAMIC_DISPATCH(squares)(x + begin, std::min(k_block, count - begin));
  }
};

}  // namespace

int64_t AdamW::tasks() const noexcept { return (count + k_block - 1) / k_block; }

void AdamW::run(int64_t task, std::byte*) const noexcept {
  const int64_t begin = task * k_block;
  HWY_DYNAMIC_DISPATCH(adamw)(*this, begin, std::min(begin + k_block, count));
}

double sum_of_squares(const float* x, int64_t count) {
  Squares kernel{x, count, nullptr};
  std::vector<double> sums(static_cast<size_t>(kernel.tasks()));
  kernel.sums = sums.data();
  launch(kernel);
  double total = 0;
  for (double sum : sums) total += sum;
  return total;
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE

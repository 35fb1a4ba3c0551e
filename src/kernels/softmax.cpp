#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax.cpp"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <cmath>

#include "hwy/highway.h"
#include "kernels/math-inl.h"
#include "kernels/softmax.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

float largest(const float* x, int64_t width) {
  Vec tops[4] = {set(-k_infinity), set(-k_infinity), set(-k_infinity), set(-k_infinity)};
  int64_t i = 0;
  for (; i + 4 * k_lanes <= width; i += 4 * k_lanes) {  // four chains: one would wait for every comparison
    for (int v = 0; v < 4; ++v) tops[v] = hn::Max(tops[v], hn::LoadU(k_f32, x + i + v * k_lanes));
  }
  Vec top = hn::Max(hn::Max(tops[0], tops[1]), hn::Max(tops[2], tops[3]));
  for (; i < width; i += k_lanes) top = hn::Max(top, load(x + i, width - i, -k_infinity));
  return max_lanes(top);  // may lose a NaN: the sum of exponentials then has it
}

// log sum exp x; -inf for a row of -inf, NaN for one with a NaN.  With y, y = exp(x - top) too, and the sum.
float log_sum_exp(const float* x, int64_t width, float top, float* y, float* total) {
  if (top == -k_infinity) top = 0;  // exp(-inf - 0) = 0
  Vec sum = hn::Zero(k_f32), odd = sum;
  int64_t i = 0;
  for (; i + 2 * k_lanes <= width; i += 2 * k_lanes) {  // two at once: their chains fill each other's gaps
    const Vec one = exp_below(hn::Sub(hn::LoadU(k_f32, x + i), set(top)));
    const Vec two = exp_below(hn::Sub(hn::LoadU(k_f32, x + i + k_lanes), set(top)));
    sum = hn::Add(sum, one);
    odd = hn::Add(odd, two);
    if (y) {
      hn::StoreU(one, k_f32, y + i);
      hn::StoreU(two, k_f32, y + i + k_lanes);
    }
  }
  sum = hn::Add(sum, odd);
  for (; i < width; i += k_lanes) {
    const Vec weight = exp_below(hn::Sub(load(x + i, width - i, -k_infinity), set(top)));
    sum = hn::Add(sum, weight);
    if (y) store(weight, y + i, width - i);
  }
  *total = sum_lanes(sum);
  return *total == 0 ? -k_infinity : top + std::log(*total);
}

}  // namespace

void softmax(const Softmax& a, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const float* x = a.x + r * a.width;
    float* y = a.y + r * a.width;
    float total = 0;
    const float lse = log_sum_exp(x, a.width, largest(x, a.width), a.log ? nullptr : y, &total);
    const Vec shift = set(lse), factor = set(total == 0 ? 0 : 1 / total);
    for (int64_t i = 0; i < a.width; i += k_lanes) {
      const int64_t n = a.width - i;
      store(a.log ? hn::Sub(load(x + i, n), shift) : hn::Mul(load(y + i, n), factor), y + i, n);
    }
    if (a.lse) a.lse[r] = lse;
  }
}

void softmax_gradient(const SoftmaxGradient& a, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const float *y = a.y + r * a.width, *dy = a.dy + r * a.width;
    float* dx = a.dx + r * a.width;
    Vec sum = hn::Zero(k_f32);
    for (int64_t i = 0; i < a.width; i += k_lanes) {
      const Vec d = load(dy + i, a.width - i);
      sum = a.log ? hn::Add(sum, d) : hn::MulAdd(d, load(y + i, a.width - i), sum);
    }
    const Vec total = set(sum_lanes(sum));
    for (int64_t i = 0; i < a.width; i += k_lanes) {
      const int64_t n = a.width - i;
      const Vec d = load(dy + i, n), out = load(y + i, n);
      store(a.log ? hn::NegMulAdd(exp(out), total, d) : hn::Mul(out, hn::Sub(d, total)), dx + i, n);
    }
  }
}

void cross_entropy(const CrossEntropy& a, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const float* x = a.logits + r * a.width;
    const int64_t target = a.targets[r];
    const float top = largest(x, a.width);
    float total = 0;
    a.lse[r] = log_sum_exp(x, a.width, top, nullptr, &total);
    a.loss[r] = target < 0 ? 0 : a.lse[r] - x[target];
    if (a.hit) a.hit[r] = target >= 0 && x[target] >= top ? 1 : 0;
  }
}

void cross_entropy_gradient(const CrossEntropyGradient& a, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const float* x = a.logits + r * a.width;
    float* dx = a.dlogits + r * a.width;
    const int64_t target = a.targets[r];
    if (target < 0) {
      std::fill(dx, dx + a.width, 0.f);
      continue;
    }
    const Vec lse = set(a.lse[r]), scale = set(a.scale);
    // In nats first, so that the target's own p - 1 is rounded once.
    const float at_target = (hn::GetLane(exp_below(set(x[target] - a.lse[r]))) - 1) * a.scale;
    for (int64_t i = 0; i < a.width; i += k_lanes) {
      const int64_t n = a.width - i;
      store(hn::Mul(exp_below(hn::Sub(load(x + i, n), lse)), scale), dx + i, n);
    }
    dx[target] = at_target;
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(softmax);
HWY_EXPORT(softmax_gradient);
HWY_EXPORT(cross_entropy);
HWY_EXPORT(cross_entropy_gradient);

// Rows of a task: about 8192 numbers.
int64_t rows_of_task(int64_t width) { return std::max<int64_t>(1, 8192 / std::max<int64_t>(1, width)); }
int64_t blocks(int64_t rows, int64_t width) { return (rows + rows_of_task(width) - 1) / rows_of_task(width); }

template <class Args, class Run>
void run_rows(const Args& args, int64_t task, Run run) {
  const int64_t begin = task * rows_of_task(args.width);
  run(args, begin, std::min(begin + rows_of_task(args.width), args.rows));
}

}  // namespace

int64_t Softmax::tasks() const noexcept { return blocks(rows, width); }
void Softmax::run(int64_t task, std::byte*) const noexcept {
  run_rows(*this, task, HWY_DYNAMIC_DISPATCH(softmax));
}

int64_t SoftmaxGradient::tasks() const noexcept { return blocks(rows, width); }
void SoftmaxGradient::run(int64_t task, std::byte*) const noexcept {
  run_rows(*this, task, HWY_DYNAMIC_DISPATCH(softmax_gradient));
}

int64_t CrossEntropy::tasks() const noexcept { return blocks(rows, width); }
void CrossEntropy::run(int64_t task, std::byte*) const noexcept {
  run_rows(*this, task, HWY_DYNAMIC_DISPATCH(cross_entropy));
}

int64_t CrossEntropyGradient::tasks() const noexcept { return blocks(rows, width); }
void CrossEntropyGradient::run(int64_t task, std::byte*) const noexcept {
  run_rows(*this, task, HWY_DYNAMIC_DISPATCH(cross_entropy_gradient));
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE

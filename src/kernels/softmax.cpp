#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax.cpp"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <cmath>
#include <limits>

#include "hwy/highway.h"
#include "kernels/math-inl.h"
#include "kernels/row_sums-inl.h"
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

// The sum of exp(x - top), where top is the row's largest: 0 for a row of -inf, NaN for one with a NaN.  With
// y, y = exp(x - top) too.
double sum_of_exp(const float* x, int64_t width, float top, float* y) {
  const Vec shift = set(top == -k_infinity ? 0 : top);  // exp(-inf - 0) = 0
  double total;
  row_sums<1>(width, &total, [&](int64_t i, int64_t n, Vec* sum) {
    const Vec weight = exp_below(hn::Sub(load(x + i, n, -k_infinity), shift));
    sum[0] = hn::Add(sum[0], weight);
    if (y) store(weight, y + i, n);
  });
  return total;
}

// A row with a NaN: NaN wherever anything is seen.
void spread_nan(const float* x, float* y, int64_t width) {
  for (int64_t i = 0; i < width; ++i)
    y[i] = x[i] == -k_infinity ? 0 : std::numeric_limits<float>::quiet_NaN();
}

void log_softmax_row(const float* x, float* y, int64_t width, float top, double total) {
  const Vec largest = set(top), log_total = set(static_cast<float>(std::log(total)));
  if (total == 0) return std::fill_n(y, width, -k_infinity), void();
  int64_t i = 0;
  for (; i + k_lanes <= width; i += k_lanes)
    hn::StoreU(hn::Sub(hn::Sub(hn::LoadU(k_f32, x + i), largest), log_total), k_f32, y + i);
  if (i < width) store(hn::Sub(hn::Sub(load(x + i, width - i), largest), log_total), y + i, width - i);
}

void scale_row(float* y, int64_t width, double total) {
  const Vec factor = set(total == 0 ? 0 : static_cast<float>(1 / total));
  int64_t i = 0;
  for (; i + k_lanes <= width; i += k_lanes)
    hn::StoreU(hn::Mul(hn::LoadU(k_f32, y + i), factor), k_f32, y + i);
  if (i < width) store(hn::Mul(load(y + i, width - i), factor), y + i, width - i);
}

}  // namespace

void softmax(const Softmax& a, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const float* x = a.x + r * a.width;
    float* y = a.y + r * a.width;
    const float top = largest(x, a.width);
    const double total = sum_of_exp(x, a.width, top, a.log ? nullptr : y);
    if (a.log)
      log_softmax_row(x, y, a.width, top, total);
    else if (std::isnan(total))
      spread_nan(x, y, a.width);
    else
      scale_row(y, a.width, total);
    if (a.lse) a.lse[r] = total == 0 ? -k_infinity : static_cast<float>(top + std::log(total));
  }
}

void softmax_gradient(const SoftmaxGradient& a, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const float *y = a.y + r * a.width, *dy = a.dy + r * a.width;
    float* dx = a.dx + r * a.width;
    double sum;
    row_sums<1>(a.width, &sum, [&](int64_t i, int64_t n, Vec* part) {
      const Vec d = load(dy + i, n);
      part[0] = a.log ? hn::Add(part[0], d) : hn::MulAdd(d, load(y + i, n), part[0]);
    });
    const Vec total = set(static_cast<float>(sum));
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
    const double total = sum_of_exp(x, a.width, top, nullptr);
    // The difference first: of large numbers it is exact, and their logarithm would not be.
    double apart = target < 0 ? 0 : static_cast<double>(top) - x[target];
    if (a.smoothing > 0 && target >= 0) {
      double below;  // of all classes together
      row_sums<1>(a.width, &below, [&](int64_t i, int64_t n, Vec* sum) {
        sum[0] = hn::Add(sum[0], hn::Sub(set(top), load(x + i, n, top)));
      });
      apart = (1 - a.smoothing) * apart + a.smoothing * below / static_cast<double>(a.width);
    }
    a.loss[r] = target < 0 ? 0 : static_cast<float>(apart + std::log(total));
    if (a.largest) a.largest[r] = top;
    if (a.total) a.total[r] = static_cast<float>(total);
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
    const Vec top = set(a.largest[r]), factor = set(a.scale / a.total[r]);
    const float shared = static_cast<float>(a.smoothing / static_cast<double>(a.width));
    // By itself, so that p - 1 is rounded once.
    const float wanted = a.smoothing > 0 ? static_cast<float>(1 - a.smoothing) + shared : 1;
    const float at_target =
        (hn::GetLane(exp_below(set(x[target] - a.largest[r]))) / a.total[r] - wanted) * a.scale;
    const Vec taken = set(shared * a.scale);
    for (int64_t i = 0; i < a.width; i += k_lanes) {
      const int64_t n = a.width - i;
      const Vec p = hn::Mul(exp_below(hn::Sub(load(x + i, n), top)), factor);
      store(a.smoothing > 0 ? hn::Sub(p, taken) : p, dx + i, n);
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

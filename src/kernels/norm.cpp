#include "kernels/targets.h"
//
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/norm.cpp"
#include "hwy/foreach_target.h"
//
#include <algorithm>
#include <cmath>
#include <vector>

#include "hwy/highway.h"
#include "kernels/kernel.h"
#include "kernels/math-inl.h"
#include "kernels/norm.h"
#include "kernels/rows.h"

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

// The sum over i of term(i, lanes left), by vectors; lanes beyond the end must give 0.
template <class Term>
HWY_INLINE float row_sum(int64_t width, Term term) {
  Vec even = hn::Zero(k_f32), odd = even;
  int64_t i = 0;
  for (; i + 2 * k_lanes <= width; i += 2 * k_lanes) {
    even = hn::Add(even, term(i, k_lanes));
    odd = hn::Add(odd, term(i + k_lanes, k_lanes));
  }
  for (; i < width; i += k_lanes) even = hn::Add(even, term(i, width - i));
  return sum_lanes(hn::Add(even, odd));
}

// The deviation from mean; lanes beyond the end are 0.
HWY_INLINE Vec apart(const float* x, int64_t n, Vec mean) {
  if (n >= k_lanes) return hn::Sub(hn::LoadU(k_f32, x), mean);
  return hn::Sub(load(x, n, hn::GetLane(mean)), mean);
}

float mean_of(Norm norm, const float* x, int64_t width) {
  if (norm == Norm::rms) return 0;
  return row_sum(width, [=](int64_t i, int64_t n) { return load(x + i, n); }) / static_cast<float>(width);
}

}  // namespace

void norm_forward(const NormForward& a, int64_t begin, int64_t end) {
  for (int64_t r = begin; r < end; ++r) {
    const float* x = a.x + r * a.width;
    float* y = a.y + r * a.width;
    const Vec mean = set(mean_of(a.norm, x, a.width));
    const float squares = row_sum(a.width, [=](int64_t i, int64_t n) {
      const Vec d = apart(x + i, n, mean);
      return hn::Mul(d, d);
    });
    const float scale = std::sqrt(squares / static_cast<float>(a.width) + a.epsilon);
    const Vec inverse = set(1 / scale);
    for (int64_t i = 0; i < a.width; i += k_lanes) {
      const int64_t n = a.width - i;
      Vec out = hn::Mul(hn::Sub(load(x + i, n), mean), inverse);
      if (a.w) out = hn::Mul(out, load(a.w + i, n));
      if (a.b) out = hn::Add(out, load(a.b + i, n));
      store(out, y + i, n);
    }
    if (a.scale) a.scale[r] = scale;
  }
}

// Rows [begin, end) and their share of the parameters' gradients, in share'th place.
void norm_gradient_block(const NormGradient& a, int64_t begin, int64_t end, int64_t share) {
  const float per_width = 1 / static_cast<float>(a.width);
  float* const dw = a.dw ? a.dw + share * a.width : nullptr;
  float* const db = a.db ? a.db + share * a.width : nullptr;
  if (dw) std::fill(dw, dw + a.width, 0.f);
  if (db) std::fill(db, db + a.width, 0.f);
  for (int64_t r = begin; r < end; ++r) {
    const float *x = a.x + r * a.width, *dy = a.dy + r * a.width;
    const float* residual = a.residual ? a.residual + r * a.width : nullptr;
    float* dx = a.dx + r * a.width;
    const Vec mean = set(mean_of(a.norm, x, a.width)), inverse = set(1 / a.scale[r]);
    const auto g = [&](int64_t i, int64_t n) {
      return a.w ? hn::Mul(load(dy + i, n), load(a.w + i, n)) : load(dy + i, n);
    };
    const auto normalized = [&](int64_t i, int64_t n) { return hn::Mul(apart(x + i, n, mean), inverse); };
    const float mean_g = a.norm == Norm::rms ? 0 : row_sum(a.width, g) * per_width;
    const float mean_gn =
        row_sum(a.width, [&](int64_t i, int64_t n) { return hn::Mul(g(i, n), normalized(i, n)); }) *
        per_width;
    for (int64_t i = 0; i < a.width; i += k_lanes) {
      const int64_t n = a.width - i;
      const Vec d = load(dy + i, n), unit = normalized(i, n);
      if (dw) store(hn::MulAdd(d, unit, load(dw + i, n)), dw + i, n);
      if (db) store(hn::Add(d, load(db + i, n)), db + i, n);
      const Vec rest = hn::NegMulAdd(unit, set(mean_gn), hn::Sub(g(i, n), set(mean_g)));
      store(hn::Mul(rest, inverse), dx + i, n);
    }
    for (int64_t i = 0; residual && i < a.width; i += k_lanes) {
      const int64_t n = a.width - i;
      store(hn::Add(load(dx + i, n), load(residual + i, n)), dx + i, n);
    }
  }
}

}  // namespace limpid::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace limpid::kernels {
namespace {

HWY_EXPORT(norm_forward);
HWY_EXPORT(norm_gradient_block);
constexpr int64_t k_rows_of_task = 32;

int64_t blocks(int64_t rows) { return (rows + k_rows_of_task - 1) / k_rows_of_task; }

}  // namespace

int64_t NormForward::tasks() const noexcept { return blocks(rows); }

void NormForward::run(int64_t task, std::byte*) const noexcept {
  const int64_t begin = task * k_rows_of_task;
  HWY_DYNAMIC_DISPATCH(norm_forward)(*this, begin, std::min(begin + k_rows_of_task, rows));
}

int64_t NormGradient::tasks() const noexcept { return blocks(rows); }

void NormGradient::run(int64_t task, std::byte*) const noexcept {
  const int64_t begin = task * k_rows_of_task;
  HWY_DYNAMIC_DISPATCH(norm_gradient_block)(*this, begin, std::min(begin + k_rows_of_task, rows), task);
}

void norm_gradient(NormGradient args, float* dw, float* db) {
  const int64_t shares = args.tasks(), size = shares * args.width;
  std::vector<float> all(static_cast<size_t>(size * ((dw ? 1 : 0) + (db ? 1 : 0))));
  args.dw = dw ? all.data() : nullptr;
  args.db = db ? all.data() + (dw ? size : 0) : nullptr;
  launch(args);
  if (dw) launch(ColumnSums{args.dw, dw, shares, args.width, args.width});
  if (db) launch(ColumnSums{args.db, db, shares, args.width, args.width});
}

}  // namespace limpid::kernels
#endif  // HWY_ONCE

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
#include "kernels/row_sums-inl.h"
#include "kernels/rows.h"

#ifndef LIMPID_KERNELS_NORM_ONCE_
#define LIMPID_KERNELS_NORM_ONCE_
namespace limpid::kernels {
namespace {

// Sums of squares beyond these bounds have left the range where floats keep their digits.
constexpr double k_most_square = 1e37, k_least_square = 1e-30;

}  // namespace
}  // namespace limpid::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace limpid::kernels::HWY_NAMESPACE {
namespace {

// The deviation from center; lanes beyond the end are 0.
HWY_INLINE Vec apart(const float* x, int64_t n, Vec center) {
  if (n >= k_lanes) return hn::Sub(hn::LoadU(k_f32, x), center);
  return hn::Sub(load(x, n, hn::GetLane(center)), center);
}

// The mean, as a float: what it lacks is found among the deviations from it (Chan, Golub, LeVeque 1983).
float center_of(Norm norm, const float* x, int64_t width) {
  if (norm == Norm::rms) return 0;
  double sum;
  row_sums<1>(width, &sum,
              [=](int64_t i, int64_t n, Vec* part) { part[0] = hn::Add(part[0], load(x + i, n)); });
  return static_cast<float>(sum / static_cast<double>(width));
}

// Calls each(i, n) for every vector of a row: n numbers of it count.
template <class Each>
HWY_INLINE void each_vector(int64_t width, Each each) {
  int64_t i = 0;
  for (; i + k_lanes <= width; i += k_lanes) each(i, k_lanes);
  if (i < width) each(i, width - i);
}

// Rows whose sums left the range of floats, in double.
float forward_in_double(const NormForward& a, const float* x, float* y) {
  const auto n = static_cast<double>(a.width);
  double mean = 0, squares = 0;
  for (int64_t i = 0; i < a.width && a.norm == Norm::layer; ++i) mean += x[i] / n;
  for (int64_t i = 0; i < a.width; ++i) squares += (x[i] - mean) * (x[i] - mean) / n;
  const double scale = std::sqrt(squares + a.epsilon);
  for (int64_t i = 0; i < a.width; ++i)
    y[i] = static_cast<float>((x[i] - mean) / scale * (a.w ? a.w[i] : 1) + (a.b ? a.b[i] : 0));
  return static_cast<float>(scale);
}

// The same of a gradient, and its share of dw and db (each if not null).
void gradient_in_double(const NormGradient& a, int64_t r, float* dw, float* db) {
  const float *x = a.x + r * a.width, *dy = a.dy + r * a.width;
  const float* residual = a.residual ? a.residual + r * a.width : nullptr;
  float* dx = a.dx + r * a.width;
  const auto n = static_cast<double>(a.width);
  const double scale = a.scale[r];
  double mean = 0, mean_g = 0, mean_gn = 0;
  for (int64_t i = 0; i < a.width && a.norm == Norm::layer; ++i) mean += x[i] / n;
  const auto g = [&](int64_t i) { return static_cast<double>(dy[i]) * (a.w ? a.w[i] : 1); };
  const auto normalized = [&](int64_t i) { return (x[i] - mean) / scale; };
  for (int64_t i = 0; i < a.width; ++i) {
    if (a.norm == Norm::layer) mean_g += g(i) / n;
    mean_gn += g(i) * normalized(i) / n;
  }
  for (int64_t i = 0; i < a.width; ++i) {
    if (dw) dw[i] += static_cast<float>(dy[i] * normalized(i));
    if (db) db[i] += dy[i];
    const auto out = static_cast<float>((g(i) - mean_g - normalized(i) * mean_gn) / scale);
    dx[i] = residual ? out + residual[i] : out;
  }
}

}  // namespace

void norm_forward(const NormForward& a, int64_t begin, int64_t end) {
  const auto width = static_cast<double>(a.width);
  for (int64_t r = begin; r < end; ++r) {
    const float* x = a.x + r * a.width;
    float* y = a.y + r * a.width;
    const Vec center = set(center_of(a.norm, x, a.width));
    double rest = 0, squares;  // the mean is center + rest
    if (a.norm == Norm::rms) {
      row_sums<1>(a.width, &squares, [=](int64_t i, int64_t n, Vec* part) {
        const Vec v = load(x + i, n);
        part[0] = hn::MulAdd(v, v, part[0]);
      });
    } else {
      double sums[2];
      row_sums<2>(a.width, sums, [=](int64_t i, int64_t n, Vec* parts) {
        const Vec d = apart(x + i, n, center);
        parts[0] = hn::Add(parts[0], d);
        parts[1] = hn::MulAdd(d, d, parts[1]);
      });
      rest = sums[0] / width;
      squares = sums[1] - rest * sums[0];
    }
    const double variance = std::max(squares / width, 0.);
    float scale;
    if (!(variance < k_most_square) || (variance < k_least_square && a.epsilon < k_least_square)) {
      scale = forward_in_double(a, x, y);
    } else {
      const double exact = std::sqrt(variance + a.epsilon);
      scale = static_cast<float>(exact);
      const Vec inverse = set(static_cast<float>(1 / exact)), shift = set(static_cast<float>(-rest / exact));
      each_vector(a.width, [&](int64_t i, int64_t n) {
        Vec out = hn::MulAdd(hn::Sub(load(x + i, n), center), inverse, shift);
        if (a.w) out = hn::Mul(out, load(a.w + i, n));
        if (a.b) out = hn::Add(out, load(a.b + i, n));
        store(out, y + i, n);
      });
    }
    if (a.scale) a.scale[r] = scale;
  }
}

// Rows [begin, end) and their share of the parameters' gradients, in share'th place.
void norm_gradient_block(const NormGradient& a, int64_t begin, int64_t end, int64_t share) {
  const auto width = static_cast<double>(a.width);
  float* const dw = a.dw ? a.dw + share * a.width : nullptr;
  float* const db = a.db ? a.db + share * a.width : nullptr;
  if (dw) std::fill(dw, dw + a.width, 0.f);
  if (db) std::fill(db, db + a.width, 0.f);
  for (int64_t r = begin; r < end; ++r) {
    const float *x = a.x + r * a.width, *dy = a.dy + r * a.width;
    const float* residual = a.residual ? a.residual + r * a.width : nullptr;
    float* dx = a.dx + r * a.width;
    const Vec center = set(center_of(a.norm, x, a.width));
    const auto g = [&](int64_t i, int64_t n) {
      return a.w ? hn::Mul(load(dy + i, n), load(a.w + i, n)) : load(dy + i, n);
    };
    double sums[3] = {};  // of g times deviations, of g, of deviations
    if (a.norm == Norm::rms) {
      row_sums<1>(a.width, sums, [&](int64_t i, int64_t n, Vec* part) {
        part[0] = hn::MulAdd(g(i, n), load(x + i, n), part[0]);
      });
    } else {
      row_sums<3>(a.width, sums, [&](int64_t i, int64_t n, Vec* parts) {
        const Vec d = apart(x + i, n, center), of_g = g(i, n);
        parts[0] = hn::MulAdd(of_g, d, parts[0]);
        parts[1] = hn::Add(parts[1], of_g);
        parts[2] = hn::Add(parts[2], d);
      });
    }
    const double scale = a.scale[r], rest = sums[2] / width;
    const auto in_range = [](double sum) { return std::abs(sum) < k_most_square; };
    if (!in_range(sums[0]) || !in_range(sums[1]) || !in_range(sums[2]) || scale < k_least_square) {
      gradient_in_double(a, r, dw, db);
      continue;
    }
    const Vec inverse = set(static_cast<float>(1 / scale)), shift = set(static_cast<float>(-rest / scale));
    const Vec mean_g = set(static_cast<float>(sums[1] / width)),
              mean_gn = set(static_cast<float>((sums[0] - rest * sums[1]) / (width * scale)));
    each_vector(a.width, [&](int64_t i, int64_t n) {
      const Vec d = load(dy + i, n), unit = hn::MulAdd(hn::Sub(load(x + i, n), center), inverse, shift);
      if (dw) store(hn::MulAdd(d, unit, load(dw + i, n)), dw + i, n);
      if (db) store(hn::Add(d, load(db + i, n)), db + i, n);
      const Vec weighted = a.w ? hn::Mul(d, load(a.w + i, n)) : d;
      const Vec out = hn::Mul(hn::NegMulAdd(unit, mean_gn, hn::Sub(weighted, mean_g)), inverse);
      store(residual ? hn::Add(out, load(residual + i, n)) : out, dx + i, n);
    });
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

#include "trace/diff/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace limpid {

namespace {

constexpr double k_infinity = std::numeric_limits<double>::infinity();
constexpr double k_masked_score = -1e4;  // other programs' scores that are not seen are this or lower
constexpr double k_least_scale = 1e-3;   // below this a stage's numbers are held to it

double largest_finite(const Tensor& x) {
  double most = 0;
  for (int64_t i = 0; i < x.count(); ++i)
    if (const double v = std::fabs(x.data<double>()[i]); std::isfinite(v) && v < -k_masked_score)
      most = std::max(most, v);
  return most;
}

double apart(double a, double b) {
  if (a == b || (std::isnan(a) && std::isnan(b))) return 0;
  if ((a == -k_infinity && b <= k_masked_score) || (b == -k_infinity && a <= k_masked_score)) return 0;
  const double d = std::fabs(a - b);
  return std::isnan(d) ? k_infinity : d;
}

Index unflat(const Shape& shape, int64_t at) {
  Index index(static_cast<size_t>(shape.rank()));
  for (int i = shape.rank() - 1; i >= 0; --i) {
    index[static_cast<size_t>(i)] = at % shape[i].size;
    at /= shape[i].size;
  }
  return index;
}

}  // namespace

Allowance::Allowance(double tolerance, const Tensor& here, const Tensor& there)
    : tolerance_(tolerance),
      scale_(std::clamp(std::max(largest_finite(here), largest_finite(there)), k_least_scale, 1.0)) {}

double Allowance::operator()(double here) const {
  const double size = std::isfinite(here) ? std::fabs(here) : 0;
  return tolerance_ * std::max(size, scale_);
}

Comparison compare(const Tensor& here, const Tensor& there, double tolerance) {
  const Allowance allowed(tolerance, here, there);
  const double *a = here.data<double>(), *b = there.data<double>();
  Comparison out;
  for (int64_t i = 0; i < here.count(); ++i) {
    const double d = apart(a[i], b[i]);
    if (d == 0) continue;
    out.largest = std::max(out.largest, d);
    const double most = allowed(a[i]), share = most > 0 ? d / most : k_infinity;
    if (share > 1) ++out.beyond;
    if (share > out.excess) out.excess = share, out.worst = i;
  }
  return out;
}

StageDifference compare(const Pair& pair, double tolerance) {
  StageDifference out;
  out.name = pair.name;
  out.other = pair.other;
  out.shape = pair.here->shape();
  out.other_shape = pair.other_numbers().shape();
  const std::optional<AlignedNumbers> both = aligned(*pair.here, pair.other_numbers());
  if (!both) {
    out.comparable = out.agrees = false;
    return out;
  }
  const Comparison found = compare(both->here, both->there, tolerance);
  out.agrees = found.agrees();
  out.largest = found.largest;
  out.beyond = found.beyond;
  if (both->here.count() == 0) return out;
  const Index cell = unflat(both->here.shape(), found.worst);
  out.cell = both->cell_of(cell);
  out.here = both->here.at(cell);
  out.there = both->there.at(cell);
  return out;
}

}  // namespace limpid

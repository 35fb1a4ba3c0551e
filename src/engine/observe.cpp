// Looking at values: what is asked for, and a value in one line.
#include <cmath>

#include "engine/observe.h"

namespace limpid {

Observation observation_of(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return {text, Depth::full};
  const std::string depth = text.substr(colon + 1);
  if (depth == "full") return {text.substr(0, colon), Depth::full};
  if (depth == "summary") return {text.substr(0, colon), Depth::summary};
  fail_call("observe: '", depth, "' is not a depth; expected NAME, NAME:full or NAME:summary");
}

Summary summarize(const ConstView& value, const ConstView& masked_scores) {
  Summary s;
  s.shape = value.shape();
  const int64_t count = value.shape().count();
  if (count == 0) return s;
  const Tensor numbers = Tensor::copy_of(value).to(DType::f64);
  const Tensor mask = masked_scores.empty() ? Tensor() : Tensor::copy_of(masked_scores).to(DType::f64);
  const double* x = numbers.data<double>();
  const double* z = masked_scores.empty() ? nullptr : mask.data<double>();
  const auto looked_at = [&](int64_t i) { return !z || z[i] != -INFINITY; };
  int64_t finite = 0;
  double sum = 0;
  s.least = INFINITY;
  s.most = -INFINITY;
  for (int64_t i = 0; i < count; ++i) {
    if (!looked_at(i)) continue;
    ++s.count;
    if (!std::isfinite(x[i])) {
      ++s.non_finite;
      continue;
    }
    ++finite;
    sum += x[i];
    s.least = std::min(s.least, x[i]);
    s.most = std::max(s.most, x[i]);
  }
  if (finite == 0) {
    s.least = s.most = 0;
    return s;
  }
  s.mean = sum / static_cast<double>(finite);
  double squares = 0;
  for (int64_t i = 0; i < count; ++i)
    if (looked_at(i) && std::isfinite(x[i])) squares += (x[i] - s.mean) * (x[i] - s.mean);
  s.spread = std::sqrt(squares / static_cast<double>(finite));
  return s;
}

Summary summarize(const ConstView& value) { return summarize(value, {}); }

}  // namespace limpid

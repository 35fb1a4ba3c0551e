// What simple rules foretell on the windows that a network is judged on.
#include <cmath>

#include "train/evaluate.h"

namespace limpid {

namespace {

// Solves A X = Y for a symmetric positive A [n,n] (its lower half is used), in place: Cholesky.
void solve(std::vector<double>& a, int64_t n, std::vector<double>& y, int64_t columns) {
  const auto at = [n](int64_t i, int64_t j) { return static_cast<size_t>(i * n + j); };
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = j; i < n; ++i) {
      double sum = a[at(i, j)];
      for (int64_t k = 0; k < j; ++k) sum -= a[at(i, k)] * a[at(j, k)];
      a[at(i, j)] = i == j ? std::sqrt(sum) : sum / a[at(j, j)];
    }
  }
  for (int64_t c = 0; c < columns; ++c) {
    const auto value = [&](int64_t i) -> double& { return y[static_cast<size_t>(i * columns + c)]; };
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t k = 0; k < i; ++k) value(i) -= a[at(i, k)] * value(k);
      value(i) /= a[at(i, i)];
    }
    for (int64_t i = n - 1; i >= 0; --i) {
      for (int64_t k = i + 1; k < n; ++k) value(i) -= a[at(k, i)] * value(k);
      value(i) /= a[at(i, i)];
    }
  }
}

struct Errors {
  double squares = 0, distances = 0;
  int64_t count = 0;
  void add(double said, double is) {
    squares += (said - is) * (said - is);
    distances += std::abs(said - is);
    ++count;
  }
  Baseline named(const std::string& name) const {
    const auto n = static_cast<double>(std::max<int64_t>(1, count));
    return {name, squares / n, distances / n};
  }
};

// f(first row of a window, column), for every window that lies in these rows.
template <class F>
void each_window(const SeriesWindows& s, const RowRange& rows, const F& f) {
  for (int64_t first = rows.first; first + s.look_back + s.horizon <= rows.end; ++first)
    for (int64_t k = 0; k < s.channels; ++k) f(first, k);
}

// One matrix for all columns, of what lies above or below the last value (NLinear: Zeng 2023), by least
// squares with a little of ridge.
Baseline linear_map(const SeriesWindows& s, const RowRange& rows) {
  const int64_t n = s.look_back, out = s.horizon;
  std::vector<double> a(static_cast<size_t>(n * n)), y(static_cast<size_t>(n * out)),
      x(static_cast<size_t>(n)), ahead(static_cast<size_t>(out));
  const auto read = [&](int64_t first, int64_t k) {
    const double last = s.at(first + n - 1, k);
    for (int64_t i = 0; i < n; ++i) x[static_cast<size_t>(i)] = s.at(first + i, k) - last;
    for (int64_t o = 0; o < out; ++o) ahead[static_cast<size_t>(o)] = s.at(first + n + o, k) - last;
    return last;
  };
  each_window(s, s.training, [&](int64_t first, int64_t k) {
    read(first, k);
    for (int64_t i = 0; i < n; ++i) {
      const double value = x[static_cast<size_t>(i)];
      double* row = a.data() + i * n;
      for (int64_t j = 0; j <= i; ++j) row[j] += value * x[static_cast<size_t>(j)];
      double* to = y.data() + i * out;
      for (int64_t o = 0; o < out; ++o) to[o] += value * ahead[static_cast<size_t>(o)];
    }
  });
  double trace = 0;
  for (int64_t i = 0; i < n; ++i) trace += a[static_cast<size_t>(i * n + i)];
  constexpr double k_ridge = 1e-4;
  for (int64_t i = 0; i < n; ++i)
    a[static_cast<size_t>(i * n + i)] += k_ridge * trace / static_cast<double>(n) + 1e-12;
  solve(a, n, y, out);
  Errors errors;
  each_window(s, rows, [&](int64_t first, int64_t k) {
    const double last = read(first, k);
    std::vector<double> said(static_cast<size_t>(out), last);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t o = 0; o < out; ++o)
        said[static_cast<size_t>(o)] += x[static_cast<size_t>(i)] * y[static_cast<size_t>(i * out + o)];
    for (int64_t o = 0; o < out; ++o)
      errors.add(said[static_cast<size_t>(o)], ahead[static_cast<size_t>(o)] + last);
  });
  return errors.named(join("a linear map of the ", n, " rows before"));
}

}  // namespace

std::vector<Baseline> baselines(const SeriesWindows& s, const RowRange& rows) {
  Errors last, season, mean;
  std::vector<double> sums(static_cast<size_t>(s.channels * std::max<int64_t>(1, s.period))),
      counts(sums.size());
  const auto phase = [&](int64_t row, int64_t k) {
    return static_cast<size_t>(row % s.period * s.channels + k);
  };
  if (s.period > 0)
    for (int64_t r = s.training.first; r < s.training.end; ++r)
      for (int64_t k = 0; k < s.channels; ++k) sums[phase(r, k)] += s.at(r, k), counts[phase(r, k)] += 1;
  each_window(s, rows, [&](int64_t first, int64_t k) {
    const int64_t now = first + s.look_back;
    for (int64_t o = 0; o < s.horizon; ++o) {
      last.add(s.at(now - 1, k), s.at(now + o, k));
      if (s.period == 0) continue;
      // The last whole season before the window's end.
      const int64_t back = s.period * ((o + s.period) / s.period);
      if (now + o >= back) season.add(s.at(now + o - back, k), s.at(now + o, k));
      const size_t at = phase(now + o, k);
      mean.add(counts[at] > 0 ? sums[at] / counts[at] : 0, s.at(now + o, k));
    }
  });
  std::vector<Baseline> out = {last.named("the last value")};
  if (s.period > 0) {
    out.push_back(season.named(join("the value ", s.period, " rows before")));
    out.push_back(mean.named(join("the mean of training rows at this place of ", s.period)));
  }
  out.push_back(linear_map(s, rows));
  return out;
}

}  // namespace limpid

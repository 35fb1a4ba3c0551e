#include "tensor/overlap.h"

#include <algorithm>
#include <cstdlib>

namespace limpid {

namespace {

struct Step {
  int64_t stride, size;  // stride above 0, size above 1
};

// The axes that move, the smallest strides first: into `all`, whose room serves again.
void find_steps(const Extent& x, std::vector<Step>* all) {
  all->clear();
  for (size_t i = 0; i < x.dims.size(); ++i) {
    const int64_t size = x.dims[i].size, stride = std::abs(x.strides[i]);
    if (size > 1) all->push_back({stride, size});
  }
  std::sort(all->begin(), all->end(), [](const Step& a, const Step& b) { return a.stride < b.stride; });
}

bool has_numbers(const Extent& x) {
  return std::none_of(x.dims.begin(), x.dims.end(), [](const Dim& dim) { return dim.size == 0; });
}

// First and last byte of the numbers: [first, end).
struct Stretch {
  int64_t first, end;
};

Stretch stretch(const Extent& x) {
  const auto element = static_cast<int64_t>(x.element);
  int64_t low = 0, high = 0;
  for (size_t i = 0; i < x.dims.size(); ++i) {
    const int64_t reach = (x.dims[i].size - 1) * x.strides[i];
    (reach < 0 ? low : high) += reach;
  }
  const auto base = static_cast<int64_t>(reinterpret_cast<uintptr_t>(x.data));
  return {base + low * element, base + (high + 1) * element};
}

// How far the axes below `period` reach, or -1 where that, or another stride, does not fit the period.
int64_t reach_within(const std::vector<Step>& all, int64_t period) {
  int64_t reach = 0;
  for (const Step& step : all) {
    if (step.stride < period)
      reach += (step.size - 1) * step.stride;
    else if (step.stride % period != 0)
      return -1;
  }
  return reach < period ? reach : -1;
}

}  // namespace

Extent extent_of(const ConstView& x) {
  return {byte_size(x.dtype()),
          {x.shape().rank() ? &x.shape()[0] : nullptr, static_cast<size_t>(x.shape().rank())},
          x.strides(),
          x.raw()};
}

bool may_overlap(const Extent& a, const Extent& b) {
  if (!has_numbers(a) || !has_numbers(b)) return false;
  const Stretch in_a = stretch(a), in_b = stretch(b);
  if (in_a.end <= in_b.first || in_b.end <= in_a.first) return false;
  const auto element = static_cast<int64_t>(a.element);
  if (b.element != a.element || (in_b.first - in_a.first) % element != 0) return true;
  // Side by side: both repeat every `period` elements, and keep to different parts of it.
  static thread_local std::vector<Step> of_a, of_b, periods;
  find_steps(a, &of_a);
  find_steps(b, &of_b);
  periods = of_a;
  periods.insert(periods.end(), of_b.begin(), of_b.end());
  for (const Step& step : periods) {
    if (step.stride == 0) continue;
    const int64_t period = step.stride, reach_a = reach_within(of_a, period),
                  reach_b = reach_within(of_b, period);
    if (reach_a < 0 || reach_b < 0) continue;
    const int64_t apart = ((in_b.first - in_a.first) / element % period + period) % period;
    if (apart > reach_a && apart + reach_b < period) return false;
  }
  return true;
}

std::optional<std::pair<size_t, size_t>> find_overlap(const std::vector<ConstView>& views, size_t written) {
  struct Placed {
    Stretch at;
    size_t view;
  };
  std::vector<Placed> order;
  for (size_t i = 0; i < views.size(); ++i)
    if (views[i].shape().count() > 0) order.push_back({stretch(extent_of(views[i])), i});
  std::sort(order.begin(), order.end(),
            [](const Placed& a, const Placed& b) { return a.at.first < b.at.first; });
  // From low to high: only those still open are compared, not all pairs (a training step has hundreds).
  std::vector<Placed> open;
  for (const Placed& next : order) {
    std::erase_if(open, [&](const Placed& before) { return before.at.end <= next.at.first; });
    for (const Placed& before : open) {
      const auto pair = std::minmax(before.view, next.view);
      if (pair.first < written && may_overlap(views[before.view], views[next.view])) return pair;
    }
    open.push_back(next);
  }
  return {};
}

bool may_overlap_itself(const Extent& x) {
  if (!has_numbers(x)) return false;
  static thread_local std::vector<Step> steps;
  find_steps(x, &steps);
  int64_t reach = 0;
  for (const Step& step : steps) {
    if (step.stride <= reach) return true;
    reach += (step.size - 1) * step.stride;
  }
  return false;
}

void require_addressable(const char* where, const char* name, const ConstView& x) {
  const Shape& shape = x.shape();
  if (static_cast<int>(x.strides().size()) != shape.rank())
    fail_call(where, ": ", name, " is ", shape.text(), " with ", x.strides().size(),
              " strides, expected one an axis");
  for (const Dim& dim : shape)
    if (dim.size < 0) fail_call(where, ": ", name, " is ", shape.text(), ", expected sizes of 0 or more");
  if (shape.count() == 0) return;
  if (!x.raw())
    fail_call(where, ": ", name, " is ", shape.text(), " and has no numbers (its pointer is null)");
  constexpr int64_t most = int64_t{1} << 56;  // elements; in bytes and together it still fits 64 bits
  int64_t reach = 0;
  for (int i = 0; i < shape.rank(); ++i) {
    const int64_t stride = x.strides()[static_cast<size_t>(i)];
    int64_t part = 0;
    if (stride < -most || stride > most || __builtin_mul_overflow(shape[i].size - 1, stride, &part) ||
        std::abs(part) > most || (reach += std::abs(part)) > most)
      fail_call(where, ": ", name, " is ", shape.text(), " with a stride of ", stride, " along axis ", i,
                ": farther than memory reaches");
  }
}

}  // namespace limpid

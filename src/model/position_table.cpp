// A table of positions for images of another size: PyTorch's interpolate(mode="bicubic",
// align_corners=False).
#include "model/position_table.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace limpid {

namespace {

// Keys 1981 with a = -0.75, at distances 1 + t, t, 1 - t, 2 - t.
std::array<double, 4> cubic(double t) {
  constexpr double a = -0.75;
  const auto near = [](double x) { return ((a + 2) * x - (a + 3)) * x * x + 1; };
  const auto far = [](double x) { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  return {far(t + 1), near(t), near(1 - t), far(2 - t)};
}

struct Places {
  std::array<int64_t, 4> at{};
  std::array<double, 4> weights{};
};

std::vector<Places> places(int64_t from, int64_t to) {
  std::vector<Places> out;
  for (int64_t i = 0; i < to; ++i) {
    const double middle =
        (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
    const double first = std::floor(middle);
    Places& each = out.emplace_back();
    each.weights = cubic(middle - first);
    for (size_t k = 0; k < 4; ++k)
      each.at[k] =
          std::clamp<int64_t>(static_cast<int64_t>(first) - 1 + static_cast<int64_t>(k), 0, from - 1);
  }
  return out;
}

}  // namespace

Tensor interpolated_positions(const Tensor& table, int64_t before, Grid from, Grid to) {
  const int64_t width = table.shape()[1].size;
  Tensor out(DType::f32, {{Axis::P, before + to.lines * to.columns}, {Axis::C, width}});
  const float* x = table.data<float>();
  float* y = std::copy_n(x, before * width, out.data<float>());
  x += before * width;
  const std::vector<Places> lines = places(from.lines, to.lines), columns = places(from.columns, to.columns);
  for (const Places& line : lines)
    for (const Places& column : columns)
      for (int64_t c = 0; c < width; ++c) {
        double sum = 0;
        for (size_t i = 0; i < 4; ++i)
          for (size_t j = 0; j < 4; ++j)
            sum += line.weights[i] * column.weights[j] *
                   x[(line.at[i] * from.columns + column.at[j]) * width + c];
        *y++ = static_cast<float>(sum);
      }
  return out;
}

}  // namespace limpid

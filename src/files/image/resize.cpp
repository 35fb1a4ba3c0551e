// Resampling as Pillow 13 does it (src/libImaging/Resample.c, Geometry.c): weights in double, then whole
// numbers of 22 bits behind the point; one direction after the other, rounded to 8 bits in between.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "files/image/image.h"

namespace limpid {

namespace {

constexpr int k_precision = 32 - 8 - 2;  // bits behind the point: 8 are the pixel's, 2 for sums out of range

struct Filter {
  double support;
  double (*weight)(double);
};

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double box_weight(double x) { return x > -0.5 && x <= 0.5 ? 1 : 0; }
double bilinear_weight(double x) { return std::max(0.0, 1 - std::abs(x)); }
double hamming_weight(double x) {
  x = std::abs(x);
  if (x == 0) return 1;
  if (x >= 1) return 0;
  x *= std::numbers::pi;
  return std::sin(x) / x * (0.54 + 0.46 * std::cos(x));
}
double bicubic_weight(double x) {  // Keys 1981, a = -0.5
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}
double lanczos_weight(double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

Filter filter_of(Resample resample) {
  switch (resample) {
    case Resample::lanczos:
      return {3, lanczos_weight};
    case Resample::bicubic:
      return {2, bicubic_weight};
    case Resample::box:
      return {0.5, box_weight};
    case Resample::hamming:
      return {1, hamming_weight};
    default:
      return {1, bilinear_weight};
  }
}

// What one pixel is made of: `weights` of the pixels from `first` on.
struct Mixture {
  int64_t first = 0;
  std::vector<int32_t> weights;
};

int32_t in_whole_numbers(double weight) {
  return static_cast<int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << k_precision));
}

std::vector<Mixture> mixtures(int64_t from, int64_t to, const Filter& filter) {
  const double scale = static_cast<double>(from) / static_cast<double>(to), wider = std::max(scale, 1.0);
  const double support = filter.support * wider, narrower = 1 / wider;
  std::vector<Mixture> out;
  out.reserve(static_cast<size_t>(to));
  std::vector<double> weights;
  for (int64_t i = 0; i < to; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const auto end = std::min(from, static_cast<int64_t>(center + support + 0.5));
    weights.clear();
    double sum = 0;
    for (int64_t x = first; x < end; ++x) {
      weights.push_back(filter.weight((static_cast<double>(x) - center + 0.5) * narrower));
      sum += weights.back();
    }
    Mixture& mixture = out.emplace_back();
    mixture.first = first;
    for (double w : weights) mixture.weights.push_back(in_whole_numbers(sum != 0 ? w / sum : w));
  }
  return out;
}

uint8_t to_byte(int64_t sum) { return static_cast<uint8_t>(std::clamp<int64_t>(sum >> k_precision, 0, 255)); }

constexpr int64_t k_half = int64_t{1} << (k_precision - 1);

// rows of `from` pixels -> rows of `each.size()`.
std::vector<uint8_t> along_rows(const uint8_t* x, int64_t rows, int64_t from, int64_t channels,
                                const std::vector<Mixture>& each) {
  std::vector<uint8_t> out;
  out.reserve(static_cast<size_t>(rows * channels) * each.size());
  for (int64_t y = 0; y < rows; ++y, x += from * channels)
    for (const Mixture& m : each)
      for (int64_t k = 0; k < channels; ++k) {
        int64_t sum = k_half;
        const uint8_t* at = x + m.first * channels + k;
        for (size_t i = 0; i < m.weights.size(); ++i, at += channels) sum += int64_t{*at} * m.weights[i];
        out.push_back(to_byte(sum));
      }
  return out;
}

// lines of `row` numbers -> each.size() lines.
std::vector<uint8_t> along_columns(const uint8_t* x, int64_t row, const std::vector<Mixture>& each) {
  std::vector<uint8_t> out;
  out.reserve(static_cast<size_t>(row) * each.size());
  std::vector<int64_t> sums(static_cast<size_t>(row));
  for (const Mixture& m : each) {
    std::fill(sums.begin(), sums.end(), k_half);
    const uint8_t* line = x + m.first * row;
    for (const int32_t weight : m.weights)
      for (int64_t i = 0; i < row; ++i) sums[static_cast<size_t>(i)] += int64_t{*line++} * weight;
    for (const int64_t sum : sums) out.push_back(to_byte(sum));
  }
  return out;
}

// Where each pixel comes from: its middle, added up as Pillow adds it.
std::vector<int64_t> nearest_places(int64_t from, int64_t to) {
  const double step = static_cast<double>(from) / static_cast<double>(to);
  std::vector<int64_t> out;
  double at = step * 0.5;
  for (int64_t i = 0; i < to; ++i, at += step) out.push_back(std::min(static_cast<int64_t>(at), from - 1));
  return out;
}

void take_nearest(const Tensor& image, Tensor& out) {
  const int64_t width = image.shape()[1].size, channels = image.shape()[2].size;
  const auto lines = nearest_places(image.shape()[0].size, out.shape()[0].size),
             columns = nearest_places(width, out.shape()[1].size);
  uint8_t* to = out.data<uint8_t>();
  for (const int64_t y : lines)
    for (const int64_t x : columns)
      to = std::copy_n(image.data<uint8_t>() + (y * width + x) * channels, channels, to);
}

}  // namespace

std::string_view name(Resample r) {
  static constexpr std::string_view k_names[] = {"nearest", "lanczos", "bilinear",
                                                 "bicubic", "box",     "hamming"};
  return k_names[static_cast<size_t>(r)];
}

Tensor resize_image(const ConstView& image, int64_t height, int64_t width, Resample resample) {
  require_image(image, "resize_image");
  if (height < 1 || width < 1 || height > k_most_pixels / width)
    fail_call("resize_image: to ", width, " by ", height, " pixels, expected at least 1 by 1 and at most ",
              k_most_pixels, " in all");
  Tensor from = Tensor::copy_of(image);
  const int64_t rows = from.shape()[0].size, columns = from.shape()[1].size, channels = from.shape()[2].size;
  if (rows == height && columns == width) return from;
  Tensor out(DType::u8, {{Axis::Y, height}, {Axis::X, width}, {Axis::K, channels}});
  if (resample == Resample::nearest) {
    take_nearest(from, out);
    return out;
  }
  const Filter filter = filter_of(resample);
  std::vector<uint8_t> x(from.data<uint8_t>(), from.data<uint8_t>() + from.count());
  int64_t lines = rows;
  const auto to_lines = [&](int64_t row) {
    if (lines != height) x = along_columns(x.data(), row, mixtures(rows, height, filter));
    lines = height;
  };
  // Columns first, but where far fewer lines are left than columns: found by trial of Pillow 13, 68 sizes
  // (older versions always begin with the columns).
  if (height < rows && rows - height > 2 * (columns - width)) to_lines(columns * channels);
  if (width != columns) x = along_rows(x.data(), lines, columns, channels, mixtures(columns, width, filter));
  to_lines(width * channels);
  std::copy(x.begin(), x.end(), out.data<uint8_t>());
  return out;
}

}  // namespace limpid

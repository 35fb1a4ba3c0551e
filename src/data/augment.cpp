// Images moved, turned, scaled, mirrored and erased in part, each by numbers that belong to its place.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/threads.h"
#include "limpid/data.h"
#include "limpid/random.h"

namespace limpid {

namespace {

// Random numbers of one example.
class ExampleRandom {
 public:
  ExampleRandom(const ExampleDraw& draw, size_t example) : draw_(draw) {
    row_ = draw.rows.empty() ? example : static_cast<uint64_t>(draw.rows[example]);
  }
  // In [0, 1): the one of this purpose.
  double operator()(uint64_t purpose) const {
    static const uint32_t stream = stream_named("augment");
    return uniform(draw_.seed, stream, draw_.step, row_ * k_purposes + purpose);
  }
  // In [-most, most).
  double around(uint64_t purpose, double most) const { return most * (2 * (*this)(purpose)-1); }

 private:
  static constexpr uint64_t k_purposes = 16;
  const ExampleDraw& draw_;
  uint64_t row_ = 0;
};

enum Purpose : uint64_t {
  k_shift_y,
  k_shift_x,
  k_turn,
  k_scale,
  k_mirror,
  k_erase,
  k_area,
  k_sides,
  k_top,
  k_left
};

// Where a pixel of the result lies in the image: y = yy y' + yx x' + y0, and x alike.
struct Placement {
  double yy = 1, yx = 0, y0 = 0;
  double xy = 0, xx = 1, x0 = 0;
  bool moves() const { return yy != 1 || yx != 0 || y0 != 0 || xy != 0 || xx != 1 || x0 != 0; }
};

struct Rectangle {
  int64_t top = 0, left = 0, height = 0, width = 0;
};

// The way back from the result: the shift undone, then the turn and the scale, all about the image's middle.
Placement draw_placement(const AugmentOptions& o, const ExampleRandom& random, int64_t height,
                         int64_t width) {
  const double angle = random.around(k_turn, o.rotate) * std::numbers::pi / 180;
  const double scale = 1 + random.around(k_scale, o.scale);
  const double shift_y = random.around(k_shift_y, o.shift) * static_cast<double>(height);
  const double shift_x = random.around(k_shift_x, o.shift) * static_cast<double>(width);
  const double c = std::cos(angle) / scale, s = std::sin(angle) / scale;
  const double flip = o.mirror && random(k_mirror) < 0.5 ? -1 : 1;
  const double y_mid = static_cast<double>(height - 1) / 2, x_mid = static_cast<double>(width - 1) / 2;
  Placement p{.yy = c, .yx = s, .xy = -s * flip, .xx = c * flip};
  p.y0 = y_mid - p.yy * (y_mid + shift_y) - p.yx * (x_mid + shift_x);
  p.x0 = x_mid - p.xy * (y_mid + shift_y) - p.xx * (x_mid + shift_x);
  return p;
}

Rectangle draw_rectangle(const AugmentOptions& o, const ExampleRandom& random, int64_t height,
                         int64_t width) {
  if (random(k_erase) >= o.erase) return {};
  const double area = (o.erase_least + (o.erase_most - o.erase_least) * random(k_area)) *
                      static_cast<double>(height) * static_cast<double>(width);
  const double ratio = std::exp(random.around(k_sides, std::log(3.0)));  // height to width: 1/3 to 3
  const auto side = [](double length, int64_t most) {
    return std::clamp<int64_t>(std::llround(length), 1, most);
  };
  Rectangle r{.height = side(std::sqrt(area * ratio), height), .width = side(std::sqrt(area / ratio), width)};
  r.top = static_cast<int64_t>(random(k_top) * static_cast<double>(height - r.height + 1));
  r.left = static_cast<int64_t>(random(k_left) * static_cast<double>(width - r.width + 1));
  return r;
}

// One image [Y,X,K] of a type; outside it is `fill`.
template <class T>
struct Picture {
  Array<const T> pixels;
  int64_t b, height, width;
  double fill;

  double at(int64_t y, int64_t x, int64_t k) const {
    return y < 0 || y >= height || x < 0 || x >= width ? fill : static_cast<double>(pixels(b, y, x, k));
  }
  double between(double y, double x, int64_t k) const {
    const double y_floor = std::floor(y), x_floor = std::floor(x), dy = y - y_floor, dx = x - x_floor;
    const auto top = static_cast<int64_t>(y_floor), left = static_cast<int64_t>(x_floor);
    const double upper = (1 - dx) * at(top, left, k) + dx * at(top, left + 1, k);
    const double lower = (1 - dx) * at(top + 1, left, k) + dx * at(top + 1, left + 1, k);
    return (1 - dy) * upper + dy * lower;
  }
};

template <class T>
T as_pixel(double value) {
  if constexpr (std::is_same_v<T, uint8_t>)
    return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
  else
    return static_cast<T>(value);
}

template <class T>
void augment_one(const Picture<T>& from, const Placement& place, const Rectangle& erased, int64_t channels,
                 Array<T> to) {
  for (int64_t y = 0; y < from.height; ++y)
    for (int64_t x = 0; x < from.width; ++x) {
      const auto dy = static_cast<double>(y), dx = static_cast<double>(x);
      const double from_y = place.yy * dy + place.yx * dx + place.y0;
      const double from_x = place.xy * dy + place.xx * dx + place.x0;
      const bool gone = y >= erased.top && y < erased.top + erased.height && x >= erased.left &&
                        x < erased.left + erased.width;
      for (int64_t k = 0; k < channels; ++k) {
        if (gone)
          to(from.b, y, x, k) = as_pixel<T>(from.fill);
        else if (place.moves())
          to(from.b, y, x, k) = as_pixel<T>(from.between(from_y, from_x, k));
        else
          to(from.b, y, x, k) = from.pixels(from.b, y, x, k);  // to the bit, a NaN too
      }
    }
}

template <class T>
void augment_all(const ConstView& images, const AugmentOptions& options, const ExampleDraw& draw,
                 const View& out) {
  const auto from = images.as<T>();
  const auto to = out.as<T>();
  const Shape& shape = images.shape();
  const int64_t height = shape[1].size, width = shape[2].size;
  parallel_for(shape[0].size, [&](int64_t b, int) {
    const ExampleRandom random(draw, static_cast<size_t>(b));
    augment_one<T>({from, b, height, width, options.fill}, draw_placement(options, random, height, width),
                   draw_rectangle(options, random, height, width), shape[3].size, to);
  });
}

// The strides of a view in the order B, Y, X, K; without channels, K is one channel.
std::vector<int> image_axes(const ConstView& images) {
  std::vector<int> order;
  for (const Axis axis : {Axis::B, Axis::Y, Axis::X, Axis::K}) {
    const int at = images.shape().find(axis);
    if (at >= 0) order.push_back(at);
    if (at < 0 && axis != Axis::K)
      fail_call("augment: the images are ", images.shape().text(),
                ", expected axes B, Y, X and K (channels)");
  }
  if (static_cast<int>(order.size()) != images.shape().rank())
    fail_call("augment: the images are ", images.shape().text(), ", expected no axes but B, Y, X and K");
  return order;
}

template <class V>
V with_four_axes(const V& view, const std::vector<int>& order) {
  std::vector<int64_t> strides;
  Shape shape;
  for (const int axis : order) {
    shape.append(view.shape()[axis]);
    strides.push_back(view.strides()[static_cast<size_t>(axis)]);
  }
  if (order.size() == 3) {
    shape.append({Axis::K, 1});
    strides.push_back(0);
  }
  return V(view.dtype(), shape, strides, view.raw());
}

void require_share(double value, const char* what, double most = 1) {
  if (!(value >= 0 && value <= most)) fail_call("augment: ", what, " is ", value, ", expected 0 to ", most);
}

void check(const AugmentOptions& o) {
  require_share(o.shift, "shift");
  require_share(o.rotate, "rotate", 180);
  require_share(o.scale, "scale", 0.9);
  require_share(o.erase, "erase");
  require_share(o.erase_most, "erase_most");
  require_share(o.erase_least, "erase_least", o.erase_most);
  if (!std::isfinite(o.fill)) fail_call("augment: fill is ", o.fill, ", expected a finite number");
}

void check_draw(const ExampleDraw& draw, int64_t examples, const char* who) {
  if (draw.step == UINT32_MAX) fail_call(who, ": step ", draw.step, " is not for examples");
  if (!draw.rows.empty() && static_cast<int64_t>(draw.rows.size()) != examples)
    fail_call(who, ": ", draw.rows.size(), " row numbers for ", examples,
              examples == 1 ? " example" : " examples");
  for (const int64_t row : draw.rows)
    if (row < 0) fail_call(who, ": row ", row, ", expected 0 or more");
}

}  // namespace

Tensor augment(const ConstView& images, const AugmentOptions& options, const ExampleDraw& draw) {
  check(options);
  images.require_numbers();
  const std::vector<int> order = image_axes(images);
  check_draw(draw, images.shape().size(Axis::B), "augment");
  Tensor out(images.dtype(), images.shape());
  const ConstView from = with_four_axes(images, order);
  const View to = with_four_axes(out.view(), order);
  if (images.dtype() == DType::u8)
    augment_all<uint8_t>(from, options, draw, to);
  else if (images.dtype() == DType::f32)
    augment_all<float>(from, options, draw, to);
  else
    fail_call("augment: the images are ", name(images.dtype()), ", expected u8 or f32");
  return out;
}

std::vector<int64_t> drop_words(std::span<const int64_t> ids, const DropWordsOptions& options,
                                const ExampleDraw& draw) {
  if (!(options.probability >= 0 && options.probability <= 1))
    fail_call("drop_words: the probability is ", options.probability, ", expected 0 to 1");
  check_draw(draw, 1, "drop_words");
  static const uint32_t stream = stream_named("drop_words");
  const uint64_t row = draw.rows.empty() ? 0 : static_cast<uint64_t>(draw.rows[0]);
  std::vector<int64_t> out;
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool kept = std::find(options.kept.begin(), options.kept.end(), ids[i]) != options.kept.end();
    if (kept || uniform(draw.seed, stream, draw.step, row << 32 | i) >= options.probability)
      out.push_back(ids[i]);
    else if (options.replacement)
      out.push_back(*options.replacement);
  }
  return out;
}

}  // namespace limpid

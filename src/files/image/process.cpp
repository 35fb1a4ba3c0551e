// The steps from an image to the numbers of a network, as Hugging Face's image processors take them
// (transformers, image_transforms.py).
#include <algorithm>

#include "files/image/image.h"

namespace limpid {

namespace {

// ITU-R 601-2, as Pillow has it: whole numbers of 16 bits behind the point.
uint8_t luma(const uint8_t* rgb) {
  return static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
}

// One number a channel; 1, or 0 of the mean, where none is given.
std::vector<float> each_channel(const std::vector<double>& given, int64_t channels, float otherwise,
                                const char* what) {
  const auto count = static_cast<int64_t>(given.size());
  if (count != 0 && count != 1 && count != channels)
    fail_call("image processor: ", count, " numbers of the ", what, ", expected one, or one a channel (",
              channels, ")");
  std::vector<float> out;
  for (int64_t k = 0; k < channels; ++k)
    out.push_back(count == 0 ? otherwise
                             : static_cast<float>(given[static_cast<size_t>(count == 1 ? 0 : k)]));
  return out;
}

// The shorter edge becomes `edge`; the other in proportion, its fraction dropped.
ImageProcessor::Size with_shortest_edge(int64_t height, int64_t width, int64_t edge) {
  const int64_t shorter = std::min(height, width), longer = std::max(height, width);
  const auto other = static_cast<int64_t>(static_cast<double>(edge) * static_cast<double>(longer) /
                                          static_cast<double>(shorter));
  return width <= height ? ImageProcessor::Size{other, edge} : ImageProcessor::Size{edge, other};
}

}  // namespace

void require_image(const ConstView& image, const char* what) {
  const Shape& shape = image.shape();
  if (image.dtype() != DType::u8 || shape.rank() != 3 || shape.symbolic() || shape.count() < 1 ||
      shape[2].size > 4)
    fail_call(what, ": the image is ", name(image.dtype()), " ", shape.text(),
              ", expected u8 [Y,X,K]: lines, columns, 1 to 4 channels");
}

Tensor with_channels(const ConstView& image, int64_t channels) {
  require_image(image, "with_channels");
  if (channels != 1 && channels != 3)
    fail_call("with_channels: an image of ", channels,
              " channels, expected 1 (grey) or 3 (red, green, blue)");
  const int64_t height = image.shape()[0].size, width = image.shape()[1].size, had = image.shape()[2].size;
  Tensor from = Tensor::copy_of(image);
  if (had == channels) return from;
  Tensor out(DType::u8, {{Axis::Y, height}, {Axis::X, width}, {Axis::K, channels}});
  const uint8_t* x = from.data<uint8_t>();
  uint8_t* y = out.data<uint8_t>();
  for (int64_t i = 0; i < height * width; ++i, x += had, y += channels)
    for (int64_t k = 0; k < channels; ++k) y[k] = had < 3 ? x[0] : channels == 1 ? luma(x) : x[k];
  return out;
}

Tensor center_crop(const ConstView& image, int64_t height, int64_t width) {
  require_image(image, "center_crop");
  if (height < 1 || width < 1 || height > k_most_pixels / width)
    fail_call("center_crop: to ", width, " by ", height, " pixels, expected at least 1 by 1 and at most ",
              k_most_pixels, " in all");
  const int64_t rows = image.shape()[0].size, columns = image.shape()[1].size,
                channels = image.shape()[2].size;
  // Where the crop begins in the image: rounded down, and where that lies before it the zeros round up.
  const auto begin = [](int64_t had, int64_t wanted, bool padded) {
    const int64_t difference = had - wanted;
    const int64_t first = difference >= 0 ? difference / 2 : -((1 - difference) / 2);
    if (!padded) return first;
    const int64_t zeros = had < wanted ? (wanted - had + 1) / 2 : 0;
    return std::max<int64_t>(0, first + zeros) - zeros;
  };
  const bool padded = rows < height || columns < width;
  const int64_t top = begin(rows, height, padded), left = begin(columns, width, padded);
  Tensor out(DType::u8, {{Axis::Y, height}, {Axis::X, width}, {Axis::K, channels}});
  std::fill_n(out.data<uint8_t>(), out.count(), uint8_t{0});
  const Tensor from = Tensor::copy_of(image);
  for (int64_t y = 0; y < height; ++y) {
    if (top + y < 0 || top + y >= rows) continue;
    const int64_t first = std::max<int64_t>(0, -left), end = std::min(width, columns - left);
    if (first >= end) continue;
    std::copy_n(from.data<uint8_t>() + ((top + y) * columns + left + first) * channels,
                (end - first) * channels, out.data<uint8_t>() + (y * width + first) * channels);
  }
  return out;
}

Tensor ImageProcessor::operator()(const ConstView& image) const {
  Tensor x = with_channels(image, channels);
  if (shortest_edge > 0) {
    const Size size = with_shortest_edge(x.shape()[0].size, x.shape()[1].size, shortest_edge);
    if (size.height > k_most_pixels / size.width)
      fail_work("an image of ", x.shape()[1].size, " by ", x.shape()[0].size, " pixels would have more than ",
                k_most_pixels, " with a shorter edge of ", shortest_edge);
    x = resize_image(x, size.height, size.width, resample);
  } else if (resize) {
    x = resize_image(x, resize->height, resize->width, resample);
  }
  if (crop) x = center_crop(x, crop->height, crop->width);
  const int64_t height = x.shape()[0].size, width = x.shape()[1].size;
  const std::vector<float> means = each_channel(mean, channels, 0, "mean"),
                           deviations = each_channel(std, channels, 1, "standard deviation");
  Tensor out(DType::f32, {{Axis::B, 1}, {Axis::K, channels}, {Axis::Y, height}, {Axis::X, width}});
  float* to = out.data<float>();
  for (int64_t k = 0; k < channels; ++k)
    for (int64_t i = 0; i < height * width; ++i) {
      const auto scaled = static_cast<float>(x.data<uint8_t>()[i * channels + k] * rescale);
      *to++ = (scaled - means[static_cast<size_t>(k)]) / deviations[static_cast<size_t>(k)];
    }
  return out;
}

}  // namespace limpid

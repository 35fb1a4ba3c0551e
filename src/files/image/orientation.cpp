// How a camera was held: EXIF's orientation (JEITA CP-3451, tag 0x0112), and the image turned as it says.
#include <array>

#include "files/image/image.h"

namespace limpid {

namespace {

// A TIFF file in memory, in its own order of bytes.  What is not there reads as 0.
class Tiff {
 public:
  explicit Tiff(Bytes bytes) : bytes_(bytes), little_(bytes.size() > 0 && bytes[0] == std::byte{'I'}) {}
  uint32_t u16(size_t at) const { return number(at, 2); }
  uint32_t u32(size_t at) const { return number(at, 4); }

 private:
  uint32_t number(size_t at, size_t count) const {
    if (at > bytes_.size() || bytes_.size() - at < count) return 0;
    uint32_t out = 0;
    for (size_t i = 0; i < count; ++i) {
      const size_t place = little_ ? count - 1 - i : i;
      out = out << 8 | std::to_integer<uint32_t>(bytes_[at + place]);
    }
    return out;
  }
  Bytes bytes_;
  bool little_;
};

constexpr uint32_t k_orientation = 0x0112;

// Where pixel (y, x) of the turned image stands in the stored one of this height and width.
std::array<int64_t, 2> stored_place(int orientation, int64_t height, int64_t width, int64_t y, int64_t x) {
  switch (orientation) {
    case 2:
      return {y, width - 1 - x};
    case 3:
      return {height - 1 - y, width - 1 - x};
    case 4:
      return {height - 1 - y, x};
    case 5:
      return {x, y};
    case 6:
      return {height - 1 - x, y};
    case 7:
      return {height - 1 - x, width - 1 - y};
    case 8:
      return {x, width - 1 - y};
    default:
      return {y, x};
  }
}

}  // namespace

int exif_orientation(Bytes exif) {
  const Tiff tiff(exif);
  if (tiff.u16(2) != 42) return 1;
  const size_t directory = tiff.u32(4);
  const uint32_t entries = tiff.u16(directory);
  for (uint32_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + size_t{i} * 12;
    if (entry >= exif.size()) return 1;
    if (tiff.u16(entry) != k_orientation) continue;
    const uint32_t value = tiff.u16(entry + 8);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Tensor turned(Tensor image, int orientation) {
  if (orientation == 1) return image;
  const int64_t height = image.shape()[0].size, width = image.shape()[1].size,
                channels = image.shape()[2].size;
  const bool sideways = orientation >= 5;
  const int64_t rows = sideways ? width : height, columns = sideways ? height : width;
  Tensor out(DType::u8, {{Axis::Y, rows}, {Axis::X, columns}, {Axis::K, channels}});
  const uint8_t* from = image.data<uint8_t>();
  uint8_t* to = out.data<uint8_t>();
  for (int64_t y = 0; y < rows; ++y)
    for (int64_t x = 0; x < columns; ++x) {
      const auto [row, column] = stored_place(orientation, height, width, y, x);
      for (int64_t k = 0; k < channels; ++k) *to++ = from[(row * width + column) * channels + k];
    }
  return out;
}

}  // namespace limpid

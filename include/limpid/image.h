// Images out of PNG and JPEG files, and how they become what a network of images reads.
//
//   Tensor photo = read_image("cat.jpg");                       // u8 [Y=480,X=640,K=3]
//   Tensor pixels = model.image_input(photo);                   // f32 [B=1,K=3,Y=224,X=224] (model.h)
//
// An image is u8 [Y,X,K]: lines, columns, channels.  K is 1 (grey), 2 (grey, alpha), 3 (red, green, blue) or
// 4 (the same and alpha).  What is done to it is what Hugging Face's image processors do with Pillow, to the
// last bit up to the rescaling.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "limpid/api.h"
#include "limpid/files.h"

namespace LIMPID_API limpid {

// ---- reading -------------------------------------------------------------------------------------

/// The most pixels that an image may have.
inline constexpr int64_t k_most_pixels = int64_t{1} << 28;

/// A PNG or JPEG file, told by its content.  Palettes become colours, 1, 2 and 4 bits 8, of 16 bits the upper
/// 8 stay.  A picture that was taken sideways (EXIF's orientation) is turned upright, as
/// transformers.image_utils.load_image does.  Throws Error{work} naming the file: another kind of file, a
/// damaged or truncated one, colours as CMYK, arithmetic coding, more than k_most_pixels, or more than a file
/// of its size can hold.
Tensor read_image(const std::filesystem::path& path);
/// The same from memory; `name` stands for the file in messages.
Tensor read_image(Bytes bytes, std::string_view name);

// ---- steps ---------------------------------------------------------------------------------------

/// Grey for 1 (of colours ITU-R 601-2 luma, as Pillow's "L"), colours for 3 (grey three times); alpha is
/// dropped.
Tensor with_channels(const ConstView& image, int64_t channels);

/// How pixels are made of others; the numbers are Pillow's, and of "resample" in preprocessor_config.json.
enum class Resample { nearest = 0, lanczos = 1, bilinear = 2, bicubic = 3, box = 4, hamming = 5 };
std::string_view name(Resample);

/// Pillow's Image.resize (13.0), bit by bit: the filter widens where the image shrinks; lines and columns one
/// after the other, rounded to 8 bits in between.  Throws Error{call} for sizes below 1 or above
/// k_most_pixels in all.
Tensor resize_image(const ConstView& image, int64_t height, int64_t width, Resample);

/// The middle; where the image is smaller, zeros stand round it.
Tensor center_crop(const ConstView& image, int64_t height, int64_t width);

// ---- all of them ---------------------------------------------------------------------------------

/// What preprocessor_config.json says, in the order in which it is done.
struct ImageProcessor {
  int64_t channels = 3;
  struct Size {
    int64_t height = 0, width = 0;
  };
  std::optional<Size> resize;  // to this size
  int64_t shortest_edge = 0;   // or, if not 0, until the shorter edge has so many pixels
  Resample resample = Resample::bilinear;
  std::optional<Size> crop;
  double rescale = 1.0 / 255;     // each number is multiplied by it
  std::vector<double> mean, std;  // then (x - mean) / std: empty, one number, or one a channel

  /// image u8 [Y,X,K] -> f32 [B=1,K,Y,X].
  Tensor operator()(const ConstView& image) const;
};

}  // namespace LIMPID_API limpid

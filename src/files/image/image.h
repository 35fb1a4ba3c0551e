// What the readers of images share.
#pragma once

#include "limpid/image.h"

namespace limpid {

/// An image as its file holds it, and how it is to be turned (EXIF's orientation, 1 to 8; 1: not).
struct StoredImage {
  Tensor pixels;
  int orientation = 1;
};

StoredImage read_png(Bytes bytes, const std::string& name);
StoredImage read_jpeg(Bytes bytes, const std::string& name);

/// How large an image is, and how few bytes a file can hold it in.
struct StatedSize {
  int64_t height = 0, width = 0, channels = 0;
  double least_bytes = 0;
};
/// An image with room for its pixels.  Throws Error{work} for sizes that limpid does not read, that the file
/// is too short for, or that are out of all proportion to it (growth.h): what a file states is a claim.
Tensor image_of_size(const StatedSize&, Bytes file, const std::string& name);

/// "Orientation" of EXIF data (a TIFF header and its first directory); 1 where it is not said, or damaged.
int exif_orientation(Bytes exif);
/// The image turned as `orientation` says.
Tensor turned(Tensor image, int orientation);

/// Throws Error{call} unless it is u8 [Y,X,K] with 1 to 4 channels and at least one pixel.
void require_image(const ConstView& image, const char* what);

}  // namespace limpid

// What the tests of images share: the files beside the fuzz targets, drawn images, digests.
#pragma once

#include <filesystem>
#include <string>

#include "files/image/image.h"

namespace limpid {

inline std::filesystem::path image_path(const std::string& name) {
  return std::filesystem::path(LIMPID_SOURCE_DIR) / "tests/fuzz/seeds/image" / name;
}
inline std::string image_bytes(const std::string& name) { return read_file(image_path(name)); }

/// The numbers of tests/image_files.py's drawn().
inline Tensor drawn_image(int64_t height, int64_t width, int64_t channels, uint32_t seed) {
  Tensor image(DType::u8, {{Axis::Y, height}, {Axis::X, width}, {Axis::K, channels}});
  for (int64_t i = 0; i < image.count(); ++i) {
    seed = seed * 1664525u + 1013904223u;
    image.data<uint8_t>()[i] = static_cast<uint8_t>(seed >> 24);
  }
  return image;
}

/// FNV-1a of an image's bytes.
inline uint64_t digest_of(const Tensor& image) {
  uint64_t digest = 0xcbf29ce484222325u;
  for (int64_t i = 0; i < image.count(); ++i) digest = (digest ^ image.data<uint8_t>()[i]) * 0x100000001b3u;
  return digest;
}

}  // namespace limpid

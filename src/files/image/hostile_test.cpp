// Images that are none, or were made to do harm: each is one clear Error{work} that names the file.
#include <gtest/gtest.h>
#include <zlib.h>

#include "files/image/test_image.h"
#include "files/test_files.h"

namespace limpid {
namespace {

std::string refusal(const std::string& content) {
  return error_of([&] { read_image(bytes_of(content), "photo"); });
}

std::string big_endian(uint32_t n) {
  return {static_cast<char>(n >> 24), static_cast<char>(n >> 16), static_cast<char>(n >> 8),
          static_cast<char>(n)};
}

std::string chunk(const std::string& kind, const std::string& data) {
  const std::string checked = kind + data;
  const auto sum =
      crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size()));
  return big_endian(static_cast<uint32_t>(data.size())) + checked + big_endian(static_cast<uint32_t>(sum));
}

std::string png_header(uint32_t width, uint32_t height, char depth, char colour) {
  return "\x89PNG\r\n\x1a\n" +
         chunk("IHDR", big_endian(width) + big_endian(height) + depth + colour + std::string(3, '\0'));
}

// The same file with a byte changed.
std::string with_byte(std::string content, size_t at, int value) {
  content.at(at) = static_cast<char>(value);
  return content;
}

size_t place_of(const std::string& content, const std::string& part) {
  const size_t at = content.find(part);
  EXPECT_NE(at, content.npos);
  return at;
}

TEST(HostileImage, TruncatedAnywhere) {
  for (const char* file : {"rgb.png", "interlaced.png", "palette.png", "grey16.png", "baseline.jpg",
                           "progressive.jpg", "grey.jpg", "turned6.jpg"}) {
    const std::string whole = image_bytes(file);
    for (size_t size = 0; size < whole.size(); ++size) {
      const std::string said = refusal(whole.substr(0, size));
      EXPECT_TRUE(holds(said, {"photo"})) << file << " cut to " << size << " of " << whole.size() << " bytes";
    }
  }
}

TEST(HostileImage, AnyByteChangedIsAnErrorOrAnImage) {
  for (const char* file :
       {"interlaced.png", "palette_transparent.png", "baseline.jpg", "progressive.jpg", "turned6.jpg"}) {
    const std::string whole = image_bytes(file);
    for (size_t at = 0; at < whole.size(); ++at)
      for (const int value : {0, 1, 0x7f, 0xff, whole[at] ^ 0x10}) {
        try {
          const std::string changed = with_byte(whole, at, value);
          EXPECT_GT(read_image(bytes_of(changed), "photo").count(), 0);
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), Error::Kind::work);
        }
      }
  }
}

TEST(HostileImage, SizesThatNoFileOfItsLengthHolds) {
  const std::string data = chunk("IDAT", "") + chunk("IEND", "");
  EXPECT_TRUE(
      holds(refusal(png_header(100000, 100000, 8, 2) + data), {"photo", "100000 by 100000", "268435456"}));
  EXPECT_TRUE(
      holds(refusal(png_header(16384, 16384, 8, 6) + data), {"photo", "16384 by 16384", "cannot hold"}));
  EXPECT_TRUE(holds(refusal(png_header(0x7fffffff, 1, 16, 6) + data), {"photo"}));
  EXPECT_TRUE(holds(refusal(png_header(0xffffffff, 1, 8, 2) + data), {"photo"}));
  EXPECT_TRUE(holds(refusal(png_header(0, 4, 8, 2) + data), {"photo"}));
  EXPECT_TRUE(holds(refusal(png_header(4, 0, 8, 2) + data), {"photo"}));
  // A JPEG of 65,500 by 65,500, and one of 16,000 by 16,000.
  std::string jpeg = image_bytes("baseline.jpg");
  const size_t frame = place_of(jpeg, "\xff\xc0") + 5;
  EXPECT_TRUE(
      holds(refusal(std::string(jpeg).replace(frame, 4, "\xff\xdc\xff\xdc")), {"photo", "65500 by 65500"}));
  EXPECT_TRUE(
      holds(refusal(std::string(jpeg).replace(frame, 4, "\x3e\x80\x3e\x80")), {"photo", "cannot hold"}));
}

// 33 KB of deflate that unpack to 268 million pixels of four numbers each.
TEST(HostileImage, PixelsOutOfProportion) {
  std::string line(2049 * 16384, '\0'), packed(line.size() / 900, '\0');
  uLongf size = packed.size();
  ASSERT_EQ(compress2(reinterpret_cast<Bytef*>(packed.data()), &size,
                      reinterpret_cast<const Bytef*>(line.data()), line.size(), 9),
            Z_OK);
  packed.resize(size);
  const std::string bomb = png_header(16384, 16384, 1, 3) + chunk("PLTE", "\1\2\3") + chunk("tRNS", "\1") +
                           chunk("IDAT", packed) + chunk("IEND", "");
  EXPECT_TRUE(holds(refusal(bomb), {"photo", "16384 by 16384", "fill the memory"}));
}

TEST(HostileImage, DamagedParts) {
  const std::string png = image_bytes("rgb.png"), jpeg = image_bytes("baseline.jpg");
  const size_t pixels = place_of(png, "IDAT") + 8, frame = place_of(jpeg, "\xff\xc0");
  const std::pair<const char*, std::string> cases[] = {
      {"a wrong sum", with_byte(png, png.size() - 17, png[png.size() - 17] ^ 1)},
      {"a wrong pixel", with_byte(png, pixels, png[pixels] ^ 1)},
      {"no palette", png_header(2, 2, 8, 3) + chunk("IDAT", "") + chunk("IEND", "")},
      {"an unknown depth", png_header(2, 2, 3, 0) + chunk("IDAT", "") + chunk("IEND", "")},
      {"an unknown colour", png_header(2, 2, 8, 5) + chunk("IDAT", "") + chunk("IEND", "")},
      {"no pixels", png_header(2, 2, 8, 2) + chunk("IEND", "")},
      {"an unknown critical chunk", png_header(2, 2, 8, 2) + chunk("ABCD", "") + chunk("IEND", "")},
      {"a PNG's first bytes alone", "\x89PNG\r\n\x1a\n"},
      {"0 components", with_byte(jpeg, frame + 9, 0)},
      {"9 components", with_byte(jpeg, frame + 9, 9)},
      {"0 lines", with_byte(with_byte(jpeg, frame + 5, 0), frame + 6, 0)},
      {"12 bits", with_byte(jpeg, frame + 4, 12)},
      {"sampling of 0", with_byte(jpeg, frame + 11, 0)},
      {"no tables", jpeg.substr(0, 2) + jpeg.substr(place_of(jpeg, "\xff\xda"))},
      {"a JPEG's first bytes alone", std::string("\xff\xd8\xff\xe0", 4)}};
  for (const auto& [what, content] : cases) EXPECT_TRUE(holds(refusal(content), {"photo"})) << what;
}

TEST(HostileImage, WhatIsRefusedByName) {
  EXPECT_TRUE(holds(refusal(image_bytes("cmyk.jpg")), {"photo", "CMYK", "RGB"}));
  std::string arithmetic = image_bytes("baseline.jpg");
  arithmetic[place_of(arithmetic, "\xff\xc0") + 1] = '\xc9';
  EXPECT_TRUE(holds(refusal(arithmetic), {"photo", "arithmetic"}));
  EXPECT_TRUE(holds(refusal("Life is short\n"), {"photo is a text", "PNG or JPEG"}));
  EXPECT_TRUE(holds(refusal(""), {"photo is empty", "PNG or JPEG"}));
  EXPECT_TRUE(holds(refusal("GIF89a\1\0\1\0"), {"photo is a GIF image", "PNG or JPEG"}));
  EXPECT_TRUE(holds(refusal(std::string("RIFF\4\0\0\0WEBPVP8 ", 16)), {"photo is a WebP image"}));
  EXPECT_TRUE(holds(error_of([] { read_image(std::filesystem::temp_directory_path()); }), {"is a folder"}));
  EXPECT_TRUE(
      holds(error_of([] { read_image(std::filesystem::path("/nowhere/cat.png")); }), {"/nowhere/cat.png"}));
}

// A scan costs a few bytes and goes over the whole image.
TEST(HostileImage, ManyScans) {
  const std::string whole = image_bytes("progressive.jpg");
  const size_t scan = whole.rfind("\xff\xda"), end = whole.rfind("\xff\xd9");
  std::string many = whole.substr(0, scan);
  for (int i = 0; i < 2000; ++i) many += whole.substr(scan, end - scan);
  EXPECT_TRUE(holds(refusal(many + whole.substr(end)), {"photo"}));
}

TEST(HostileImage, DamagedOrientationIsNone) {
  const std::string tiff("II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0", 22);
  EXPECT_EQ(exif_orientation(bytes_of(tiff)), 6);
  for (size_t size = 0; size < tiff.size() - 2; ++size)
    EXPECT_EQ(exif_orientation(bytes_of(std::string_view(tiff).substr(0, size))), size >= 20 ? 6 : 1) << size;
  EXPECT_EQ(exif_orientation(bytes_of(std::string("MM\0*\xff\xff\xff\xff", 8))), 1);
  EXPECT_EQ(exif_orientation(bytes_of(std::string("II*\0\x08\0\0\0\xff\xff", 10))), 1);
}

}  // namespace
}  // namespace limpid

// What comes out of PNG and JPEG files: held to Pillow (tests/image_files.py made the files and the digests).
#include <gtest/gtest.h>

#include "files/image/test_image.h"
#include "files/test_files.h"

namespace limpid {
namespace {

struct Stored {
  const char* file;
  int64_t height, width;
  uint64_t digest;  // as colours
};
constexpr Stored k_stored[] = {
    {"grey1.png", 5, 7, 0x6b96904beb0a83e9u},
    {"grey2.png", 5, 7, 0xa8603919364d9ba6u},
    {"grey4.png", 5, 7, 0x5c18531eb8767ac1u},
    {"grey8.png", 5, 7, 0xf033913e7e5c9a09u},
    {"grey_alpha.png", 5, 7, 0xf926e68983976b97u},
    {"grey_alpha16.png", 5, 7, 0xf926e68983976b97u},
    {"rgb.png", 5, 7, 0xe6d7fe360d06050eu},
    {"rgb16.png", 5, 7, 0xcd414db637201c3eu},
    {"rgba.png", 5, 7, 0x63fef8bb31226c0bu},
    {"palette.png", 5, 7, 0xf416020fcd837bf9u},
    {"palette_transparent.png", 5, 7, 0xf416020fcd837bf9u},
    {"rgb_transparent.png", 5, 7, 0xe6d7fe360d06050eu},
    {"interlaced.png", 9, 11, 0x584c8f727549ae5au},
    {"interlaced1.png", 9, 11, 0x9de99194e2984365u},
    {"turned6.png", 7, 5, 0x801e2a620811dc62u},
    {"grey.jpg", 13, 21, 0x19e56f92a0726fd6u},
    {"baseline.jpg", 13, 21, 0x8bceb448cbefc1d1u},
    {"full.jpg", 13, 21, 0x2c667c1b6bba0685u},
    {"wide.jpg", 13, 21, 0x4ce773f5c8758fffu},
    {"progressive.jpg", 13, 21, 0x8bceb448cbefc1d1u},
    {"turned1.jpg", 13, 21, 0x2c667c1b6bba0685u},
    {"turned2.jpg", 13, 21, 0xff948a4d965d6aa1u},
    {"turned3.jpg", 13, 21, 0x290f667d3670f20du},
    {"turned4.jpg", 13, 21, 0x3112e5e53096bf29u},
    {"turned5.jpg", 21, 13, 0x62b6f6d057feca4du},
    {"turned6.jpg", 21, 13, 0xcd8aba466233f64du},
    {"turned7.jpg", 21, 13, 0xa2155120b6cf801du},
    {"turned8.jpg", 21, 13, 0x619d3c827a5d2a55u},
};

TEST(ReadImage, GivesPillowsPixels) {
  for (const Stored& each : k_stored) {
    const std::string content = image_bytes(each.file);
    const Tensor image = read_image(bytes_of(content), each.file);
    EXPECT_EQ(image.shape()[0].size, each.height) << each.file;
    EXPECT_EQ(image.shape()[1].size, each.width) << each.file;
    EXPECT_EQ(digest_of(with_channels(image, 3)), each.digest) << each.file;
  }
}

TEST(ReadImage, ReadsAPathAsItReadsMemory) {
  const std::string content = image_bytes("baseline.jpg");
  const Tensor a = read_image(image_path("baseline.jpg")), b = read_image(bytes_of(content), "b");
  EXPECT_EQ(digest_of(a), digest_of(b));
  EXPECT_EQ(a.shape().text(), "[Y=13,X=21,K=3]");
  EXPECT_EQ(a.dtype(), DType::u8);
}

TEST(ReadImage, KeepsTheChannelsThatTheFileHas) {
  const std::pair<const char*, int64_t> cases[] = {
      {"grey1.png", 1}, {"grey16.png", 1},  {"grey_alpha.png", 2},          {"rgb.png", 3},
      {"rgba.png", 4},  {"palette.png", 3}, {"palette_transparent.png", 4}, {"grey.jpg", 1}};
  for (const auto& [file, channels] : cases)
    EXPECT_EQ(read_image(image_path(file)).shape()[2].size, channels) << file;
}

// Pillow's convert("RGB") makes everything above 255 of a grey image of 16 bits white; here the upper 8 bits
// stay.
TEST(ReadImage, TakesTheUpperBitsOfSixteen) {
  const Tensor wide = read_image(image_path("grey16.png")), narrow = read_image(image_path("grey8.png"));
  EXPECT_EQ(digest_of(wide), digest_of(narrow));
}

}  // namespace
}  // namespace limpid

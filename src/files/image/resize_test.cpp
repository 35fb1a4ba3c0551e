// Resampling, held to Pillow bit by bit (tests/image_files.py made the digests).
#include <gtest/gtest.h>

#include "files/image/test_image.h"
#include "files/test_files.h"

namespace limpid {
namespace {

struct Resized {
  int64_t height, width, channels, to_height, to_width;
  int filter;
  uint64_t digest;
};
constexpr Resized k_resized[] = {
    {23, 31, 3, 8, 8, 0, 0x89dee702a8290da7u},     {8, 9, 3, 30, 21, 0, 0xadc331143a84b332u},
    {64, 5, 1, 7, 11, 0, 0x5102c3eb1ead4d76u},     {16, 16, 3, 16, 5, 0, 0x88b328e0a40c3dfau},
    {16, 16, 3, 5, 16, 0, 0x3d5d50f57cd3a16au},    {1, 1, 3, 4, 4, 0, 0x55cbd3d5f64a22a5u},
    {224, 300, 3, 28, 28, 0, 0x28df9e40350eaf2eu}, {60, 48, 3, 45, 44, 0, 0x1c1b749b47c3846au},
    {60, 48, 3, 45, 38, 0, 0x807e65103049fb19u},   {23, 31, 3, 8, 8, 1, 0xc5fc25ae2f0d9e17u},
    {8, 9, 3, 30, 21, 1, 0xa5700bd402623669u},     {64, 5, 1, 7, 11, 1, 0xd47f77d47e191afau},
    {16, 16, 3, 16, 5, 1, 0xe837b11ca6936055u},    {16, 16, 3, 5, 16, 1, 0x9f89906a7891f79cu},
    {1, 1, 3, 4, 4, 1, 0x55cbd3d5f64a22a5u},       {224, 300, 3, 28, 28, 1, 0x05e8b1a59bf1a3d6u},
    {60, 48, 3, 45, 44, 1, 0x27de7fa61068de25u},   {60, 48, 3, 45, 38, 1, 0xb58defbc6a3953b7u},
    {23, 31, 3, 8, 8, 2, 0xab19eb46f7b67f56u},     {8, 9, 3, 30, 21, 2, 0x41a69b04b8927b3du},
    {64, 5, 1, 7, 11, 2, 0x45af955b946d4937u},     {16, 16, 3, 16, 5, 2, 0xe39c05ee4b8b4b3fu},
    {16, 16, 3, 5, 16, 2, 0xb18c6a87b243b2ddu},    {1, 1, 3, 4, 4, 2, 0x55cbd3d5f64a22a5u},
    {224, 300, 3, 28, 28, 2, 0xe8ee07c471f9e651u}, {60, 48, 3, 45, 44, 2, 0x0cb44a962a20bedau},
    {60, 48, 3, 45, 38, 2, 0x3f6ec06f1d00c854u},   {23, 31, 3, 8, 8, 3, 0xb7e24fe38474f94fu},
    {8, 9, 3, 30, 21, 3, 0xe4ad0058f9424e78u},     {64, 5, 1, 7, 11, 3, 0xc6f582d56b7fc271u},
    {16, 16, 3, 16, 5, 3, 0x1082ad3b64b549e1u},    {16, 16, 3, 5, 16, 3, 0x9cd84f0cc50d760eu},
    {1, 1, 3, 4, 4, 3, 0x55cbd3d5f64a22a5u},       {224, 300, 3, 28, 28, 3, 0xd62e504e8759ad22u},
    {60, 48, 3, 45, 44, 3, 0x1de3360bae1849e0u},   {60, 48, 3, 45, 38, 3, 0x3d2ac65aa938b369u},
    {23, 31, 3, 8, 8, 4, 0x447cda5cafb88d68u},     {8, 9, 3, 30, 21, 4, 0x7f1d0fde855c35e2u},
    {64, 5, 1, 7, 11, 4, 0x5ecc7364431a2d08u},     {16, 16, 3, 16, 5, 4, 0x212973f1b7f46563u},
    {16, 16, 3, 5, 16, 4, 0x754aefd8e4675383u},    {1, 1, 3, 4, 4, 4, 0x55cbd3d5f64a22a5u},
    {224, 300, 3, 28, 28, 4, 0x1e58dd8d7f61f1f4u}, {60, 48, 3, 45, 44, 4, 0xf4afca48f9365c7bu},
    {60, 48, 3, 45, 38, 4, 0x4eb51cdccde3339du},   {23, 31, 3, 8, 8, 5, 0x3daff1d69112f078u},
    {8, 9, 3, 30, 21, 5, 0x86550af769c0ecbbu},     {64, 5, 1, 7, 11, 5, 0xf76789467210bed2u},
    {16, 16, 3, 16, 5, 5, 0x4c91b39f79ed8795u},    {16, 16, 3, 5, 16, 5, 0x694ca07b73c4344eu},
    {1, 1, 3, 4, 4, 5, 0x55cbd3d5f64a22a5u},       {224, 300, 3, 28, 28, 5, 0x0b12ec9289fc6933u},
    {60, 48, 3, 45, 44, 5, 0xffe80167398f33c2u},   {60, 48, 3, 45, 38, 5, 0x3547fca7f47f27a4u},
};

TEST(ResizeImage, GivesPillowsPixels) {
  for (const Resized& r : k_resized) {
    const auto filter = static_cast<Resample>(r.filter);
    const Tensor image = drawn_image(r.height, r.width, r.channels, 7);
    EXPECT_EQ(digest_of(resize_image(image, r.to_height, r.to_width, filter)), r.digest)
        << image.shape().text() << " to " << r.to_height << " by " << r.to_width << ", " << name(filter);
  }
}

TEST(ResizeImage, ToItsOwnSizeChangesNothing) {
  const Tensor image = drawn_image(5, 7, 3, 1);
  EXPECT_EQ(digest_of(resize_image(image, 5, 7, Resample::lanczos)), digest_of(image));
}

TEST(ResizeImage, RefusesWhatIsNoImageAndNoSize) {
  const Tensor image = drawn_image(5, 7, 3, 1);
  for (const auto& [height, width] :
       {std::pair<int64_t, int64_t>{0, 4}, {4, -1}, {int64_t{1} << 40, int64_t{1} << 40}})
    EXPECT_TRUE(holds(
        error_of([&, h = height, w = width] { resize_image(image, h, w, Resample::box); }, Error::Kind::call),
        {"resize_image", "expected at least 1 by 1"}));
  const Tensor numbers(DType::f32, Shape::unnamed({5, 7, 3})), flat(DType::u8, Shape::unnamed({5, 7}));
  for (const Tensor* odd : {&numbers, &flat})
    EXPECT_TRUE(holds(error_of([&] { resize_image(*odd, 2, 2, Resample::box); }, Error::Kind::call),
                      {"expected u8 [Y,X,K]"}));
}

}  // namespace
}  // namespace limpid

// The steps from an image to a network's numbers, on sizes small enough to follow by hand.
#include <gtest/gtest.h>

#include "files/image/test_image.h"
#include "files/test_files.h"

namespace limpid {
namespace {

// Grey, each pixel its number.
Tensor counted(int64_t height, int64_t width) {
  Tensor image(DType::u8, {{Axis::Y, height}, {Axis::X, width}, {Axis::K, 1}});
  for (int64_t i = 0; i < image.count(); ++i) image.data<uint8_t>()[i] = static_cast<uint8_t>(i + 1);
  return image;
}

std::vector<int> numbers(const Tensor& image) {
  return {image.data<uint8_t>(), image.data<uint8_t>() + image.count()};
}

using Numbers = std::vector<int>;

TEST(ImageSteps, Channels) {
  EXPECT_EQ(digest_of(with_channels(drawn_image(9, 11, 3, 1), 1)), 0xa6ed052ffd0a4d86u);  // Pillow's "L"
  const Tensor pair = Tensor::of<uint8_t>({{Axis::Y, 1}, {Axis::X, 2}, {Axis::K, 2}}, {7, 0, 9, 255});
  EXPECT_EQ(numbers(with_channels(pair, 3)), (Numbers{7, 7, 7, 9, 9, 9}));
  EXPECT_EQ(numbers(with_channels(pair, 1)), (Numbers{7, 9}));
  EXPECT_TRUE(
      holds(error_of([&] { with_channels(pair, 2); }, Error::Kind::call), {"2 channels", "expected 1"}));
}

// transformers.image_transforms.center_crop of the same numbers.
TEST(ImageSteps, CenterCrop) {
  EXPECT_EQ(numbers(center_crop(counted(3, 4), 1, 2)), (Numbers{6, 7}));
  EXPECT_EQ(numbers(center_crop(counted(4, 3), 2, 2)), (Numbers{4, 5, 7, 8}));
  EXPECT_EQ(numbers(center_crop(counted(1, 2), 2, 3)), (Numbers{0, 0, 0, 0, 1, 2}));
  EXPECT_EQ(numbers(center_crop(counted(1, 3), 3, 2)), (Numbers{0, 0, 1, 2, 0, 0}));
  EXPECT_EQ(numbers(center_crop(counted(1, 1), 4, 4)),
            (Numbers{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0}));
}

TEST(ImageProcessor, ScalesAndNormalises) {
  ImageProcessor p{.channels = 1};
  p.mean = {0.5};
  p.std = {0.25};
  const Tensor x = p(Tensor::of<uint8_t>({{Axis::Y, 1}, {Axis::X, 2}, {Axis::K, 1}}, {0, 255}));
  EXPECT_EQ(x.shape().text(), "[B=1,K=1,Y=1,X=2]");
  EXPECT_EQ(x.at({0, 0, 0, 0}), -2);
  EXPECT_EQ(x.at({0, 0, 0, 1}), 2);
}

TEST(ImageProcessor, PutsChannelsFirst) {
  ImageProcessor p;
  p.rescale = 1;
  p.mean = {0, 1, 2};
  const Tensor x =
      p(Tensor::of<uint8_t>({{Axis::Y, 1}, {Axis::X, 2}, {Axis::K, 3}}, {10, 20, 30, 40, 50, 60}));
  const Tensor expected = Tensor::of<float>(x.shape(), {10, 40, 19, 49, 28, 58});
  for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(x.data<float>()[i], expected.data<float>()[i]);
}

TEST(ImageProcessor, ShortestEdgeKeepsTheProportion) {
  ImageProcessor p;
  p.shortest_edge = 4;
  EXPECT_EQ(p(drawn_image(10, 6, 3, 1)).shape().text(), "[B=1,K=3,Y=6,X=4]");  // 6.67
  EXPECT_EQ(p(drawn_image(6, 10, 3, 1)).shape().text(), "[B=1,K=3,Y=4,X=6]");
  p.crop = ImageProcessor::Size{4, 4};
  EXPECT_EQ(p(drawn_image(6, 10, 3, 1)).shape().text(), "[B=1,K=3,Y=4,X=4]");
  // One line of eight million columns would become more than an image has.
  const Tensor thin(DType::u8, {{Axis::Y, 1}, {Axis::X, 1 << 23}, {Axis::K, 1}});
  p.shortest_edge = 224;
  EXPECT_TRUE(holds(error_of([&] { p(thin); }), {"more than 268435456", "shorter edge of 224"}));
}

TEST(ImageProcessor, RefusesNumbersThatAreNotOneAChannel) {
  ImageProcessor p;
  p.mean = {0.5, 0.5};
  EXPECT_TRUE(
      holds(error_of([&] { p(drawn_image(2, 2, 3, 1)); }, Error::Kind::call), {"2 numbers of the mean"}));
}

}  // namespace
}  // namespace limpid

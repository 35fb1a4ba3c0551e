#include <gtest/gtest.h>

#include "data/readers.h"
#include "data/test_idx.h"
#include "files/deflate.h"
#include "files/image/test_image.h"
#include "files/test_files.h"

namespace limpid {
namespace {

namespace fs = std::filesystem;

using Labels = std::vector<int64_t>;
using Classes = std::vector<std::string>;

const std::string k_two_images = idx_bytes({2, 2, 3}, "abcdefABCDEF");
const std::string k_two_labels = idx_bytes({2}, std::string("\3\1", 2));

LabelledImages idx(const std::string& images, const std::string& labels, int64_t limit = 0,
                   const Classes& classes = {}) {
  return data::idx_images({"images", images}, {"labels", labels}, limit, classes);
}

TEST(IdxImages, bytes_and_labels) {
  const LabelledImages t = idx(k_two_images, k_two_labels);
  EXPECT_EQ(t.images.shape().text(), "[B=2,Y=2,X=3,K=1]");
  EXPECT_EQ(t.images.at({0, 1, 0, 0}), 'd');
  EXPECT_EQ(t.images.at({1, 0, 2, 0}), 'C');
  EXPECT_EQ(t.labels, (Labels{3, 1}));
  EXPECT_EQ(t.classes, (Classes{"0", "1", "2", "3"}));
}

TEST(IdxImages, a_limit_and_known_classes) {
  const LabelledImages first = idx(k_two_images, k_two_labels, 1);
  EXPECT_EQ(first.images.shape().size(Axis::B), 1);
  EXPECT_EQ(first.classes.size(), 4u) << "the classes of the whole file";
  const LabelledImages known = idx(k_two_images, k_two_labels, 0, {"0", "1"});
  EXPECT_EQ(known.labels, (Labels{1}));
  EXPECT_EQ(known.images.at({0, 0, 0, 0}), 'A');
  EXPECT_TRUE(holds(known.skipped.first.at(0), {"labels: label 1", "\"3\"", "2 classes"}));
}

TEST(IdxImages, colours_and_compressed_files) {
  const TestFolder folder;
  write_file_whole(folder / "i.gz", gzipped(idx_bytes({1, 1, 2, 3}, "rgbRGB")));
  write_file_whole(folder / "l", idx_bytes({1}, std::string(1, '\0')));
  const LabelledImages t = read_idx(folder / "i.gz", folder / "l");
  EXPECT_EQ(t.images.shape().text(), "[B=1,Y=1,X=2,K=3]");
  EXPECT_EQ(t.images.at({0, 0, 1, 2}), 'B');
}

// Two classes, one of which has a folder inside.
void lay_out(const TestFolder& folder) {
  for (const char* name : {"cats/deep", "dogs", "empty", ".hidden"}) fs::create_directories(folder / name);
  fs::copy_file(image_path("rgb.png"), folder / "cats/b.png");
  fs::copy_file(image_path("grey.jpg"), folder / "cats/deep/a.JPG");
  fs::copy_file(image_path("palette.png"), folder / "dogs/1.png");
  write_file_whole(folder / "dogs/2.png", "no image");
  write_file_whole(folder / "dogs/notes.txt", "notes");
  write_file_whole(folder / "dogs/.DS_Store", "hidden");
}

TEST(ImageFolder, a_folder_a_class) {
  const TestFolder folder;
  lay_out(folder);
  const LabelledImages t = read_image_folder(folder.path(), {.height = 8, .width = 6, .channels = 3});
  EXPECT_EQ(t.images.shape().text(), "[B=3,Y=8,X=6,K=3]");
  EXPECT_EQ(t.classes, (Classes{"cats", "dogs"}));
  EXPECT_EQ(t.labels, (Labels{0, 0, 1}));
  const Tensor expected =
      resize_image(with_channels(read_image(image_path("rgb.png")), 3), 8, 6, Resample::bilinear);
  for (int64_t i = 0; i < expected.count(); ++i)
    ASSERT_EQ(t.images.data<uint8_t>()[i], expected.data<uint8_t>()[i]) << i;
  EXPECT_EQ(t.skipped.count, 3);
  EXPECT_TRUE(holds(t.skipped.first[0], {"dogs/2.png", "expected a PNG or JPEG image"}));
  EXPECT_TRUE(holds(t.skipped.first[1], {"dogs/notes.txt", "neither .png nor .jpg"}));
  EXPECT_TRUE(holds(t.skipped.first[2], {"empty", "holds no images"}));
}

TEST(ImageFolder, size_of_the_first_grey_a_limit_and_known_classes) {
  const TestFolder folder;
  lay_out(folder);
  const Tensor first = read_image(image_path("rgb.png"));
  const LabelledImages t = read_image_folder(folder.path(), {.channels = 1, .limit = 1}, {"dogs", "cats"});
  EXPECT_EQ(t.images.shape().sizes(),
            (std::vector<int64_t>{2, first.shape()[0].size, first.shape()[1].size, 1}));
  EXPECT_EQ(t.labels, (Labels{1, 0}));
  const LabelledImages dogs = read_image_folder(folder.path(), {}, {"dogs"});
  EXPECT_EQ(dogs.labels, (Labels{0}));
  EXPECT_EQ(dogs.skipped.count, 5);
}

}  // namespace
}  // namespace limpid

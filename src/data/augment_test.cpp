#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "files/image/test_image.h"
#include "files/test_files.h"
#include "limpid/data.h"
#include "limpid/threads.h"

namespace limpid {
namespace {

Tensor batch_of(int64_t count, int64_t height, int64_t width, int64_t channels) {
  Tensor images = drawn_image(count * height, width, channels, 7);
  images.reshape({{Axis::B, count}, {Axis::Y, height}, {Axis::X, width}, {Axis::K, channels}});
  return images;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

constexpr AugmentOptions k_everything = {
    .shift = 0.2, .rotate = 20, .scale = 0.2, .mirror = true, .erase = 0.5, .fill = 9};

TEST(Augment, nothing_asked_changes_nothing) {
  const Tensor images = batch_of(3, 5, 4, 3);
  EXPECT_TRUE(same_bits(augment(images, {}, {.seed = 1}), images));
}

TEST(Augment, the_same_call_gives_the_same_bits_at_any_thread_count) {
  const Tensor images = batch_of(16, 9, 7, 3);
  const Tensor once = augment(images, k_everything, {.seed = 3, .step = 5});
  const ScopedThreads one(1);
  EXPECT_TRUE(same_bits(augment(images, k_everything, {.seed = 3, .step = 5}), once));
  EXPECT_FALSE(same_bits(augment(images, k_everything, {.seed = 3, .step = 6}), once));
  EXPECT_FALSE(same_bits(augment(images, k_everything, {.seed = 4, .step = 5}), once));
}

TEST(Augment, an_image_depends_on_its_row_not_on_its_batch) {
  const Tensor images = batch_of(4, 6, 6, 1);
  const std::vector<int64_t> rows = {10, 20, 30, 40}, third = {30};
  const Tensor together = augment(images, k_everything, {.seed = 1, .rows = rows});
  const Tensor alone = augment(images.view().window(0, 2, 1), k_everything, {.seed = 1, .rows = third});
  EXPECT_TRUE(same_bits(alone, Tensor::copy_of(together.view().window(0, 2, 1))));
}

TEST(Augment, axes_in_another_order_and_floats) {
  const Tensor images = batch_of(3, 6, 5, 3);
  const Tensor planes = Tensor::copy_of(images.view().permuted({0, 3, 1, 2}));
  const Tensor moved = augment(images, k_everything, {.seed = 2});
  const Tensor moved_planes = augment(planes, k_everything, {.seed = 2});
  EXPECT_EQ(moved_planes.shape(), planes.shape());
  EXPECT_TRUE(same_bits(moved, Tensor::copy_of(moved_planes.view().permuted({0, 2, 3, 1}))));
  const Tensor floats = augment(images.to(DType::f32), k_everything, {.seed = 2});
  for (int64_t i = 0; i < moved.count(); ++i)
    ASSERT_NEAR(floats.data<float>()[i], moved.data<uint8_t>()[i], 0.5001) << i;
}

TEST(Augment, a_shift_moves_what_is_there) {
  Tensor dot(DType::f32, {{Axis::B, 1}, {Axis::Y, 21}, {Axis::X, 21}});
  dot.set({0, 10, 10}, 1);
  for (uint32_t step = 0; step < 50; ++step) {
    const Tensor moved = augment(dot, {.shift = 0.2}, {.seed = 1, .step = step});
    double mass = 0, y_mean = 0, x_mean = 0;
    for (int64_t y = 0; y < 21; ++y)
      for (int64_t x = 0; x < 21; ++x) {
        const double value = moved.at({0, y, x});
        mass += value, y_mean += value * static_cast<double>(y), x_mean += value * static_cast<double>(x);
      }
    EXPECT_NEAR(mass, 1, 1e-5) << step;
    EXPECT_LE(std::abs(y_mean - 10), 0.2 * 21 + 1e-5);
    EXPECT_LE(std::abs(x_mean - 10), 0.2 * 21 + 1e-5);
  }
}

TEST(Augment, a_turn_keeps_the_middle_and_the_distance) {
  Tensor image(DType::f32, {{Axis::B, 1}, {Axis::Y, 31}, {Axis::X, 31}});
  for (int64_t y = 0; y < 31; ++y)
    for (int64_t x = 0; x < 31; ++x) image.set({0, y, x}, std::hypot(y - 15, x - 15));  // the same all round
  const Tensor turned = augment(image, {.rotate = 180}, {.seed = 5});
  for (int64_t y = 8; y < 23; ++y)
    for (int64_t x = 8; x < 23; ++x) EXPECT_NEAR(turned.at({0, y, x}), std::hypot(y - 15, x - 15), 0.3);
}

TEST(Augment, mirrored_images_are_about_half) {
  Tensor images(DType::u8, {{Axis::B, 400}, {Axis::Y, 1}, {Axis::X, 2}, {Axis::K, 1}});
  for (int64_t b = 0; b < 400; ++b) images.set({b, 0, 1, 0}, 200);
  const Tensor out = augment(images, {.mirror = true}, {.seed = 8});
  int64_t mirrored = 0;
  for (int64_t b = 0; b < 400; ++b) {
    EXPECT_EQ(out.at({b, 0, 0, 0}) + out.at({b, 0, 1, 0}), 200);
    mirrored += out.at({b, 0, 0, 0}) == 200;
  }
  EXPECT_NEAR(mirrored, 200, 40);
}

TEST(Augment, erased_parts_have_the_size_that_was_asked) {
  Tensor images(DType::u8, {{Axis::B, 200}, {Axis::Y, 40}, {Axis::X, 40}, {Axis::K, 1}});
  const Tensor out =
      augment(images, {.erase = 0.5, .erase_least = 0.1, .erase_most = 0.2, .fill = 255}, {.seed = 8});
  int64_t erased_images = 0;
  for (int64_t b = 0; b < 200; ++b) {
    int64_t erased = 0;
    for (int64_t i = 0; i < 1600; ++i) erased += out.data<uint8_t>()[b * 1600 + i] == 255;
    if (!erased) continue;
    ++erased_images;
    EXPECT_GE(erased, 0.08 * 1600) << b;
    EXPECT_LE(erased, 0.22 * 1600) << b;
  }
  EXPECT_NEAR(erased_images, 100, 30);
}

TEST(Augment, wrong_calls) {
  const auto refusal = [](const Tensor& images, const AugmentOptions& o, const ExampleDraw& draw = {}) {
    return error_of([&] { augment(images, o, draw); }, Error::Kind::call);
  };
  const Tensor images = batch_of(2, 2, 2, 1);
  EXPECT_TRUE(holds(refusal(images, {.shift = 2}), {"augment: shift is 2, expected 0 to 1"}));
  EXPECT_TRUE(holds(refusal(images, {.rotate = NAN}), {"rotate is nan, expected 0 to 180"}));
  EXPECT_TRUE(holds(refusal(images, {.scale = 1}), {"scale is 1, expected 0 to 0.9"}));
  EXPECT_TRUE(holds(refusal(images, {.erase_least = 0.5}), {"erase_least is 0.5, expected 0 to 0.2"}));
  EXPECT_TRUE(holds(refusal(images.to(DType::i32), {}), {"i32, expected u8 or f32"}));
  EXPECT_TRUE(holds(refusal(drawn_image(2, 2, 3, 1), {}), {"expected axes B, Y, X"}));
  const std::vector<int64_t> three = {1, 2, 3}, below = {0, -1};
  EXPECT_TRUE(holds(refusal(images, {}, {.rows = three}), {"3 row numbers for 2 examples"}));
  EXPECT_TRUE(holds(refusal(images, {}, {.rows = below}), {"row -1"}));
  EXPECT_TRUE(holds(refusal(images, {}, {.step = UINT32_MAX}), {"step"}));
}

TEST(DropWords, some_go_the_kept_stay) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < 2000; ++i) ids.push_back(i % 10);
  const DropWordsOptions options = {.probability = 0.3, .replacement = 99, .kept = {0}};
  const auto out = drop_words(ids, options, {.seed = 1, .step = 2});
  EXPECT_EQ(drop_words(ids, options, {.seed = 1, .step = 2}), out);
  EXPECT_NE(drop_words(ids, options, {.seed = 1, .step = 3}), out);
  int64_t dropped = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_TRUE(out[i] == ids[i] || (out[i] == 99 && ids[i] != 0)) << i;
    dropped += out[i] == 99;
  }
  EXPECT_NEAR(static_cast<double>(dropped), 0.3 * 1800, 90);
  EXPECT_EQ(drop_words(ids, {}, {}), ids);
  // Left out are those that are replaced otherwise.
  std::vector<int64_t> left;
  std::copy_if(out.begin(), out.end(), std::back_inserter(left), [](int64_t id) { return id != 99; });
  EXPECT_EQ(drop_words(ids, {.probability = 0.3, .kept = {0}}, {.seed = 1, .step = 2}), left);
  EXPECT_TRUE(holds(error_of([&] { drop_words(ids, {.probability = 2}, {}); }, Error::Kind::call),
                    {"probability is 2"}));
}

}  // namespace
}  // namespace limpid

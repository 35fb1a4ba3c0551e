#include <gtest/gtest.h>

#include <functional>

#include "limpid/tensor.h"

namespace limpid {
namespace {

std::string call_error(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Error::Kind::call);
    return e.what();
  }
  return "";
}

const Shape k_shape{{Axis::B, 2}, {Axis::T, 3}, {Axis::C, 4}};

TEST(Shape, text_names_axes_and_sizes) {
  EXPECT_EQ(k_shape.text(), "[B=2,T=3,C=4]");
  EXPECT_EQ(Shape().text(), "[]");
  EXPECT_EQ(Shape::unnamed({2, 0}).text(), "[2,0]");
  EXPECT_EQ((Shape{{Axis::B, k_symbolic}, {Axis::none, k_symbolic}}).text(), "[B,?]");
}

TEST(Shape, axes_are_found_by_letter) {
  EXPECT_EQ(k_shape.find(Axis::T), 1);
  EXPECT_EQ(k_shape.find(Axis::V), -1);
  EXPECT_EQ(k_shape.size(Axis::C), 4);
  const std::string message = call_error([] { k_shape.size(Axis::V); });
  EXPECT_NE(message.find("[B=2,T=3,C=4]"), message.npos);
  EXPECT_NE(message.find("no axis V"), message.npos);
}

TEST(Shape, count_is_the_product_or_an_error) {
  EXPECT_EQ(k_shape.count(), 24);
  EXPECT_EQ(Shape().count(), 1);
  EXPECT_EQ(Shape::unnamed({5, 0, 7}).count(), 0);
  EXPECT_EQ(Shape::unnamed({0, INT64_MAX, INT64_MAX}).count(), 0);
  EXPECT_EQ(Shape::unnamed({INT64_MAX, 1}).count(), INT64_MAX);
  EXPECT_NE(call_error([] { Shape::unnamed({INT64_MAX, 2}).count(); }).find("more elements"),
            std::string::npos);
  EXPECT_NE(call_error([] { Shape{{Axis::B, k_symbolic}}.count(); }).find("not known yet"),
            std::string::npos);
}

TEST(Shape, symbolic_until_every_size_is_known) {
  Shape shape{{Axis::B, k_symbolic}, {Axis::T, 3}};
  EXPECT_TRUE(shape.symbolic());
  shape[0].size = 2;
  EXPECT_FALSE(shape.symbolic());
}

TEST(Shape, same_sizes_asks_for_no_names) {
  EXPECT_TRUE(k_shape.same_sizes(Shape::unnamed({2, 3, 4})));
  EXPECT_FALSE(k_shape == Shape::unnamed({2, 3, 4}));
  EXPECT_FALSE(k_shape.same_sizes(Shape::unnamed({2, 3})));
  EXPECT_FALSE(k_shape.same_sizes(Shape::unnamed({2, 3, 5})));
  EXPECT_EQ(k_shape.sizes(), (std::vector<int64_t>{2, 3, 4}));
}

TEST(Shape, part_is_checked) {
  EXPECT_EQ(k_shape.part(1, 2), (Shape{{Axis::T, 3}, {Axis::C, 4}}));
  EXPECT_EQ(k_shape.part(3, 0), Shape());
  EXPECT_NE(call_error([] { k_shape.part(2, 2); }), "");
  EXPECT_NE(call_error([] { k_shape.part(-1, 1); }), "");
  EXPECT_NE(call_error([] { k_shape.part(0, -1); }), "");
}

}  // namespace
}  // namespace limpid

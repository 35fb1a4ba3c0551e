#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "limpid/tensor.h"

namespace limpid {
namespace {

// The message of the Error{call} that `work` throws, "" if it throws none.
std::string call_error(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Error::Kind::call);
    return e.what();
  }
  return "";
}

bool holds(const std::string& text, const std::string& piece) { return text.find(piece) != text.npos; }

// 0, 1, 2, ...
Tensor counting(const std::vector<int64_t>& sizes, DType dtype = DType::f32) {
  Tensor t(dtype, Shape::unnamed(sizes));
  const Shape shape = t.shape();
  t.reshape(Shape::unnamed({t.count()}));
  for (int64_t i = 0; i < t.count(); ++i) t.set({i}, static_cast<double>(i));
  t.reshape(shape);
  return t;
}

// Calls f with every index of a shape.
void each_index(const Shape& shape, const std::function<void(const Index&)>& f) {
  Index index(static_cast<size_t>(shape.rank()), 0);
  for (int64_t n = shape.count(); n > 0; --n) {
    f(index);
    for (size_t axis = index.size(); axis-- > 0;) {
      if (++index[axis] < shape[static_cast<int>(axis)].size) break;
      index[axis] = 0;
    }
  }
}

// ---- the owner -----------------------------------------------------------------------------------

TEST(Tensor, starts_as_zeros_on_a_cache_line) {
  for (int64_t size : {0, 1, 3, 1000}) {
    const Tensor t(DType::f64, Shape::unnamed({size}));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(t.raw()) % 64, 0u);
    EXPECT_EQ(t.bytes(), static_cast<size_t>(size) * 8);
    for (int64_t i = 0; i < size; ++i) EXPECT_EQ(t.at({i}), 0);
  }
}

TEST(Tensor, copies_are_its_own) {
  Tensor a = counting({2, 3});
  Tensor b = a;
  b.set({0, 0}, 9);
  EXPECT_EQ(a.at({0, 0}), 0);
  Tensor c(DType::i8, Shape{});
  c = a;
  EXPECT_EQ(c.shape(), a.shape());
  EXPECT_EQ(c.at({1, 2}), 5);
  Tensor& self = c;
  c = self;
  EXPECT_EQ(c.at({1, 2}), 5);
  const float* numbers = c.data<float>();
  const Tensor moved = std::move(c);
  EXPECT_EQ(moved.data<float>(), numbers);
  a = Tensor();
  EXPECT_EQ(a.count(), 0);
}

TEST(Tensor, a_default_one_holds_no_numbers_and_says_so) {
  const Tensor none;
  EXPECT_TRUE(holds(call_error([&] { none.at({}); }), "holds no numbers"));
  EXPECT_TRUE(holds(call_error([&] { Tensor::copy_of(none); }), "holds no numbers"));
  EXPECT_TRUE(holds(call_error([&] { Tensor::copy_of(ConstView()); }), "holds no numbers"));
  Tensor also = none;
  EXPECT_TRUE(holds(call_error([&] { also.set({}, 1); }), "holds no numbers"));
}

TEST(Tensor, of_needs_as_many_values_as_the_shape) {
  const std::string message = call_error([] { Tensor::of<float>(Shape{{Axis::T, 2}}, {1, 2, 3}); });
  EXPECT_TRUE(holds(message, "3 values") && holds(message, "[T=2]")) << message;
}

TEST(Tensor, impossible_sizes_are_errors) {
  EXPECT_TRUE(holds(call_error([] { Tensor(DType::f32, Shape{{Axis::B, k_symbolic}}); }), "[B]"));
  EXPECT_TRUE(
      holds(call_error([] { Tensor(DType::f64, Shape::unnamed({INT64_MAX, INT64_MAX})); }), "more elements"));
  EXPECT_TRUE(
      holds(call_error([] { Tensor(DType::f64, Shape::unnamed({INT64_MAX})); }), "larger than memory"));
#ifndef __SANITIZE_ADDRESS__  // which ends the program at such a request
  try {
    Tensor(DType::u8, Shape::unnamed({int64_t{1} << 60}));
    FAIL() << "an exabyte was given";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Error::Kind::work);
    EXPECT_TRUE(holds(e.what(), "no memory"));
  }
#endif
  // sizes beside a 0 may be as large as they like
  const Tensor empty(DType::f32, Shape::unnamed({0, INT64_MAX, INT64_MAX}));
  EXPECT_EQ(empty.count(), 0);
  EXPECT_TRUE(empty.view().contiguous());
  EXPECT_EQ(Tensor::copy_of(empty.view().permuted({2, 0, 1})).count(), 0);
}

TEST(Tensor, reshape_keeps_the_numbers) {
  Tensor t = counting({2, 6});
  t.reshape(Shape{{Axis::T, 3}, {Axis::C, 4}});
  EXPECT_EQ(t.at({1, 0}), 4);
  EXPECT_TRUE(holds(call_error([&] { t.reshape(Shape::unnamed({5})); }), "[T=3,C=4] does not fill [5]"));
}

TEST(Tensor, typed_access_is_checked) {
  const Tensor t = counting({2, 3});
  EXPECT_TRUE(holds(call_error([&] { t.data<double>(); }), "holds f32, read as f64"));
  EXPECT_TRUE(holds(call_error([&] { t.view().as<int32_t>(); }), "holds f32, read as i32"));
  EXPECT_TRUE(holds(call_error([&] { t.view().permuted({1, 0}).data<float>(); }), "not contiguous"));
  EXPECT_EQ(t.view().permuted({1, 0}).as<float>()(2, 1), 5);
  const Tensor deep(DType::f32, Shape::unnamed({1, 1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_TRUE(holds(call_error([&] { deep.view().as<float>(); }), "9 axes"));
  EXPECT_EQ(deep.at({0, 0, 0, 0, 0, 0, 0, 0, 0}), 0);
}

TEST(Tensor, an_index_is_checked) {
  Tensor t = counting({2, 3});
  for (const Index& index : {Index{2, 0}, Index{0, 3}, Index{-1, 0}, Index{0}, Index{0, 0, 0}, Index{}}) {
    EXPECT_TRUE(holds(call_error([&] { t.at(index); }), "[2,3]"));
    EXPECT_TRUE(holds(call_error([&] { t.set(index, 1); }), "[2,3]"));
  }
}

// ---- views ---------------------------------------------------------------------------------------

TEST(View, window_is_a_part) {
  const Tensor t = counting({3, 4});
  const ConstView w = t.view().window(0, 1, 2).window(1, 2, 1);
  EXPECT_EQ(w.shape(), Shape::unnamed({2, 1}));
  EXPECT_EQ(w.at({1, 0}), 10);
  EXPECT_FALSE(w.contiguous());
  EXPECT_TRUE(t.view().window(0, 1, 2).contiguous());
  EXPECT_EQ(t.view().window(1, 4, 0).shape().count(), 0);
  for (auto [axis, first, count] : std::vector<std::array<int64_t, 3>>{{2, 0, 1},
                                                                       {-1, 0, 1},
                                                                       {0, 2, 2},
                                                                       {0, -1, 1},
                                                                       {0, 0, -1},
                                                                       {0, 4, 0},
                                                                       {0, INT64_MAX, 1},
                                                                       {0, 1, INT64_MAX}})
    EXPECT_TRUE(
        holds(call_error([&] { t.view().window(static_cast<int>(axis), first, count); }), "window: "));
}

TEST(View, permuted_needs_every_axis_once) {
  const Tensor t = counting({2, 3, 4});
  EXPECT_EQ(t.view().permuted({2, 0, 1}).shape(), Shape::unnamed({4, 2, 3}));
  EXPECT_EQ(t.view().permuted({2, 0, 1}).at({3, 1, 2}), 23);
  for (const std::vector<int>& order :
       {std::vector<int>{0, 1}, {0, 1, 1}, {0, 1, 3}, {0, 1, -1}, {0, 1, 2, 3}})
    EXPECT_TRUE(holds(call_error([&] { t.view().permuted(order); }), "permuted: "));
}

TEST(View, reshaped_needs_order_and_count) {
  const Tensor t = counting({2, 6});
  EXPECT_EQ(t.view().reshaped(Shape::unnamed({3, 2, 2})).at({2, 0, 1}), 9);
  EXPECT_TRUE(holds(call_error([&] { t.view().reshaped(Shape::unnamed({5})); }), "does not fill [5]"));
  EXPECT_TRUE(
      holds(call_error([&] { t.view().permuted({1, 0}).reshaped(Shape::unnamed({12})); }), "not contiguous"));
}

TEST(View, writing_goes_to_the_owner) {
  Tensor t = counting({2, 3}, DType::i16);
  const View view = t;
  view.set({1, 1}, -7.9);
  EXPECT_EQ(t.at({1, 1}), -7);
  view.as<int16_t>()(0, 2) = 40;
  view.data<int16_t>()[0] = 41;
  EXPECT_EQ(t.at({0, 2}), 40);
  EXPECT_EQ(t.at({0, 0}), 41);
}

TEST(View, an_axis_of_1_may_have_any_stride) {
  const std::vector<float> numbers = {1, 2, 3};
  const ConstView view(DType::f32, Shape::unnamed({1, 3}), {77, 1}, numbers.data());
  EXPECT_TRUE(view.contiguous());
  const ConstView repeated(DType::f32, Shape::unnamed({2, 3}), {0, 1}, numbers.data());
  EXPECT_FALSE(repeated.contiguous());
  EXPECT_EQ(Tensor::copy_of(repeated).at({1, 2}), 3);
  const ConstView backwards(DType::f32, Shape::unnamed({3}), {-1}, numbers.data() + 2);
  EXPECT_EQ(Tensor::copy_of(backwards).at({0}), 3);
  EXPECT_EQ(backwards.window(0, 1, 2).at({1}), 1);
}

// ---- copies --------------------------------------------------------------------------------------

TEST(Copy, shapes_must_fit) {
  Tensor to(DType::f32, Shape::unnamed({3, 2}));
  EXPECT_TRUE(holds(call_error([&] { copy(counting({2, 3}), to); }), "[2,3] does not fit [3,2]"));
}

struct Drawn {
  Tensor owner;
  ConstView view;
};

// In [low, high], whatever the size at which rapidcheck draws: it starts with nothing but the low end.
int64_t between(int64_t low, int64_t high) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<int64_t>(low, high + 1));
}

// A window of a permuted tensor of up to 4 axes; one in eight may be empty.
Drawn drawn_view() {
  const int64_t least = between(0, 7) > 0;
  std::vector<int64_t> sizes;
  for (int64_t rank = between(0, 4); rank > 0; --rank) sizes.push_back(between(least, 5));
  Drawn drawn{counting(sizes, DType::i32), {}};
  std::vector<int> order(sizes.size());
  std::iota(order.begin(), order.end(), 0);
  for (int64_t left = std::ssize(order); left > 1; --left)
    std::swap(order[static_cast<size_t>(left - 1)], order[static_cast<size_t>(between(0, left - 1))]);
  drawn.view = drawn.owner.view().permuted(order);
  for (int axis = 0; axis < drawn.view.shape().rank(); ++axis) {
    const int64_t size = drawn.view.shape()[axis].size, count = between(std::min(least, size), size);
    drawn.view = drawn.view.window(axis, between(0, size - count), count);
  }
  return drawn;
}

TEST(Copy, of_any_view_shows_what_the_view_shows) {
  int scattered = 0;
  EXPECT_TRUE(rc::check([&] {
    const Drawn drawn = drawn_view();
    scattered += !drawn.view.contiguous();
    const Tensor copied = Tensor::copy_of(drawn.view);
    RC_ASSERT(copied.shape() == drawn.view.shape());
    RC_ASSERT(copied.view().contiguous());
    each_index(drawn.view.shape(),
               [&](const Index& index) { RC_ASSERT(copied.at(index) == drawn.view.at(index)); });
  }));
  EXPECT_GT(scattered, 10);  // the hard cases were among them
}

TEST(Copy, into_any_view_writes_there_and_nowhere_else) {
  EXPECT_TRUE(rc::check([] {
    Drawn target = drawn_view();
    const View to(DType::i32, target.view.shape(), target.view.strides(),
                  const_cast<void*>(target.view.raw()));
    Tensor from(DType::f64, to.shape());
    int64_t next = 0;
    each_index(to.shape(), [&](const Index& index) { from.set(index, static_cast<double>(-1 - next++)); });
    const Tensor before = target.owner;
    copy(from, to);
    each_index(to.shape(), [&](const Index& index) { RC_ASSERT(to.at(index) == from.at(index)); });
    int64_t changed = 0;
    each_index(before.shape(),
               [&](const Index& index) { changed += before.at(index) != target.owner.at(index); });
    RC_ASSERT(changed == to.shape().count());
  }));
}

TEST(Copy, every_type_to_every_type) {
  const DType all[] = {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32,
                       DType::i16, DType::i8,  DType::u8,   DType::u16, DType::u32, DType::boolean};
  for (DType from : all)
    for (DType to : all) {
      const Tensor t = counting({2, 5}, from), straight = t.to(to);
      Tensor turned(to, Shape::unnamed({5, 2}));
      copy(t.view().permuted({1, 0}), turned);
      for (int64_t i = 0; i < 10; ++i) {
        const bool boolean = from == DType::boolean || to == DType::boolean;
        const double expected = boolean ? i != 0 : static_cast<double>(i);
        EXPECT_EQ(straight.at({i / 5, i % 5}), expected) << name(from) << " to " << name(to);
        EXPECT_EQ(turned.at({i % 5, i / 5}), expected) << name(from) << " to " << name(to);
      }
    }
}

TEST(Copy, what_does_not_fit_becomes_the_nearest_that_does) {
  const auto t = Tensor::of<double>(Shape::unnamed({5}), {NAN, INFINITY, -INFINITY, 1e10, -2.7});
  const Tensor i32 = t.to(DType::i32), u8 = t.to(DType::u8);
  const double i32_expected[] = {0, INT32_MAX, INT32_MIN, INT32_MAX, -2}, u8_expected[] = {0, 255, 0, 255, 0};
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(i32.at({i}), i32_expected[i]);
    EXPECT_EQ(u8.at({i}), u8_expected[i]);
  }
}

}  // namespace
}  // namespace limpid

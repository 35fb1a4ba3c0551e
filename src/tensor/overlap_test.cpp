#include "tensor/overlap.h"

#include <gtest/gtest.h>

#include <set>

namespace limpid {
namespace {

std::vector<float> buffer(4096);

ConstView view(int64_t offset, const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides) {
  return {DType::f32, Shape::unnamed(sizes), strides, buffer.data() + 2048 + offset};
}

// The places of a view's numbers, one by one.
std::multiset<int64_t> places(int64_t offset, const std::vector<int64_t>& sizes,
                              const std::vector<int64_t>& strides) {
  std::multiset<int64_t> all = {offset};
  for (size_t axis = 0; axis < sizes.size(); ++axis) {
    std::multiset<int64_t> next;
    for (int64_t place : all)
      for (int64_t i = 0; i < sizes[axis]; ++i) next.insert(place + i * strides[axis]);
    all = next;
  }
  return all;
}

TEST(Overlap, NeverMissesASharedNumber) {
  uint32_t state = 7;
  const auto draw = [&](int64_t low, int64_t high) {
    state = state * 1664525u + 1013904223u;
    return low + static_cast<int64_t>(state >> 8) % (high - low + 1);
  };
  int apart = 0, apart_though_interleaved = 0;
  for (int round = 0; round < 6000; ++round) {
    std::vector<int64_t> sizes[2], strides[2];
    int64_t offset[2];
    const int64_t common[] = {1, draw(2, 4), draw(5, 12), draw(13, 40)};
    for (int i = 0; i < 2; ++i) {
      for (int64_t stride : common) {
        sizes[i].push_back(draw(0, 9) == 0 ? 0 : draw(1, 4));
        strides[i].push_back(draw(0, 4) == 0 ? draw(-20, 20) : stride);
      }
      offset[i] = draw(0, 60);
    }
    const auto a = places(offset[0], sizes[0], strides[0]), b = places(offset[1], sizes[1], strides[1]);
    bool shared = false;
    for (int64_t place : a) shared |= b.count(place) > 0;
    const ConstView x = view(offset[0], sizes[0], strides[0]), y = view(offset[1], sizes[1], strides[1]);
    const bool said = may_overlap(x, y);
    ASSERT_TRUE(said || !shared) << "round " << round;
    ASSERT_EQ(said, may_overlap(y, x));
    apart += !said && !a.empty() && !b.empty();
    apart_though_interleaved +=
        !said && !a.empty() && !b.empty() && *a.begin() < *b.rbegin() && *b.begin() < *a.rbegin();
    const bool twice = std::set<int64_t>(a.begin(), a.end()).size() != a.size();
    ASSERT_TRUE(may_overlap_itself(x) || !twice) << "round " << round;
  }
  EXPECT_GT(apart, 300);  // it does not just say yes
  EXPECT_GT(apart_though_interleaved, 20);
}

// The sweep against every pair.
TEST(Overlap, FindsAWrittenViewAmongMany) {
  uint32_t state = 11;
  const auto draw = [&](int64_t low, int64_t high) {
    state = state * 1664525u + 1013904223u;
    return low + static_cast<int64_t>(state >> 8) % (high - low + 1);
  };
  int found = 0;
  constexpr int rounds = 2000;
  for (int round = 0; round < rounds; ++round) {
    std::vector<ConstView> views;
    for (int64_t count = draw(0, 7); count > 0; --count)
      views.push_back(view(draw(0, 400), {draw(0, 3), draw(1, 12)}, {draw(-40, 40), 1}));
    const auto written = static_cast<size_t>(draw(0, static_cast<int64_t>(views.size())));
    const auto clash = [&](size_t a, size_t b) { return a < written && may_overlap(views[a], views[b]); };
    bool any = false;
    for (size_t a = 0; a < views.size(); ++a)
      for (size_t b = a + 1; b < views.size(); ++b) any |= clash(a, b);
    const auto pair = find_overlap(views, written);
    ASSERT_EQ(pair.has_value(), any) << "round " << round;
    if (pair) {
      ASSERT_TRUE(pair->first < pair->second && clash(pair->first, pair->second)) << "round " << round;
    }
    found += any;
  }
  EXPECT_GT(found, rounds / 10);
  EXPECT_LT(found, rounds * 9 / 10);
}

TEST(Overlap, PartsOfOneProjectionAreApart) {
  // [B=2,T=3,three of them,H=2,D=4]
  const std::vector<int64_t> sizes = {2, 3, 2, 4}, strides = {72, 24, 4, 1};
  const ConstView q = view(0, sizes, strides), k = view(8, sizes, strides), v = view(16, sizes, strides);
  EXPECT_FALSE(may_overlap(q, k) || may_overlap(k, v) || may_overlap(q, v));
  EXPECT_TRUE(may_overlap(q, view(7, sizes, strides)));
  EXPECT_FALSE(may_overlap_itself(q));
  EXPECT_TRUE(may_overlap_itself(view(0, {2, 4}, {0, 1})));
  EXPECT_FALSE(may_overlap_itself(view(0, {0, 4}, {0, 1})));
}

TEST(Overlap, OtherTypesByTheirBytes) {
  const ConstView floats(DType::f32, Shape::unnamed({8}), buffer.data());
  EXPECT_TRUE(may_overlap(floats, ConstView(DType::f16, Shape::unnamed({2}), buffer.data() + 7)));
  EXPECT_FALSE(may_overlap(floats, ConstView(DType::f16, Shape::unnamed({2}), buffer.data() + 8)));
}

}  // namespace
}  // namespace limpid

// Who may see whom, and that nobody else is seen: NaN behind a mask stays there, forwards and backwards.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ops/run_operation.h"
#include "ops/scores.h"

namespace limpid {
namespace {

// One row of text a query: x visible, . masked.
using Picture = std::vector<std::string>;

Picture picture(const Options& options, int64_t queries, int64_t keys, std::vector<Tensor> more = {},
                int64_t b = 0, int64_t h = 0, int64_t batch = 1, int64_t heads = 1) {
  Tensor scores(DType::f64, scores_shape(batch, heads, queries, keys));
  for (int64_t i = 0; i < scores.count(); ++i) scores.data<double>()[i] = 1 + static_cast<double>(i);
  more.insert(more.begin(), scores);
  const Tensor z = run_operation("mask", options, more)[0],
               dx = run_operation("mask_gradient", options, more)[0];
  Picture rows;
  for (int64_t t = 0; t < queries; ++t) {
    rows.emplace_back();
    for (int64_t s = 0; s < keys; ++s) {
      const Index at = {b, h, t, s};
      const bool seen = z.at(at) == scores.at(at);
      EXPECT_EQ(z.at(at), seen ? scores.at(at) : -INFINITY);
      EXPECT_EQ(dx.at(at), seen ? scores.at(at) : 0);
      rows.back() += seen ? 'x' : '.';
    }
  }
  return rows;
}

const Options k_none = {{"kind", std::string("none")}};

Options with_first(int64_t first_query, int64_t window = 0) {
  return {{"kind", std::string("causal")}, {"first_query", first_query}, {"window", window}};
}

TEST(Mask, Causal) {
  EXPECT_EQ(picture({}, 4, 4), (Picture{"x...", "xx..", "xxx.", "xxxx"}));
  EXPECT_EQ(picture({}, 2, 4), (Picture{"x...", "xx.."}));
  EXPECT_EQ(picture({}, 4, 2), (Picture{"x.", "xx", "xx", "xx"}));
  EXPECT_EQ(picture(k_none, 2, 3), (Picture{"xxx", "xxx"}));
}

TEST(Mask, FirstQueryIsThePlaceOfQueryZeroAmongTheKeys) {
  EXPECT_EQ(picture(with_first(2), 2, 4), (Picture{"xxx.", "xxxx"}));  // decoding on a cache of two keys
  EXPECT_EQ(picture(with_first(9), 1, 4), (Picture{"xxxx"}));
  EXPECT_EQ(picture(with_first(-2), 4, 3), (Picture{"...", "...", "x..", "xx."}));  // nothing to see yet
}

TEST(Mask, AWindowLooksBackSoManyKeysItselfIncluded) {
  EXPECT_EQ(picture(with_first(0, 2), 4, 4), (Picture{"x...", "xx..", ".xx.", "..xx"}));
  EXPECT_EQ(picture(with_first(0, 1), 3, 3), (Picture{"x..", ".x.", "..x"}));
  EXPECT_EQ(picture(with_first(3, 2), 2, 5), (Picture{"..xx.", "...xx"}));
  EXPECT_EQ(picture(with_first(-1, 2), 4, 3), (Picture{"...", "x..", "xx.", ".xx"}));
  EXPECT_EQ(picture({{"kind", std::string("none")}, {"window", int64_t{2}}}, 3, 3),
            (Picture{"xxx", "xxx", ".xx"}));
}

TEST(Mask, LengthsHidePadding) {
  const Tensor lengths = Tensor::of<int64_t>({{Axis::B, 3}}, {3, 1, 0});
  const Options padded = {{"kind", std::string("none")}, {"lengths", true}};
  EXPECT_EQ(picture(padded, 2, 3, {lengths}, 0, 0, 3), (Picture{"xxx", "xxx"}));
  EXPECT_EQ(picture(padded, 2, 3, {lengths}, 1, 1, 3, 2), (Picture{"x..", "x.."}));
  EXPECT_EQ(picture(padded, 2, 3, {lengths}, 2, 0, 3), (Picture{"...", "..."}));
  for (int64_t wrong : {-1, 4}) {
    const Tensor out_of_range = Tensor::of<int64_t>({{Axis::B, 1}}, {wrong});
    EXPECT_EQ(complaint([&] { picture(padded, 2, 3, {out_of_range}); }),
              join("lengths[0] is ", wrong, ", expected 0 to 3, the number of keys"));
  }
}

TEST(Mask, AllowedCellsByPairBySequenceAndByHead) {
  const Options given = {{"kind", std::string("none")}, {"allowed", true}};
  const Shape all = scores_shape(2, 2, 2, 3);
  const auto allowed = [&](const Shape& shape, const std::string& cells) {
    Tensor t(DType::boolean, shape);
    for (size_t i = 0; i < cells.size(); ++i) t.data<bool>()[i] = cells[i] == 'x';
    return t;
  };
  const Tensor pairs = allowed(all.part(2, 2), "x.x.x.");
  const Tensor sequences = allowed({all[0], all[2], all[3]}, "x.x.x...xxx.");
  const Tensor heads = allowed(all, "xxxxxx......x.....x.x.x.");
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t h = 0; h < 2; ++h) {
      EXPECT_EQ(picture(given, 2, 3, {pairs}, b, h, 2, 2), (Picture{"x.x", ".x."}));
      EXPECT_EQ(picture(given, 2, 3, {sequences}, b, h, 2, 2),
                b ? (Picture{"..x", "xx."}) : (Picture{"x.x", ".x."}));
    }
  EXPECT_EQ(picture(given, 2, 3, {heads}, 0, 0, 2, 2), (Picture{"xxx", "xxx"}));
  EXPECT_EQ(picture(given, 2, 3, {heads}, 0, 1, 2, 2), (Picture{"...", "..."}));
  EXPECT_EQ(picture(given, 2, 3, {heads}, 1, 0, 2, 2), (Picture{"x..", "..."}));
  EXPECT_EQ(picture(given, 2, 3, {heads}, 1, 1, 2, 2), (Picture{"x.x", ".x."}));
  EXPECT_NE(complaint([&] { picture(given, 3, 2, {pairs}); }).find("expected [T,S], [B,T,S] or [B,H,T,S]"),
            std::string::npos);
}

TEST(Mask, EverythingAskedForMustAllow) {
  Options options = with_first(1, 2);
  options.set("lengths", true);
  options.set("allowed", true);
  const Tensor lengths = Tensor::of<int64_t>({{Axis::B, 1}}, {3});
  Tensor allowed(DType::boolean, {{Axis::T, 3}, {Axis::S, 4}});
  for (int64_t i = 0; i < 12; ++i) allowed.data<bool>()[i] = i != 4 + 1;
  EXPECT_EQ(picture(options, 3, 4, {lengths, allowed}), (Picture{"xx..", "..x.", "..x."}));
}

TEST(Mask, TheBuilderRecordsWhatItWasGiven) {
  Graph graph(operations());
  const Stage scores = graph.input("scores", scores_shape(2, 1, 3, 4));
  const Stage lengths = graph.input("lengths", {{Axis::B, 2}}, DType::i64);
  const Stage allowed = graph.input("allowed", {{Axis::T, 3}, {Axis::S, 4}}, DType::boolean);
  const auto options = [&](const Stage& stage) {
    return graph.stage(graph.value(stage.value).stage).operation->options();
  };
  EXPECT_EQ(options(mask(graph.scope("a"), scores, {})), (Options{{"kind", std::string("causal")}}));
  const MaskOptions some = {Mask::none, -2, 5};
  EXPECT_EQ(options(mask(graph.scope("b"), scores, some, {lengths, allowed})),
            (Options{{"kind", std::string("none")},
                     {"first_query", int64_t{-2}},
                     {"window", int64_t{5}},
                     {"lengths", true},
                     {"allowed", true}}));
  EXPECT_EQ(options(mask(graph.scope("c"), scores, {}, {{}, allowed})),
            (Options{{"kind", std::string("causal")}, {"allowed", true}}));
  EXPECT_NE(complaint([&] {
              mask(graph.scope("d"), scores, {}, {allowed, {}});
            }).find("stage 'd' (mask): lengths is"),
            std::string::npos);
}

// ---- attention by its stages, forwards and backwards -----------------------------------------------

struct Attention {
  Tensor z, dq, dk, dv;
};

Attention attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& dz) {
  const auto one = [](const std::string& kind, const Options& options, const std::vector<Tensor>& in) {
    return run_operation(kind, options, in)[0];
  };
  const Options window = {{"window", int64_t{4}}};
  const Tensor raw = one("raw_scores", {}, {q, k}),
               pattern = one("softmax", {}, {one("mask", window, {raw})});
  const Tensor dpattern = one("weighted_sum_pattern_gradient", {}, {dz, v, pattern});
  const Tensor draw = one("mask_gradient", window, {one("softmax_gradient", {}, {pattern, dpattern})});
  return {one("weighted_sum", {}, {pattern, v}), one("raw_scores_query_gradient", {}, {draw, k, q}),
          one("raw_scores_key_gradient", {}, {draw, q, k}),
          one("weighted_sum_value_gradient", {}, {pattern, dz, v})};
}

Tensor drawn(const Shape& shape, unsigned seed) {
  std::mt19937 random(seed);
  Tensor t(DType::f64, shape);
  for (int64_t i = 0; i < t.count(); ++i)
    t.data<double>()[i] = std::uniform_real_distribution<>(-1, 1)(random);
  return t;
}

void spoil(Tensor& x, int64_t place, double with) {
  for (int64_t h = 0; h < x.shape()[2].size; ++h)
    for (int64_t d = 0; d < x.shape()[3].size; ++d) x.set({1, place, h, d}, with);
}

// Whether row t of sequence b has the same bits in both.
bool same_row(const Tensor& a, const Tensor& b, int64_t sequence, int64_t t) {
  for (int64_t h = 0; h < a.shape()[2].size; ++h)
    for (int64_t d = 0; d < a.shape()[3].size; ++d) {
      const Index at = {sequence, t, h, d};
      if (!(a.at(at) == b.at(at))) return false;  // NaN is equal to nothing
    }
  return true;
}

class Spoiled : public testing::TestWithParam<double> {};
INSTANTIATE_TEST_SUITE_P(By, Spoiled, testing::Values(NAN, INFINITY, -INFINITY, 1e300));

// Grouped heads, a causal window of 4: token 5 of sequence 1 holds rubbish.  Rows 5 to 8 see it, nobody else.
TEST_P(Spoiled, ATokenReachesOnlyTheRowsThatSeeIt) {
  const int64_t length = 10, place = 5, window = 4;
  const Shape queries = {{Axis::B, 2}, {Axis::T, length}, {Axis::H, 4}, {Axis::D, 3}};
  const Shape keys = {{Axis::B, 2}, {Axis::S, length}, {Axis::G, 2}, {Axis::D, 3}};
  Tensor q = drawn(queries, 1), k = drawn(keys, 2), v = drawn(keys, 3), dz = drawn(queries, 4);
  const Attention clean = attention(q, k, v, dz);
  spoil(q, place, GetParam());
  spoil(k, place, GetParam());
  spoil(v, place, GetParam());
  const Attention spoiled = attention(q, k, v, dz);
  bool reached = false;
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t t = 0; t < length; ++t) {
      const bool sees = b == 1 && t >= place && t < place + window;
      if (!sees) {
        EXPECT_TRUE(same_row(clean.z, spoiled.z, b, t)) << "z " << b << ' ' << t;
        EXPECT_TRUE(same_row(clean.dq, spoiled.dq, b, t)) << "dq " << b << ' ' << t;
      }
      reached |= sees && !same_row(clean.z, spoiled.z, b, t);
      // A key's gradient comes from the rows that see it: rows s to s + 3, of which 5 to 8 are spoiled.
      const bool seen_by = b == 1 && t > place - window && t < place + window;
      if (!seen_by) {
        EXPECT_TRUE(same_row(clean.dk, spoiled.dk, b, t)) << "dk " << b << ' ' << t;
        EXPECT_TRUE(same_row(clean.dv, spoiled.dv, b, t)) << "dv " << b << ' ' << t;
      }
    }
  EXPECT_TRUE(reached) << "the spoiled token was not read at all";
}

}  // namespace
}  // namespace limpid

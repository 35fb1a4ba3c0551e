// What the forward kernel shows of its weights, held to the weights in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "kernels/attention.h"
#include "kernels/test_helpers.h"

namespace limpid::kernels {
namespace {

using testing::Draw;
using testing::on_every_isa;
using testing::same_bits;

constexpr float k_inf = std::numeric_limits<float>::infinity();

struct Case {
  AttentionShape shape;
  AttentionArgs args;
  AttentionObservation wanted;
  std::vector<float> q, k, v, z, lse, weights, entropy, map, bias, sinks;
  std::vector<int32_t> keys;
  int64_t rows, columns;

  Case(Draw& draw, const AttentionShape& s, int64_t top, int64_t map_queries, int64_t map_keys, float size)
      : shape(s) {
    q = draw.reals(s.batch * s.queries * s.heads * s.width, -size, size);
    k = draw.reals(s.batch * s.keys * s.key_heads * s.width, -size, size);
    v = draw.reals(s.batch * s.keys * s.key_heads * s.value_width);
    z.resize(static_cast<size_t>(s.batch * s.queries * s.heads * s.value_width));
    const int64_t row_count = s.batch * s.heads * s.queries;
    lse.resize(static_cast<size_t>(row_count));
    entropy.resize(lse.size());
    weights.resize(static_cast<size_t>(row_count * top));
    keys.resize(weights.size());
    rows = (s.queries + map_queries - 1) / map_queries, columns = (s.keys + map_keys - 1) / map_keys;
    map.assign(static_cast<size_t>(s.batch * s.heads * rows * columns), 7);
    args.shape = s;
    args.scale = 1 / std::sqrt(static_cast<float>(s.width));
    wanted.top = top, wanted.map_queries = map_queries, wanted.map_keys = map_keys;
  }

  void run(bool watched) {
    const AttentionShape& s = shape;
    args.q = q.data(), args.k = k.data(), args.v = v.data(), args.z = z.data(), args.lse = lse.data();
    args.q_at = {s.queries * s.heads * s.width, s.heads * s.width, s.width};
    args.k_at = {s.keys * s.key_heads * s.width, s.key_heads * s.width, s.width};
    args.v_at = {s.keys * s.key_heads * s.value_width, s.key_heads * s.value_width, s.value_width};
    args.z_at = {s.queries * s.heads * s.value_width, s.heads * s.value_width, s.value_width};
    if (!bias.empty()) args.bias = bias.data(), args.bias_at = {0, s.keys, s.keys * s.queries};
    if (!sinks.empty()) args.sinks = sinks.data();
    wanted.top_weights = weights.data(), wanted.top_keys = keys.data();
    wanted.entropy = entropy.data(), wanted.map = map.data();
    launch(watched ? AttentionForward(args, wanted) : AttentionForward(args));
  }

  // The weights of a row, in double; those of keys that it does not see are 0.
  std::vector<double> row(int64_t b, int64_t h, int64_t t) const {
    const AttentionShape& s = shape;
    const int64_t g = h / (s.heads / s.key_heads), p = t + s.keys - s.queries;
    std::vector<double> x(static_cast<size_t>(s.keys), -INFINITY);
    double top = sinks.empty() ? -INFINITY : sinks[static_cast<size_t>(h)];
    for (int64_t key = 0; key < s.keys; ++key) {
      if (args.causal && key > p) continue;
      if (args.window > 0 && key <= p - args.window) continue;
      double sum = 0;
      for (int64_t d = 0; d < s.width; ++d) {
        sum +=
            static_cast<double>(q[static_cast<size_t>(((b * s.queries + t) * s.heads + h) * s.width + d)]) *
            k[static_cast<size_t>(((b * s.keys + key) * s.key_heads + g) * s.width + d)];
      }
      double& score = x[static_cast<size_t>(key)];
      score = args.scale * sum;
      if (args.softcap > 0) score = args.softcap * std::tanh(score / args.softcap);
      if (!bias.empty()) score += bias[static_cast<size_t>((h * s.queries + t) * s.keys + key)];
      top = std::max(top, score);
    }
    double total = sinks.empty() ? 0 : std::exp(sinks[static_cast<size_t>(h)] - top);
    for (double& score : x) score = top == -INFINITY ? 0 : std::exp(score - top), total += score;
    for (double& weight : x) weight = total == 0 ? 0 : weight / total;
    return x;
  }

  void expect_right() const;
};

// A weight is off by the rounding of its score and of lse, in all about 1e-5 of itself for these sizes.
void Case::expect_right() const {
  const double off = 2e-5;
  std::vector<double> sums(map.size());
  for (int64_t b = 0; b < shape.batch; ++b) {
    for (int64_t h = 0; h < shape.heads; ++h) {
      for (int64_t t = 0; t < shape.queries; ++t) {
        SCOPED_TRACE(join("batch ", b, " head ", h, " query ", t));
        const std::vector<double> weight = row(b, h, t);
        const int64_t at = (b * shape.heads + h) * shape.queries + t;
        double entropy_sum = 0;
        for (int64_t s = 0; s < shape.keys; ++s) {
          const double w = weight[static_cast<size_t>(s)];
          if (w > 0) entropy_sum -= w * std::log(w);
          const int64_t cell =
              ((b * shape.heads + h) * rows + t / wanted.map_queries) * columns + s / wanted.map_keys;
          sums[static_cast<size_t>(cell)] += w;
        }
        ASSERT_NEAR(entropy[static_cast<size_t>(at)], entropy_sum, off * (1 + entropy_sum));
        std::vector<double> sorted = weight;
        std::sort(sorted.rbegin(), sorted.rend());
        std::vector<int32_t> seen;
        for (int64_t j = 0; j < wanted.top; ++j) {
          const auto place = static_cast<size_t>(at * wanted.top + j);
          const int32_t key = keys[place];
          const double expected = j < shape.keys ? sorted[static_cast<size_t>(j)] : 0;
          ASSERT_NEAR(weights[place], expected, off * expected + 1e-30) << "place " << j;
          if (key < 0) continue;
          ASSERT_LT(key, shape.keys);
          ASSERT_NEAR(weight[static_cast<size_t>(key)], weights[place], off * weights[place])
              << "place " << j;
          if (j > 0) {
            ASSERT_GE(weights[place - 1], weights[place]);
          }
          seen.push_back(key);
        }
        std::sort(seen.begin(), seen.end());
        ASSERT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end()) << "a key twice";
        const auto visible = std::count_if(weight.begin(), weight.end(), [](double w) { return w > 1e-30; });
        ASSERT_GE(static_cast<int64_t>(seen.size()), std::min<int64_t>(visible, wanted.top));
      }
    }
  }
  for (size_t i = 0; i < sums.size(); ++i) {
    ASSERT_NEAR(map[i], sums[i], off * sums[i] + 1e-7) << "cell " << i;
  }
}

TEST(AttentionWatch, ShowsTheWeights) {
  on_every_isa([](const std::string& isa) {
    Draw draw(31);
    for (int round = 0; round < 16; ++round) {
      AttentionShape s{draw.whole(1, 2), draw.whole(1, 150), draw.whole(1, 300), 2,
                       draw.whole(1, 2), draw.whole(1, 40),  draw.whole(1, 20)};
      if (isa == "plain") s.queries = draw.whole(1, 30), s.keys = draw.whole(1, 120);
      Case c(draw, s, draw.whole(1, 20), draw.whole(1, 100), draw.whole(1, 100),
             draw.whole(0, 3) ? 1.f : 6.f);
      c.args.causal = draw.whole(0, 1);
      c.args.window = draw.whole(0, 3) ? 0 : draw.whole(1, 100);
      if (draw.whole(0, 3) == 0) c.args.softcap = 5;
      if (draw.whole(0, 3) == 0) c.sinks = draw.reals(2, -3, 3);
      if (draw.whole(0, 3) == 0) {
        c.bias = draw.reals(2 * s.queries * s.keys, -4, 4);
        for (float& x : c.bias) x = draw.whole(0, 5) ? x : -k_inf;
      }
      SCOPED_TRACE(join("round ", round, ": ", s.queries, " queries, ", s.keys, " keys, top ", c.wanted.top,
                        ", map ", c.wanted.map_queries, " x ", c.wanted.map_keys));
      c.run(true);
      c.expect_right();
      if (::testing::Test::HasFatalFailure()) return;
    }
  });
}

// Scores that rise all the way: the row's top moves again and again, and with it all that was gathered.
TEST(AttentionWatch, FollowsARisingRow) {
  on_every_isa([](const std::string&) {
    Draw draw(32);
    Case c(draw, {1, 3, 700, 1, 1, 4, 4}, 10, 2, 50, 1);
    for (size_t i = 0; i < c.q.size(); ++i) c.q[i] = 1;
    for (size_t i = 0; i < c.k.size(); ++i) c.k[i] = 0.05f * static_cast<float>(i / 4);
    c.run(true);
    c.expect_right();
  });
}

// Law 2.
TEST(AttentionWatch, ChangesNoBit) {
  on_every_isa([](const std::string&) {
    Draw draw(33);
    for (const int64_t map_queries : {1, 48, 100, 256}) {
      Case c(draw, {2, 300, 310, 2, 1, 24, 20}, 8, map_queries, 64, 3);
      c.args.causal = true;
      c.run(false);
      const std::vector<float> z = c.z, lse = c.lse;
      c.run(true);
      EXPECT_TRUE(same_bits(z, c.z));
      EXPECT_TRUE(same_bits(lse, c.lse));
    }
  });
}

TEST(AttentionWatch, SameBitsAtAnyThreads) {
  Draw draw(34);
  Case c(draw, {2, 300, 310, 2, 1, 24, 20}, 8, 100, 30, 3);
  testing::at_any_threads([&] {
    c.run(true);
    std::vector<float> all = c.weights;
    all.insert(all.end(), c.entropy.begin(), c.entropy.end());
    all.insert(all.end(), c.map.begin(), c.map.end());
    for (int32_t key : c.keys) all.push_back(static_cast<float>(key));
    return all;
  });
}

// A row that cannot see a NaN shows none.
TEST(AttentionWatch, NaNStaysWhereItIsSeen) {
  on_every_isa([](const std::string&) {
    Draw draw(35);
    Case c(draw, {1, 200, 200, 1, 1, 16, 8}, 5, 1, 200, 1);
    c.args.causal = true;
    c.run(true);
    const Case clean = c;
    c.k[150 * 16] = std::numeric_limits<float>::quiet_NaN();
    c.run(true);
    EXPECT_TRUE(same_bits(c.weights.data(), clean.weights.data(), 150 * 5));
    EXPECT_TRUE(same_bits(c.entropy.data(), clean.entropy.data(), 150));
    EXPECT_TRUE(same_bits(c.map.data(), clean.map.data(), 150));
    for (size_t t = 150; t < 200; ++t) EXPECT_TRUE(std::isnan(c.entropy[t]) && std::isnan(c.map[t])) << t;
  });
}

}  // namespace
}  // namespace limpid::kernels

// Law 4 of attention's numbers: weights that are rebuilt or observed add up to 1 at any magnitude of scores,
// sums do not forget however long they are, and what is finite stays so on the way to a finite answer.
#include <gtest/gtest.h>

#include "kernels/attention_window.h"
#include "kernels/test_attention.h"

namespace limpid::kernels {
namespace {

using testing::Case;
using testing::dot;
using testing::Draw;
using testing::drawn_options;
using testing::k_inf;
using testing::k_nan;
using testing::on_every_isa;
using testing::Options;

constexpr float k_lowest = std::numeric_limits<float>::lowest();

// A forward pass of f32 with everything observed, and the pattern rebuilt.
struct Seen {
  std::vector<float> z, lse, rest, top, entropy, map, pattern, mass;
  std::vector<int32_t> keys;
};

Seen observe(AttentionArgs args, int64_t top, int64_t map_queries, int64_t map_keys) {
  const AttentionShape& s = args.shape;
  const int64_t rows = s.batch * s.heads * s.queries;
  const auto room = [](int64_t count) { return std::vector<float>(static_cast<size_t>(count), 7); };
  Seen r{room(rows * s.value_width),
         room(rows),
         room(rows),
         room(rows * top),
         room(rows),
         room(s.batch * s.heads * ((s.queries + map_queries - 1) / map_queries) *
              ((s.keys + map_keys - 1) / map_keys)),
         room(rows * s.keys),
         room(s.batch * s.heads * s.keys),
         std::vector<int32_t>(static_cast<size_t>(rows * top))};
  args.z_type = DType::f32;
  args.z = r.z.data(), args.lse = r.lse.data(), args.lse_rest = r.rest.data();
  args.z_at = {s.heads * s.queries * s.value_width, s.value_width, s.queries * s.value_width};
  AttentionObservation o;
  o.top = top, o.top_weights = r.top.data(), o.top_keys = r.keys.data();
  o.entropy = r.entropy.data();
  o.map = r.map.data(), o.map_queries = map_queries, o.map_keys = map_keys;
  launch(AttentionForward(args, o));
  AttentionCells cells;
  cells.head1 = s.heads, cells.t1 = s.queries, cells.s1 = s.keys;
  cells.to = r.pattern.data();
  cells.to_at = {s.heads * s.queries * s.keys, s.keys, s.queries * s.keys};
  launch(AttentionWindow(args, cells));
  launch(AttentionMass(args, r.mass.data()));
  return r;
}

double sum_of(const std::vector<float>& x, size_t first, size_t count) {
  double sum = 0;
  for (size_t i = first; i < first + count; ++i) sum += x[i];
  return sum;
}

// Rows of the window, of all the weights as top, of the map, and the mass of all keys.
void expect_rows_of_one(const Seen& seen, const AttentionShape& s, int64_t map_keys) {
  const auto keys = static_cast<size_t>(s.keys),
             columns = static_cast<size_t>((s.keys + map_keys - 1) / map_keys);
  double rows = 0;
  for (size_t row = 0; row < seen.lse.size(); ++row) {
    const double expected = seen.lse[row] == -k_inf ? 0 : 1;
    rows += expected;
    EXPECT_NEAR(sum_of(seen.pattern, row * keys, keys), expected, 1e-5) << "window, row " << row;
    EXPECT_NEAR(sum_of(seen.top, row * keys, keys), expected, 1e-5) << "top, row " << row;
    EXPECT_NEAR(sum_of(seen.map, row * columns, columns), expected, 1e-5) << "map, row " << row;
    EXPECT_TRUE(seen.entropy[row] >= 0 && seen.entropy[row] < std::log(s.keys) + 1e-4)
        << "entropy, row " << row;
  }
  EXPECT_NEAR(sum_of(seen.mass, 0, seen.mass.size()), rows, 1e-5 * std::max(rows, 1.0)) << "mass";
}

// Contiguous heads-major inputs.
struct Plain {
  AttentionShape shape;
  std::vector<float> q, k, v, bias, sinks, slopes;
  std::vector<int64_t> lengths;
  AttentionArgs args;

  explicit Plain(const AttentionShape& s) : shape(s) {
    q.resize(static_cast<size_t>(s.batch * s.heads * s.queries * s.width));
    k.resize(static_cast<size_t>(s.batch * s.key_heads * s.keys * s.width));
    v.resize(static_cast<size_t>(s.batch * s.key_heads * s.keys * s.value_width));
    args.scale = 1 / std::sqrt(static_cast<float>(s.width));
  }
  const AttentionArgs& call() {
    const auto at = [](int64_t heads, int64_t rows, int64_t width) {
      return HeadStrides{heads * rows * width, width, rows * width};
    };
    args.shape = shape;
    args.q = q.data(), args.k = k.data(), args.v = v.data();
    args.q_at = at(shape.heads, shape.queries, shape.width);
    args.k_at = at(shape.key_heads, shape.keys, shape.width);
    args.v_at = at(shape.key_heads, shape.keys, shape.value_width);
    args.bias = bias.empty() ? nullptr : bias.data();  // [T,S]
    args.bias_at = {0, shape.keys, 0};
    args.sinks = sinks.empty() ? nullptr : sinks.data();
    args.slopes = slopes.empty() ? nullptr : slopes.data();
    args.key_lengths = lengths.empty() ? nullptr : lengths.data();
    return args;
  }
};

struct Gradients {
  std::vector<float> z, dq, dk, dv;
};

// Heads-major, of f32.
Gradients gradients(Plain& p, const std::vector<float>& dz) {
  AttentionArgs args = p.call();
  const AttentionShape& s = p.shape;
  Gradients g{std::vector<float>(dz.size()), std::vector<float>(p.q.size()), std::vector<float>(p.k.size()),
              std::vector<float>(p.v.size())};
  std::vector<float> lse(static_cast<size_t>(s.batch * s.heads * s.queries)), rest = lse;
  args.z = g.z.data(), args.lse = lse.data(), args.lse_rest = rest.data();
  args.z_at = {s.heads * s.queries * s.value_width, s.value_width, s.queries * s.value_width};
  launch(AttentionForward(args));
  AttentionGradients to;
  to.dz = dz.data(), to.dz_at = args.z_at;
  to.dq = g.dq.data(), to.dk = g.dk.data(), to.dv = g.dv.data();
  to.dq_at = args.q_at, to.dk_at = args.k_at, to.dv_at = args.v_at;
  launch(AttentionBackward(args, to));
  return g;
}

// q = 0 and one bias: every weight is 1 / S, whatever the bias.
TEST(AttentionNumbers, OffsetsOfABias) {
  on_every_isa([](const std::string&) {
    for (float offset :
         {0.f, -300.f, 1e3f, -1e6f, 1e8f, -1e8f, 1e20f, -1e30f, 1e30f, -3e38f, k_lowest, -k_lowest}) {
      SCOPED_TRACE(join("offset ", offset));
      Plain p({1, 5, 3, 1, 1, 4, 2});
      p.bias.assign(15, offset);
      p.v = {1, 2, 3, 5, 5, 11};
      const Seen seen = observe(p.call(), 3, 1, 2);
      for (float w : seen.pattern) EXPECT_NEAR(w, 1.0 / 3, 1e-6);
      for (float w : seen.top) EXPECT_NEAR(w, 1.0 / 3, 1e-6);
      for (float e : seen.entropy) EXPECT_NEAR(e, std::log(3.0), 1e-6);
      for (size_t t = 0; t < 5; ++t) {
        EXPECT_NEAR(seen.z[2 * t], 3, 1e-5);
        EXPECT_NEAR(seen.z[2 * t + 1], 6, 1e-5);
      }
      expect_rows_of_one(seen, p.shape, 2);
      const Gradients g = gradients(p, std::vector<float>(10, 1.f));
      for (float x : g.dv) EXPECT_NEAR(x, 5.0 / 3, 1e-5);
    }
  });
}

// q = k = v = 256: large scores of their own.
TEST(AttentionNumbers, LargeEqualScores) {
  on_every_isa([](const std::string&) {
    for (float size : {1.f, 16.f, 256.f, 1e4f, 1e9f}) {
      SCOPED_TRACE(join("size ", size));
      Plain p({1, 8, 5, 1, 1, 64, 64});
      for (auto* x : {&p.q, &p.k, &p.v}) std::fill(x->begin(), x->end(), size);
      expect_rows_of_one(observe(p.call(), 5, 1, 2), p.shape, 2);
      const Gradients g = gradients(p, std::vector<float>(8 * 64, 1.f));
      for (float x : g.dv) EXPECT_NEAR(x, 1.6, 1e-5);
    }
  });
}

// Drawn: any options, scores of any size, any offset that all keys share.
TEST(AttentionNumbers, RowsAddUpToOneAtAnyMagnitude) {
  on_every_isa([](const std::string&) {
    Draw draw(31);
    for (int round = 0; round < 60; ++round) {
      Options o = drawn_options(draw);
      o.dropout = 0, o.sinks = false;
      const AttentionShape s{1, draw.whole(1, 20), draw.whole(1, 210), 2,
                             1, draw.whole(1, 70), draw.whole(1, 9)};
      Case c(draw, s, o);
      const float size = std::pow(10.f, static_cast<float>(draw.whole(-3, o.type == DType::f16 ? 3 : 8)));
      const float offset =
          std::pow(10.f, static_cast<float>(draw.whole(0, 30))) * (draw.whole(0, 1) ? 1 : -1);
      for (float& x : c.k.values) x *= size;
      for (float& x : c.bias) x += offset;
      SCOPED_TRACE(join("round ", round, ", size ", size, ", offset ", offset));
      c.connect();
      const auto q = testing::packed(c.q.values, o.type), k = testing::packed(c.k.values, o.type),
                 v = testing::packed(c.v.values, o.type);
      c.args.q = q.data(), c.args.k = k.data(), c.args.v = v.data();
      const int64_t map_keys = draw.whole(1, 50);
      expect_rows_of_one(observe(c.args, s.keys, 1, map_keys), s, map_keys);
      if (::testing::Test::HasFailure()) return;
    }
  });
}

// What q, k and v are multiplied with, and what all scores share, changes nothing but the scale of results.
TEST(AttentionNumbers, GradientsOfScoresThatShareAnOffset) {
  on_every_isa([](const std::string&) {
    Draw draw(32);
    Plain p({1, 24, 130, 1, 1, 16, 8});
    p.q = draw.reals(static_cast<int64_t>(p.q.size()));
    p.k = draw.reals(static_cast<int64_t>(p.k.size()));
    p.v = draw.reals(static_cast<int64_t>(p.v.size()));
    const std::vector<float> dz = draw.reals(24 * 8);
    const Gradients own = gradients(p, dz);
    for (float offset : {100.f, 1024.f, -4096.f}) {  // biases of whole numbers, scores of 2^-10
      for (float& x : p.q) x = std::round(x * 32) / 32;
      for (float& x : p.k) x = std::round(x * 8) / 8;
      p.args.scale = 0.25f;
      p.bias.clear();
      const Gradients before = gradients(p, dz);
      p.bias.assign(24 * 130, offset);
      const Gradients after = gradients(p, dz);
      for (auto part : {&Gradients::z, &Gradients::dq, &Gradients::dk, &Gradients::dv})
        for (size_t i = 0; i < (before.*part).size(); ++i)
          ASSERT_NEAR((after.*part)[i], (before.*part)[i], 2e-6) << "offset " << offset << ", " << i;
    }
  });
}

// Only -inf hides.  Rows of the lowest float give the mean; where some are a little higher they take it all.
TEST(AttentionNumbers, TheLowestBiasHidesNothing) {
  on_every_isa([](const std::string&) {
    for (int64_t keys : {3, 97, 200}) {
      Plain p({1, 4, keys, 1, 1, 8, 1});
      Draw draw(33);
      p.q = draw.reals(32), p.k = draw.reals(keys * 8), p.v = draw.reals(keys);
      p.bias.assign(static_cast<size_t>(4 * keys), k_lowest);
      double mean = 0, mean_of_high = 0;
      int64_t high = 0;
      for (int64_t s = 0; s < keys; ++s) {
        mean += p.v[static_cast<size_t>(s)] / static_cast<double>(keys);
        if (s % 3 == 1) mean_of_high += p.v[static_cast<size_t>(s)], ++high;
        if (s % 3 == 1) p.bias[static_cast<size_t>(keys + s)] = -3.0e38f;       // row 1
        if (s % 3 == 1) p.bias[static_cast<size_t>(2 * keys + s)] = 0;          // row 2
        if (s % 3 == 1) p.bias[static_cast<size_t>(3 * keys + s)] = -k_lowest;  // row 3
      }
      mean_of_high /= static_cast<double>(high);
      const Seen seen = observe(p.call(), keys, 1, 64);
      EXPECT_NEAR(seen.z[0], mean, 2e-6);
      EXPECT_NEAR(seen.z[1], mean_of_high, 2e-6);
      EXPECT_NEAR(seen.z[3], mean_of_high, 2e-6);
      EXPECT_EQ(seen.lse[0], k_lowest);
      expect_rows_of_one(seen, p.shape, 64);
      p.slopes = {1e38f};
      expect_rows_of_one(observe(p.call(), keys, 1, 64), p.shape, 64);
    }
  });
}

TEST(AttentionNumbers, SinksOfAnySize) {
  on_every_isa([](const std::string&) {
    for (float sink : {-k_inf, k_lowest, -3e38f, -1e4f, 0.f, 88.f, 3e38f, k_nan}) {
      SCOPED_TRACE(join("sink ", sink));
      for (int64_t length : {0, 2}) {
        Plain p({1, 2, 3, 1, 1, 4, 2});
        p.v = {1, 2, 3, 4, k_nan, k_nan};
        p.sinks = {sink}, p.lengths = {length};
        const Seen seen = observe(p.call(), 2, 1, 3);
        const double left = 2 / (2 + std::exp(static_cast<double>(sink)));
        for (size_t t = 0; t < 2; ++t) {
          if (std::isnan(sink)) {
            EXPECT_TRUE(std::isnan(seen.z[2 * t]) && std::isnan(seen.lse[t]));
            continue;
          }
          EXPECT_NEAR(seen.z[2 * t], length ? 2 * left : 0, 1e-6);
          EXPECT_NEAR(sum_of(seen.pattern, 3 * t, 3), length ? left : 0, 1e-6);
          EXPECT_NEAR(sum_of(seen.top, 2 * t, 2), length ? left : 0, 1e-6);
          const double lse = length ? std::log(2 + std::exp(static_cast<double>(sink))) : sink;
          if (std::isfinite(lse)) EXPECT_NEAR(seen.lse[t], lse, 1e-6 * std::max(1.0, std::abs(lse)));
          if (!length) EXPECT_EQ(seen.lse[t], sink);
        }
        if (length == 0) {
          for (float w : seen.pattern) EXPECT_EQ(w, 0.f);
        }
      }
    }
  });
}

TEST(AttentionNumbers, CapsOfAnySize) {
  on_every_isa([](const std::string&) {
    for (float cap : {1e-45f, 1e-40f, 1e-38f, 1e-20f, 1e20f, 3e38f}) {
      SCOPED_TRACE(join("cap ", cap));
      Plain p({1, 3, 5, 1, 1, 4, 1});
      Draw draw(34);
      p.q = draw.reals(12), p.k = draw.reals(20), p.v = draw.reals(5);
      std::fill_n(p.q.begin(), 4, 0.f);
      p.args.softcap = cap;
      const Seen seen = observe(p.call(), 5, 1, 2);
      expect_rows_of_one(seen, p.shape, 2);
      if (cap < 1) {
        for (float w : seen.pattern) EXPECT_NEAR(w, 0.2, 1e-6);
      }
      const Gradients g = gradients(p, {1, 1, 1});
      for (float x : g.dq) EXPECT_TRUE(std::isfinite(x));
    }
  });
}

// The mean of values is no larger than they are, though their sum may be.
TEST(AttentionNumbers, LargeValues) {
  on_every_isa([](const std::string&) {
    for (int64_t keys : {2, 7, 100, 300}) {
      for (float value : {3e38f, -3e38f, -k_lowest}) {
        Plain p({1, 3, keys, 1, 1, 4, 3});
        Draw draw(35);
        p.q = draw.reals(12), p.k = draw.reals(keys * 4);
        std::fill(p.v.begin(), p.v.end(), value);
        for (int64_t s = 0; s < keys; ++s) {
          p.v[static_cast<size_t>(3 * s + 1)] = 0.5f;
          if (s % 2) p.v[static_cast<size_t>(3 * s + 2)] *= -1;
        }
        for (bool causal : {false, true}) {
          p.args.causal = causal, p.args.first_query = 0;
          const Seen seen = observe(p.call(), 1, 1, 1);
          for (size_t t = 0; t < 3; ++t) {
            EXPECT_NEAR(seen.z[3 * t] / value, 1, 1e-5);
            EXPECT_NEAR(seen.z[3 * t + 1], 0.5, 1e-6);
            EXPECT_TRUE(std::isfinite(seen.z[3 * t + 2]));
          }
        }
      }
    }
  });
}

// Error of a sum of n terms: at most a few roundings times the root of n.
TEST(AttentionNumbers, LongSumsDoNotForget) {
  on_every_isa([](const std::string& isa) {
    for (int64_t keys : {100, 6144, 6200, 65536, 262144}) {
      if (isa == "plain" && keys > 65536) continue;
      SCOPED_TRACE(join(keys, " keys"));
      Plain p({1, 1, keys, 1, 1, 1, 1});
      for (float value : {0.1f, 0.7f, 1.f / 3}) {
        std::fill(p.v.begin(), p.v.end(), value);
        const Seen seen = observe(p.call(), 1, 1, keys);
        EXPECT_NEAR(seen.z[0] / value, 1, 5e-6);
        EXPECT_NEAR(seen.map[0], 1, 1e-6);
        EXPECT_NEAR(seen.entropy[0], std::log(keys), 2e-5);
      }
      // dq adds over keys; dk and dv over queries.
      std::fill(p.k.begin(), p.k.end(), 0.f);
      for (int64_t s = 0; s < keys; ++s) {
        p.k[static_cast<size_t>(s)] = s % 2 ? 0.1f : 0.3f;
        p.v[static_cast<size_t>(s)] = s % 2 ? 1.f : -1.f;
      }
      // z = 0, dS = 1 / S * v: dq = sum of k v / S = (0.1 - 0.3) / 2.
      EXPECT_NEAR(gradients(p, {1.f}).dq[0], -0.1, 5e-7);
      Plain many({1, keys, 1, 1, 1, 1, 1});
      EXPECT_NEAR(gradients(many, std::vector<float>(static_cast<size_t>(keys), 0.1f)).dv[0] /
                      (0.1f * static_cast<double>(keys)),
                  1, 5e-6);
      Plain mass({1, keys, 2, 1, 1, 1, 1});
      if (keys > 10000) continue;
      const Seen seen = observe(mass.call(), 1, 256, 2);
      EXPECT_NEAR(seen.mass[0] / static_cast<double>(keys), 0.5, 2e-6);
    }
  });
}

// A NaN that a row sees reaches all that is said of it: in a bias, a slope, a key, a value at weight 0.
TEST(AttentionNumbers, ANaNThatIsSeenIsSaid) {
  on_every_isa([](const std::string&) {
    Plain p({1, 1, 3, 1, 1, 1, 1});
    p.v = {1, 2, 3}, p.bias = {0, k_nan, 0};
    Seen seen = observe(p.call(), 2, 1, 1);
    for (const auto* part :
         {&seen.z, &seen.lse, &seen.top, &seen.entropy, &seen.map, &seen.pattern, &seen.mass})
      for (float x : *part) EXPECT_TRUE(std::isnan(x));
    EXPECT_EQ(seen.keys, (std::vector<int32_t>{0, 1}));
    const Gradients struck = gradients(p, {1.f});
    for (auto part : {&Gradients::z, &Gradients::dq, &Gradients::dk, &Gradients::dv})
      for (float x : struck.*part) EXPECT_TRUE(std::isnan(x));
    p.bias.clear(), p.slopes = {k_nan};
    EXPECT_TRUE(std::isnan(observe(p.call(), 2, 1, 1).z[0]));
    // A weight of exactly 0, and an infinite value.
    p.slopes.clear(), p.bias = {-1000, 0, 0}, p.v = {k_inf, 2, 3};
    EXPECT_TRUE(std::isnan(observe(p.call(), 2, 1, 1).z[0]));
    p.bias[0] = -k_inf;  // hidden
    EXPECT_EQ(observe(p.call(), 2, 1, 1).z[0], 2.5f);
  });
}

// ... and nothing that is said of blocks that the row cannot see, or of other rows.
TEST(AttentionNumbers, ANaNThatIsNotSeenIsNotSaid) {
  on_every_isa([](const std::string&) {
    Plain p({1, 1, 4, 1, 1, 1, 1});
    p.k[0] = k_nan, p.lengths = {2};
    Seen seen = observe(p.call(), 3, 1, 2);
    EXPECT_TRUE(std::isnan(seen.map[0]));
    EXPECT_EQ(seen.map[1], 0.f);
    EXPECT_EQ(seen.keys, (std::vector<int32_t>{0, 1, -1}));
    EXPECT_TRUE(std::isnan(seen.top[0]) && std::isnan(seen.top[1]));
    EXPECT_EQ(seen.top[2], 0.f);
    EXPECT_TRUE(std::isnan(seen.mass[1]));
    EXPECT_EQ(seen.mass[2], 0.f);
    EXPECT_EQ(seen.pattern[3], 0.f);
    Plain causal({1, 40, 40, 1, 1, 2, 1});
    causal.args.causal = true;
    Draw draw(36);
    causal.q = draw.reals(80), causal.k = draw.reals(80), causal.v = draw.reals(40);
    const Seen clean = observe(causal.call(), 4, 1, 1);
    causal.k[2 * 20] = k_nan;
    const Seen struck = observe(causal.call(), 4, 1, 1);
    for (size_t t = 0; t < 40; ++t) {
      EXPECT_EQ(std::isnan(struck.z[t]), t >= 20) << t;
      for (size_t s = 0; s < 40; ++s) {
        EXPECT_EQ(std::isnan(struck.map[40 * t + s]), t >= 20 && s <= t) << t << " " << s;
        EXPECT_EQ(std::isnan(struck.pattern[40 * t + s]), t >= 20 && s <= t) << t << " " << s;
      }
      if (t < 20) EXPECT_EQ(struck.z[t], clean.z[t]);
    }
  });
}

// The bits of a score are the same wherever it is rebuilt: e^((scores - lse) - rest) is the pattern, to the
// bit of an exponential, and the backward pass's dv of one-hot dz is the pattern too.
TEST(AttentionNumbers, TheSameScoreEverywhere) {
  on_every_isa([](const std::string&) {
    Draw draw(37);
    for (int round = 0; round < 24; ++round) {
      Options o = drawn_options(draw);
      o.dropout = 0, o.z_type = DType::f32, o.size = 30;
      o.documents = o.allowed = false;
      const AttentionShape s{1, 1, draw.whole(1, 200), 1, 1, draw.whole(1, 70), 1};
      Case c(draw, s, o);
      c.dz.row(0, 0, 0)[0] = 1;
      c.options.type = c.args.type = DType::f32;
      const testing::Results got = c.run();
      const auto q = testing::packed(c.q.values, DType::f32), k = testing::packed(c.k.values, DType::f32),
                 v = testing::packed(c.v.values, DType::f32);
      c.args.q = q.data(), c.args.k = k.data(), c.args.v = v.data();
      const Seen seen = observe(c.args, s.keys, 1, 1);
      for (int64_t key = 0; key < s.keys; ++key) {
        const float weight = seen.pattern[static_cast<size_t>(key)];
        ASSERT_EQ(got.dv.row(0, key, 0)[0], weight) << "dv, key " << key << " round " << round;
        const auto place = std::find(seen.keys.begin(), seen.keys.end(), key) - seen.keys.begin();
        if (weight > 1e-30f) ASSERT_EQ(seen.top[static_cast<size_t>(place)], weight) << "top, key " << key;
      }
    }
  });
}

}  // namespace
}  // namespace limpid::kernels

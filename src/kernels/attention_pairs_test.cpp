// bf16 through products of pairs (and converted, elsewhere): held to f32 attention of the same numbers.
#include <gtest/gtest.h>

#include <limits>

#include "kernels/attention.h"
#include "kernels/test_helpers.h"

namespace limpid::kernels {
namespace {

using testing::at_any_threads;
using testing::Draw;
using testing::on_every_isa;
using testing::same_bits;

constexpr float k_inf = std::numeric_limits<float>::infinity();

struct Case {
  AttentionShape shape;
  AttentionArgs args;
  std::vector<bf16> q, k, v;
  std::vector<float> z, lse, bias;

  static std::vector<bf16> drawn(Draw& draw, int64_t count) {
    std::vector<bf16> out;
    for (float x : draw.reals(count, -2, 2)) out.push_back(to_bf16(x));
    return out;
  }

  Case(Draw& draw, const AttentionShape& s) : shape(s) {
    q = drawn(draw, s.batch * s.queries * s.heads * s.width);
    k = drawn(draw, s.batch * s.keys * s.key_heads * s.width);
    v = drawn(draw, s.batch * s.keys * s.key_heads * s.value_width);
    z.assign(static_cast<size_t>(s.batch * s.queries * s.heads * s.value_width), 7);
    lse.assign(static_cast<size_t>(s.batch * s.heads * s.queries), 7);
    args.shape = s;
    args.scale = 1 / std::sqrt(static_cast<float>(s.width));
    args.type = DType::bf16;
  }

  static std::vector<float> wide(const std::vector<bf16>& x) {
    std::vector<float> out;
    for (bf16 value : x) out.push_back(to_float(value));
    return out;
  }

  void run(bool in_f32 = false) {
    const AttentionShape& s = shape;
    std::vector<float> wq, wk, wv;
    args.q = q.data(), args.k = k.data(), args.v = v.data();
    args.type = in_f32 ? DType::f32 : DType::bf16;
    if (in_f32) {
      wq = wide(q), wk = wide(k), wv = wide(v);
      args.q = wq.data(), args.k = wk.data(), args.v = wv.data();
    }
    args.q_at = {s.queries * s.heads * s.width, s.heads * s.width, s.width};
    // Rows of one head together where there is one: used in place.
    args.k_at = {s.keys * s.key_heads * s.width, s.key_heads * s.width, s.width};
    args.v_at = {s.keys * s.key_heads * s.value_width, s.key_heads * s.value_width, s.value_width};
    args.z_at = {s.queries * s.heads * s.value_width, s.heads * s.value_width, s.value_width};
    args.z = z.data(), args.lse = lse.data();
    if (!bias.empty()) args.bias = bias.data(), args.bias_at = {0, s.keys, s.keys * s.queries};
    launch(AttentionForward(args));
  }
};

AttentionShape drawn_shape(Draw& draw, bool small) {
  const int64_t groups = draw.whole(1, 2);
  return {draw.whole(1, 2),
          draw.whole(1, small ? 30 : 140),
          draw.whole(1, small ? 60 : 260),
          2,
          groups,
          draw.whole(1, 80),
          draw.whole(1, 80)};
}

// A weight in bf16 is off by 2^-9 of itself, a mean of values so by no more than that of the largest.
TEST(AttentionPairs, AsInF32) {
  on_every_isa([](const std::string& isa) {
    Draw draw(41);
    for (int round = 0; round < 30; ++round) {
      Case c(draw, drawn_shape(draw, isa == "plain"));
      c.args.causal = draw.whole(0, 1);
      c.args.window = draw.whole(0, 2) ? 0 : draw.whole(1, 60);
      if (draw.whole(0, 3) == 0) c.args.softcap = 4;
      if (draw.whole(0, 3) == 0) {
        c.bias = draw.reals(2 * c.shape.queries * c.shape.keys, -2, 2);
        for (float& x : c.bias) x = draw.whole(0, 5) ? x : -k_inf;
      }
      if (draw.whole(0, 3) == 0) c.args.dropout = 0.25;
      SCOPED_TRACE(join("round ", round, ": ", c.shape.queries, " queries, ", c.shape.keys, " keys, widths ",
                        c.shape.width, " ", c.shape.value_width));
      c.run(true);
      const Case exact = c;
      c.run();
      const double largest = 2 * (c.args.dropout > 0 ? 4 / 3.0 : 1);
      for (size_t i = 0; i < c.z.size(); ++i) ASSERT_NEAR(c.z[i], exact.z[i], largest / 256) << i;
      for (size_t i = 0; i < c.lse.size(); ++i) {
        if (exact.lse[i] == -k_inf) {
          ASSERT_EQ(c.lse[i], -k_inf);
        } else {
          ASSERT_NEAR(c.lse[i], exact.lse[i], 1e-4) << i;
        }
      }
    }
  });
}

// Law 3: with a window, where a row begins decides which keys a block of rows shares.
TEST(AttentionPairs, RowAloneHasTheSameBits) {
  on_every_isa([](const std::string&) {
    Draw draw(42);
    Case all(draw, {1, 90, 140, 1, 1, 24, 20});
    for (const int64_t window : {0, 7, 50}) {
      all.args.causal = true;
      all.args.window = window;
      all.args.first_query = 50;
      all.run();
      for (const int64_t first : {1, 17, 63, 64, 89}) {
        Case part = all;
        part.shape.queries = part.args.shape.queries = 90 - first;
        part.args.first_query = 50 + first;
        part.q.erase(part.q.begin(), part.q.begin() + first * 24);
        part.run();
        for (int64_t t = 0; t < part.shape.queries; ++t)
          EXPECT_TRUE(same_bits(part.z.data() + t * 20, all.z.data() + (t + first) * 20, 20))
              << first << " " << t;
      }
    }
  });
}

TEST(AttentionPairs, NaNStaysWhereItIsSeen) {
  on_every_isa([](const std::string&) {
    Draw draw(43);
    for (const int64_t bad : {0, 100, 101, 149}) {
      Case c(draw, {1, 150, 150, 1, 1, 32, 16});
      c.args.causal = true;
      c.run();
      Case dirty = c;
      for (int64_t d = 0; d < 16; ++d) dirty.v[static_cast<size_t>(bad * 16 + d)] = to_bf16(k_inf - k_inf);
      dirty.k[static_cast<size_t>(bad * 32)] = to_bf16(k_inf - k_inf);
      dirty.run();
      EXPECT_TRUE(same_bits(c.z.data(), dirty.z.data(), bad * 16)) << bad;
      for (int64_t i = bad * 16; i < 150 * 16; ++i)
        ASSERT_TRUE(std::isnan(dirty.z[static_cast<size_t>(i)])) << bad;
    }
  });
}

TEST(AttentionPairs, SameBitsAtAnyThreads) {
  Draw draw(44);
  Case c(draw, {2, 300, 300, 2, 1, 64, 64});
  at_any_threads([&] {
    c.run();
    return c.z;
  });
}

// Results in bf16 are those in f32, rounded.
TEST(AttentionPairs, RoundsItsResults) {
  on_every_isa([](const std::string&) {
    Draw draw(45);
    Case c(draw, {1, 70, 90, 1, 1, 16, 37});
    c.run();
    std::vector<bf16> halves(c.z.size());
    AttentionArgs args = c.args;
    args.q = c.q.data(), args.k = c.k.data(), args.v = c.v.data();
    args.z_type = DType::bf16;
    args.z = halves.data(), args.lse = c.lse.data();
    launch(AttentionForward(args));
    for (size_t i = 0; i < halves.size(); ++i) EXPECT_EQ(halves[i].bits, to_bf16(c.z[i]).bits) << i;
  });
}

}  // namespace
}  // namespace limpid::kernels

// NaN, infinity, large scores, and rows that see nothing.
#include "kernels/test_attention.h"

#include <gtest/gtest.h>

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
using testing::Results;
using testing::same_bits;

// Law 6: NaN and infinity in a key, value or query touch exactly what can see them.
TEST(Attention, NaNStaysWhereItIsSeen) {
  on_every_isa([](const std::string&) {
    Draw draw(14);
    for (int round = 0; round < 40; ++round) {
      Options o = drawn_options(draw);
      o.causal = draw.whole(0, 3) > 0;
      o.softcap = 0;  // tanh(inf) is finite
      const AttentionShape shape{1, draw.whole(1, 90), draw.whole(1, 130), 2, 1, 20, 17};
      Case clean(draw, shape, o);
      const Results before = clean.run();
      Case dirty = clean;
      const int64_t bad_key = draw.whole(0, shape.keys - 1), bad_row = draw.whole(0, shape.queries - 1);
      const int what = static_cast<int>(draw.whole(0, 3));
      if (what == 0) dirty.k.row(0, bad_key, 0)[3] = k_nan;
      if (what == 1) std::fill_n(dirty.v.row(0, bad_key, 0), 17, round % 2 ? k_nan : k_inf);
      if (what == 2) dirty.q.row(0, bad_row, 1)[0] = k_nan;
      if (what == 3) dirty.dz.row(0, bad_row, 1)[0] = k_nan;
      const Results after = dirty.run();
      SCOPED_TRACE(join("round ", round, " what ", what, " key ", bad_key, " row ", bad_row));
      const auto struck = [&](int64_t h, int64_t t) {  // the forward row
        return what <= 1 ? clean.sees(0, h, t, bad_key) : what == 2 && h == 1 && t == bad_row;
      };
      for (int64_t h = 0; h < 2; ++h) {
        for (int64_t t = 0; t < shape.queries; ++t) {
          const bool anything = clean.sees_any(0, h, t);
          if (!struck(h, t) || !anything) {
            EXPECT_TRUE(after.z.same_row(before.z, 0, t, h)) << "z " << h << " " << t;
          } else if (round % 2 || what != 1) {
            EXPECT_TRUE(after.z.row_is_nan(0, t, h)) << "z " << h << " " << t;
          }
          const bool gradient = struck(h, t) || (what == 3 && h == 1 && t == bad_row);
          if (!gradient || !anything) {
            EXPECT_TRUE(after.dq.same_row(before.dq, 0, t, h)) << "dq " << h << " " << t;
          }
        }
      }
      for (int64_t s = 0; s < shape.keys; ++s) {
        bool reached = false;  // does a struck row see this key?
        for (int64_t h = 0; h < 2; ++h) {
          for (int64_t t = 0; t < shape.queries; ++t) {
            const bool bad = struck(h, t) || (what == 3 && h == 1 && t == bad_row);
            reached = reached || (bad && clean.sees(0, h, t, s));
          }
        }
        if (reached) continue;
        EXPECT_TRUE(after.dk.same_row(before.dk, 0, s, 0)) << "dk " << s;
        EXPECT_TRUE(after.dv.same_row(before.dv, 0, s, 0)) << "dv " << s;
      }
    }
  });
}

TEST(Attention, LargeScoresStayExact) {
  on_every_isa([](const std::string&) {
    Draw draw(15);
    Case c(draw, {1, 40, 120, 1, 1, 16, 8}, {true});
    for (float& x : c.q.values) x *= 100;
    for (float& x : c.k.values) x *= 100;  // scores of some 1e4: one weight is 1, the others 0
    const Results got = c.run();
    for (int64_t t = 0; t < 40; ++t) {
      int64_t best = 0;
      double top = -INFINITY, second = -INFINITY;
      for (int64_t s = 0; s <= c.position(0, t); ++s) {
        const double x = 0.25 * dot(c.q.row(0, t, 0), c.k.row(0, s, 0), 16);
        if (x > top)
          second = top, top = x, best = s;
        else
          second = std::max(second, x);
      }
      if (top - second < 100) continue;
      EXPECT_TRUE(same_bits(got.z.row(0, t, 0), c.v.row(0, best, 0), 8)) << t;
    }
  });
}

TEST(Attention, ARowThatSeesNothingIsZero) {
  on_every_isa([](const std::string&) {
    Draw draw(16);
    Case c(draw, {2, 5, 7, 1, 1, 8, 8}, {});
    c.lengths = {0, 7};
    const Results got = c.run();
    for (int64_t t = 0; t < 5; ++t) {
      EXPECT_EQ(got.lse[static_cast<size_t>(t)], -k_inf);
      for (int64_t d = 0; d < 8; ++d) {
        EXPECT_EQ(got.z.row(0, t, 0)[d], 0.f);
        EXPECT_EQ(got.dq.row(0, t, 0)[d], 0.f);
      }
    }
    c.expect_right(got);
  });
}

}  // namespace
}  // namespace limpid::kernels

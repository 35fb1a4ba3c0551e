#include "kernels/attention.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>

#include "kernels/test_helpers.h"
#include "limpid/error.h"

namespace limpid::kernels {
namespace {

using testing::at_any_threads;
using testing::Draw;
using testing::on_every_isa;
using testing::same_bits;

constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();
constexpr float k_inf = std::numeric_limits<float>::infinity();

// A tensor [batch][row][head][width] whose rows and heads may lie apart.
struct Heads {
  int64_t batch, rows, heads, width;
  HeadStrides at;
  std::vector<float> values;

  Heads(Draw& draw, int64_t b, int64_t r, int64_t h, int64_t w, float size)
      : batch(b), rows(r), heads(h), width(w) {
    const int64_t gap = draw.whole(0, 3);
    if (draw.whole(0, 1)) {  // each head's rows together
      at = {h * r * (w + gap) + gap, w + gap, r * (w + gap)};
    } else {
      at = {r * (h * w + gap), h * w + gap, w};
    }
    values = draw.reals(b * std::max(at.batch, r * at.row) + h * at.head + w + 8, -size, size);
  }
  int64_t place(int64_t b, int64_t r, int64_t h) const { return b * at.batch + r * at.row + h * at.head; }
  float* row(int64_t b, int64_t r, int64_t h) { return values.data() + place(b, r, h); }
  const float* row(int64_t b, int64_t r, int64_t h) const { return values.data() + place(b, r, h); }
  bool same_row(const Heads& other, int64_t b, int64_t r, int64_t h) const {
    return same_bits(row(b, r, h), other.row(b, r, h), width);
  }
  bool row_is_nan(int64_t b, int64_t r, int64_t h) const {
    return std::all_of(row(b, r, h), row(b, r, h) + width, [](float x) { return std::isnan(x); });
  }
};

struct Options {
  bool causal = false, ragged = false, bias = false, slopes = false, own_first = false;
  int64_t window = 0;
  float softcap = 0, size = 1;
};

struct Results {
  Heads z, dq, dk, dv;
  std::vector<float> lse;
  std::vector<float> all() const {
    std::vector<float> joined = lse;
    for (const Heads* part : {&z, &dq, &dk, &dv}) {
      joined.insert(joined.end(), part->values.begin(), part->values.end());
    }
    return joined;
  }
};

struct Case {
  AttentionShape shape;
  Options options;
  AttentionArgs args;
  Heads q, k, v, dz, like_z, like_q, like_k, like_v;
  std::vector<float> bias, slopes;
  std::vector<int64_t> firsts, lengths;

  Case(Draw& draw, AttentionShape s, Options o)
      : shape(s),
        options(o),
        q(draw, s.batch, s.queries, s.heads, s.width, o.size),
        k(draw, s.batch, s.keys, s.key_heads, s.width, o.size),
        v(draw, s.batch, s.keys, s.key_heads, s.value_width, 1),
        dz(draw, s.batch, s.queries, s.heads, s.value_width, 1),
        like_z(draw, s.batch, s.queries, s.heads, s.value_width, 1),
        like_q(draw, s.batch, s.queries, s.heads, s.width, 1),
        like_k(draw, s.batch, s.keys, s.key_heads, s.width, 1),
        like_v(draw, s.batch, s.keys, s.key_heads, s.value_width, 1) {
    args.shape = s;
    args.scale = 1 / std::sqrt(static_cast<float>(s.width));
    args.softcap = o.softcap;
    args.causal = o.causal;
    args.window = o.window;
    if (o.own_first) args.first_query = draw.whole(-3, s.keys + 3);
    if (o.ragged) {
      for (int64_t b = 0; b < s.batch; ++b) {
        lengths.push_back(draw.whole(0, s.keys));
        firsts.push_back(lengths.back() - s.queries);
      }
    }
    if (o.slopes) slopes = draw.reals(s.heads, 0, 0.5f);
    if (o.bias) {
      bias = draw.reals(s.heads * s.queries * (s.keys + 1) + 1);
      for (float& value : bias) value = draw.whole(0, 9) == 0 ? -k_inf : value;
    }
    connect();
  }

  // A copy has its own storage: its pointers must be set anew.
  void connect() {
    args.q = q.values.data(), args.k = k.values.data(), args.v = v.values.data();
    args.q_at = q.at, args.k_at = k.at, args.v_at = v.at, args.z_at = like_z.at;
    args.first_queries = firsts.empty() ? nullptr : firsts.data();
    args.key_lengths = lengths.empty() ? nullptr : lengths.data();
    args.slopes = slopes.empty() ? nullptr : slopes.data();
    args.bias = bias.empty() ? nullptr : bias.data();
    args.bias_at = {0, shape.keys + 1, shape.queries * (shape.keys + 1)};
  }

  Results run() {
    connect();
    Results r{like_z, like_q, like_k, like_v, {}};
    r.lse.assign(static_cast<size_t>(shape.batch * shape.heads * shape.queries), 7);
    args.z = r.z.values.data(), args.lse = r.lse.data();
    launch(AttentionForward(args));
    AttentionGradients to;
    to.dz = dz.values.data(), to.dz_at = dz.at;
    to.dq = r.dq.values.data(), to.dk = r.dk.values.data(), to.dv = r.dv.values.data();
    to.dq_at = r.dq.at, to.dk_at = r.dk.at, to.dv_at = r.dv.at;
    launch(AttentionBackward(args, to));
    return r;
  }

  int64_t group() const { return shape.heads / shape.key_heads; }
  int64_t position(int64_t b, int64_t t) const {
    return t + (firsts.empty() ? args.first_query.value_or(shape.keys - shape.queries)
                               : firsts[static_cast<size_t>(b)]);
  }
  float bias_at(int64_t h, int64_t t, int64_t s) const {
    return bias.empty() ? 0 : bias[static_cast<size_t>(h * args.bias_at.head + t * args.bias_at.row + s)];
  }
  bool sees(int64_t b, int64_t h, int64_t t, int64_t s) const {
    const int64_t p = position(b, t);
    if (!lengths.empty() && s >= lengths[static_cast<size_t>(b)]) return false;
    if (options.causal && s > p) return false;
    if (options.window > 0 && s <= p - options.window) return false;
    return bias_at(h, t, s) != -k_inf;
  }

  void expect_right(const Results& got) const;
};

double dot(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

double magnitude(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::abs(static_cast<double>(a[i]) * b[i]);
  return sum;
}

// The meaning, in double, and bounds.  A score is off by at most (D + 8) roundings of its terms' size; a
// weight by that factor; the sums over S keys by S roundings more.  The gradient of a score is a difference
// of sums over Dv, and those of q, k, v are sums of such.
void Case::expect_right(const Results& got) const {
  const double eps = 6e-8;
  const int64_t width = shape.width, value_width = shape.value_width;
  std::vector<double> dk(got.dk.values.size()), dv(got.dv.values.size()), dk_bound = dk, dv_bound = dv;
  for (int64_t b = 0; b < shape.batch; ++b) {
    for (int64_t h = 0; h < shape.heads; ++h) {
      const int64_t g = h / group();
      for (int64_t t = 0; t < shape.queries; ++t) {
        std::vector<double> score(static_cast<size_t>(shape.keys), -INFINITY), slope = score;
        double top = -INFINITY, error = 0, biggest_v = 0;
        for (int64_t s = 0; s < shape.keys; ++s) {
          if (!sees(b, h, t, s)) continue;
          double x = args.scale * dot(q.row(b, t, h), k.row(b, s, g), width);
          double off = (static_cast<double>(width) + 8) * eps * args.scale *
                       magnitude(q.row(b, t, h), k.row(b, s, g), width);
          const double y = options.softcap > 0 ? std::tanh(x / options.softcap) : 0;
          slope[static_cast<size_t>(s)] = options.softcap > 0 ? 1 - y * y : 1;
          if (options.softcap > 0) x = options.softcap * y, off += 8 * eps * std::abs(x);
          const double distance = static_cast<double>(position(b, t) - s);
          if (!slopes.empty())
            x -= slopes[static_cast<size_t>(h)] * distance, off += eps * std::abs(distance);
          x += bias_at(h, t, s);
          score[static_cast<size_t>(s)] = x;
          top = std::max(top, x);
          error = std::max(error, off + 4 * eps * std::abs(x));
          for (int64_t d = 0; d < value_width; ++d) {
            biggest_v = std::max<double>(biggest_v, std::abs(v.row(b, s, g)[d]));
          }
        }
        double total = 0;
        for (double x : score) total += top == -INFINITY ? 0 : std::exp(x - top);
        const float lse = got.lse[static_cast<size_t>((b * shape.heads + h) * shape.queries + t)];
        const double spread =
            4 * error + (static_cast<double>(shape.keys) + 16) * eps;  // of a weight, relative
        if (total == 0) {
          ASSERT_EQ(lse, -INFINITY) << "row " << t;
        } else {
          ASSERT_NEAR(lse, top + std::log(total), spread + 1e-6 * std::abs(top)) << "row " << t;
        }
        double delta = 0;
        std::vector<double> z(static_cast<size_t>(value_width)), dq(static_cast<size_t>(width)),
            dq_bound = dq;
        for (int64_t s = 0; s < shape.keys; ++s) {
          const double weight = total == 0 ? 0 : std::exp(score[static_cast<size_t>(s)] - top) / total;
          for (int64_t d = 0; d < value_width; ++d) z[static_cast<size_t>(d)] += weight * v.row(b, s, g)[d];
        }
        for (int64_t d = 0; d < value_width; ++d) {
          ASSERT_NEAR(got.z.row(b, t, h)[d], z[static_cast<size_t>(d)], spread * biggest_v) << "row " << t;
          delta += z[static_cast<size_t>(d)] * dz.row(b, t, h)[d];
        }
        for (int64_t s = 0; s < shape.keys && total > 0; ++s) {
          if (!sees(b, h, t, s)) continue;
          const double weight = std::exp(score[static_cast<size_t>(s)] - top) / total;
          const double dp = dot(dz.row(b, t, h), v.row(b, s, g), value_width);
          const double ds = weight * (dp - delta) * slope[static_cast<size_t>(s)];
          double sum_dz = 0;
          for (int64_t d = 0; d < value_width; ++d) sum_dz += std::abs(dz.row(b, t, h)[d]);
          const double ds_bound =
              weight * sum_dz * biggest_v * (8 * spread + 4 * (static_cast<double>(value_width) + 8) * eps);
          for (int64_t d = 0; d < value_width; ++d) {
            const size_t at = static_cast<size_t>(got.dv.place(b, s, g) + d);
            dv[at] += weight * dz.row(b, t, h)[d];
            dv_bound[at] += 3 * weight * spread + static_cast<double>(shape.queries * group()) * eps * weight;
          }
          for (int64_t d = 0; d < width; ++d) {
            const size_t at = static_cast<size_t>(got.dk.place(b, s, g) + d);
            const double from_q = args.scale * q.row(b, t, h)[d], from_k = args.scale * k.row(b, s, g)[d];
            dk[at] += ds * from_q;
            dk_bound[at] += std::abs(from_q) * (ds_bound + static_cast<double>(shape.queries * group()) * 2 *
                                                               eps * std::abs(ds));
            dq[static_cast<size_t>(d)] += ds * from_k;
            dq_bound[static_cast<size_t>(d)] +=
                std::abs(from_k) * (ds_bound + static_cast<double>(shape.keys) * 2 * eps * std::abs(ds));
          }
        }
        for (int64_t d = 0; d < width; ++d) {
          ASSERT_NEAR(got.dq.row(b, t, h)[d], dq[static_cast<size_t>(d)],
                      dq_bound[static_cast<size_t>(d)] + 1e-12)
              << "dq row " << t;
        }
      }
    }
    for (int64_t g = 0; g < shape.key_heads; ++g) {
      for (int64_t s = 0; s < shape.keys; ++s) {
        for (int64_t d = 0; d < width; ++d) {
          const size_t at = static_cast<size_t>(got.dk.place(b, s, g) + d);
          ASSERT_NEAR(got.dk.values[at], dk[at], dk_bound[at] + 1e-12) << "dk row " << s;
        }
        for (int64_t d = 0; d < value_width; ++d) {
          const size_t at = static_cast<size_t>(got.dv.place(b, s, g) + d);
          ASSERT_NEAR(got.dv.values[at], dv[at], dv_bound[at] + 1e-12) << "dv row " << s;
        }
      }
    }
  }
}

Options drawn_options(Draw& draw) {
  Options o;
  o.causal = draw.whole(0, 1);
  o.window = draw.whole(0, 2) == 0 ? draw.whole(1, 40) : 0;
  o.ragged = draw.whole(0, 2) == 0;
  o.own_first = draw.whole(0, 3) == 0;
  o.bias = draw.whole(0, 3) == 0;
  o.slopes = draw.whole(0, 3) == 0;
  o.softcap = draw.whole(0, 3) == 0 ? draw.real(0.5f, 20) : 0;
  o.size = draw.whole(0, 2) == 0 ? 5.f : 1.f;
  return o;
}

RC_GTEST_PROP(Attention, DrawnShapes, ()) {
  Draw draw(*rc::gen::arbitrary<uint32_t>());
  AttentionShape s;
  s.batch = *rc::gen::inRange<int64_t>(1, 3);
  s.queries = *rc::gen::inRange<int64_t>(0, 70);
  s.keys = *rc::gen::inRange<int64_t>(0, 110);
  s.key_heads = *rc::gen::inRange<int64_t>(1, 3);
  s.heads = s.key_heads * *rc::gen::inRange<int64_t>(1, 4);
  s.width = *rc::gen::inRange<int64_t>(1, 40);
  s.value_width = *rc::gen::inRange<int64_t>(1, 40);
  const Options options = drawn_options(draw);
  on_every_isa([&](const std::string&) {
    Case c(draw, s, options);
    c.expect_right(c.run());
  });
  RC_ASSERT(!::testing::Test::HasFailure());
}

TEST(Attention, EveryBlockEdge) {
  on_every_isa([](const std::string& isa) {
    Draw draw(11);
    for (int64_t queries : {1, 15, 16, 17, 63, 64, 65, 113}) {
      for (int64_t keys : {1, 6, 47, 48, 49, 95, 96, 97, 193}) {
        if (isa == "plain" && queries * keys > 3000) continue;
        Options o = drawn_options(draw);
        AttentionShape s{1, queries, keys, 2, 1, draw.whole(1, 70), draw.whole(1, 70)};
        SCOPED_TRACE(join(queries, " queries, ", keys, " keys, widths ", s.width, " ", s.value_width));
        Case c(draw, s, o);
        c.expect_right(c.run());
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
    Case wide(draw, {1, 20, 30, 1, 1, 576, 80}, {true});
    wide.expect_right(wide.run());
    Case values(draw, {1, 20, 100, 5, 1, 40, 576}, {});
    values.expect_right(values.run());
  });
}

TEST(Attention, SameBitsAtAnyThreads) {
  on_every_isa([](const std::string&) {
    Draw draw(12);
    Case c(draw, {2, 130, 150, 4, 2, 24, 20}, {true});
    at_any_threads([&] { return c.run().all(); });
  });
}

// Law 3: a row has the same bits alone as among others, wherever it falls in a block.
TEST(Attention, RowAloneHasTheSameBits) {
  on_every_isa([](const std::string&) {
    Draw draw(13);
    for (int round = 0; round < 8; ++round) {
      Options o = drawn_options(draw);
      o.bias = o.own_first = false;
      const AttentionShape shape{2, 90, 140, 2, 1, 24, 20};
      Case all(draw, shape, o);
      const Results whole = all.run();
      for (int64_t first : {0, 1, 17, 63, 64, 89}) {
        Case part = all;
        part.shape.queries = part.args.shape.queries = first == 0 ? 1 : shape.queries - first;
        part.args.first_query = all.position(0, first);
        for (int64_t& f : part.firsts) f += first;
        part.q.values.erase(part.q.values.begin(), part.q.values.begin() + first * all.q.at.row);
        part.dz.values.erase(part.dz.values.begin(), part.dz.values.begin() + first * all.dz.at.row);
        const Results got = part.run();
        for (int64_t b = 0; b < 2; ++b) {
          for (int64_t t = 0; t < part.shape.queries; ++t) {
            EXPECT_TRUE(same_bits(got.z.row(b, t, 1), whole.z.row(b, t + first, 1), 20)) << first << " " << t;
            EXPECT_TRUE(same_bits(got.dq.row(b, t, 1), whole.dq.row(b, t + first, 1), 24))
                << first << " " << t;
          }
        }
      }
    }
  });
}

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
          const bool anything = before.lse[static_cast<size_t>(h * shape.queries + t)] != -k_inf;
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

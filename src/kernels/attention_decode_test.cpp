#include "kernels/attention_decode.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "kernels/test_cache.h"
#include "limpid/error.h"

namespace limpid::kernels {
namespace {

using testing::at_any_threads;
using testing::Draw;
using testing::on_every_isa;
using testing::same_bits;
using testing::TestCache;

constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();
constexpr float k_inf = std::numeric_limits<float>::infinity();
constexpr DType k_types[] = {DType::f32, DType::bf16, DType::f16, DType::i8};

struct Options {
  DType k = DType::f32, v = DType::f32;
  int64_t page_keys = 0, window = 0;
  bool causal = false, ragged = false, slopes = false, sinks = false;
  float softcap = 0, size = 1;
};

struct Results {
  std::vector<float> z, lse;  // [B,T,H,Dv], [B,H,T]
  std::vector<float> all() const {
    std::vector<float> joined = z;
    joined.insert(joined.end(), lse.begin(), lse.end());
    return joined;
  }
};

Results run(DecodeArgs args) {
  const AttentionShape& s = args.shape;
  Results r;
  r.z.assign(static_cast<size_t>(s.batch * s.queries * s.heads * s.value_width), 7);
  r.lse.assign(static_cast<size_t>(s.batch * s.heads * s.queries), 7);
  std::vector<float> partials(static_cast<size_t>(decode_partials(s)), k_nan);
  args.z = r.z.data(), args.lse = r.lse.data(), args.partials = partials.data();
  args.z_at = {s.queries * s.heads * s.value_width, s.heads * s.value_width, s.value_width};
  launch(AttentionDecode(args));
  launch(AttentionDecodeMerge(args));
  return r;
}

struct Case {
  AttentionShape shape;
  Options options;
  std::vector<float> q, k_rows, v_rows, slopes, sinks;  // [B,T,H,D], [B,S,G,D], [B,S,G,Dv]
  std::vector<double> k_held, v_held;
  std::vector<int64_t> lengths, firsts;
  TestCache k, v;

  Case(Draw& draw, AttentionShape s, Options o)
      : shape(s),
        options(o),
        q(draw.reals(s.batch * s.queries * s.heads * s.width, -o.size, o.size)),
        k_rows(draw.reals(s.batch * s.keys * s.key_heads * s.width, -o.size, o.size)),
        v_rows(draw.reals(s.batch * s.keys * s.key_heads * s.value_width)),
        k(draw, o.k, s.batch, s.keys, s.key_heads, s.width, o.page_keys),
        v(draw, o.v, s.batch, s.keys, s.key_heads, s.value_width, o.page_keys) {
    if (o.slopes) slopes = draw.reals(s.heads, 0, 0.5f);
    if (o.sinks) sinks = draw.reals(s.heads, -3, 3);
    for (int64_t b = 0; b < s.batch; ++b) {
      lengths.push_back(o.ragged ? draw.whole(0, s.keys) : s.keys);
      firsts.push_back(lengths.back() - s.queries + (draw.whole(0, 4) == 0 ? draw.whole(-3, 3) : 0));
    }
    fill();
  }

  // Only rows below their length are put into the cache.  What it then holds is read back once.
  void fill() {
    k_held.assign(k_rows.size(), k_nan), v_held.assign(v_rows.size(), k_nan);
    for (int64_t b = 0; b < shape.batch; ++b) {
      for (int64_t s = 0; s < length(b); ++s) {
        for (int64_t g = 0; g < shape.key_heads; ++g) {
          const int64_t row = (b * shape.keys + s) * shape.key_heads + g;
          k.put(b, s, g, k_rows.data() + row * shape.width);
          v.put(b, s, g, v_rows.data() + row * shape.value_width);
          for (int64_t d = 0; d < shape.width; ++d)
            k_held[static_cast<size_t>(row * shape.width + d)] = k.number(b, s, g, d);
          for (int64_t d = 0; d < shape.value_width; ++d)
            v_held[static_cast<size_t>(row * shape.value_width + d)] = v.number(b, s, g, d);
        }
      }
      k.cut(b, length(b));
      v.cut(b, length(b));
    }
  }

  DecodeArgs args() {
    DecodeArgs a;
    a.shape = shape;
    a.q = q.data();
    a.q_at = {shape.queries * shape.heads * shape.width, shape.heads * shape.width, shape.width};
    a.keys = k.cache(), a.values = v.cache();
    a.scale = scale();
    a.softcap = options.softcap, a.causal = options.causal, a.window = options.window;
    a.first_queries = firsts.data(), a.key_lengths = lengths.data();
    a.slopes = slopes.empty() ? nullptr : slopes.data();
    a.sinks = sinks.empty() ? nullptr : sinks.data();
    return a;
  }
  float scale() const { return 1 / std::sqrt(static_cast<float>(shape.width)); }
  int64_t length(int64_t b) const { return lengths[static_cast<size_t>(b)]; }
  int64_t position(int64_t b, int64_t t) const { return firsts[static_cast<size_t>(b)] + t; }
  bool sees(int64_t b, int64_t t, int64_t s) const {
    const int64_t p = position(b, t);
    return s < length(b) && (!options.causal || s <= p) && (options.window == 0 || s > p - options.window);
  }
  const float* query(int64_t b, int64_t t, int64_t h) const {
    return q.data() + ((b * shape.queries + t) * shape.heads + h) * shape.width;
  }
  void expect_right(const Results& got) {
    for (int64_t b = 0; b < shape.batch; ++b)
      for (int64_t h = 0; h < shape.heads; ++h)
        for (int64_t t = 0; t < shape.queries; ++t) expect_right_row(got, b, h, t);
  }
  void expect_right_row(const Results& got, int64_t b, int64_t h, int64_t t);
};

// The meaning, in double, from what the cache holds, and bounds.  A score is off by at most (D + 8)
// roundings of its terms' size; a weight by that factor; the sums over S keys by S roundings more, and by 4
// for each chunk merged.
void Case::expect_right_row(const Results& got, int64_t b, int64_t h, int64_t t) {
  const double eps = 6e-8;
  const int64_t g = h / (shape.heads / shape.key_heads), width = shape.value_width;
  std::vector<double> score(static_cast<size_t>(shape.keys), -INFINITY), z(static_cast<size_t>(width));
  double top = sinks.empty() ? -INFINITY : static_cast<double>(sinks[static_cast<size_t>(h)]);
  double error = eps * std::abs(sinks.empty() ? 0. : top), biggest = 0;
  for (int64_t s = 0; s < shape.keys; ++s) {
    if (!sees(b, t, s)) continue;
    const double* key = k_held.data() + ((b * shape.keys + s) * shape.key_heads + g) * shape.width;
    double x = 0, size = 0;
    for (int64_t d = 0; d < shape.width; ++d) {
      const double term = query(b, t, h)[d] * key[d];
      x += term, size += std::abs(term);
    }
    x *= scale();
    double off = (static_cast<double>(shape.width) + 8) * eps * scale() * size;
    if (options.softcap > 0)
      x = options.softcap * std::tanh(x / options.softcap), off += 8 * eps * std::abs(x);
    if (!slopes.empty()) {
      const double less = slopes[static_cast<size_t>(h)] * static_cast<double>(position(b, t) - s);
      x -= less, off += 2 * eps * std::abs(less);
    }
    score[static_cast<size_t>(s)] = x;
    top = std::max(top, x);
    error = std::max(error, off + 4 * eps * std::abs(x));
  }
  double total = sinks.empty() ? 0 : std::exp(sinks[static_cast<size_t>(h)] - top);
  for (int64_t s = 0; s < shape.keys; ++s) {
    if (score[static_cast<size_t>(s)] == -INFINITY) continue;
    const double weight = std::exp(score[static_cast<size_t>(s)] - top);
    const double* value = v_held.data() + ((b * shape.keys + s) * shape.key_heads + g) * width;
    total += weight;
    for (int64_t d = 0; d < width; ++d) {
      z[static_cast<size_t>(d)] += weight * value[d];
      biggest = std::max(biggest, std::abs(value[d]));
    }
  }
  const double chunks = static_cast<double>(shape.keys) / 512 + 1;
  const double spread = 4 * error + (static_cast<double>(shape.keys) + 4 * chunks + 16) * eps;
  const float lse = got.lse[static_cast<size_t>((b * shape.heads + h) * shape.queries + t)];
  if (total == 0) {
    ASSERT_EQ(lse, -INFINITY) << "row " << t;
  } else {
    ASSERT_NEAR(lse, top + std::log(total), spread + 1e-6 * std::abs(top)) << "row " << t << " head " << h;
  }
  const float* row = got.z.data() + ((b * shape.queries + t) * shape.heads + h) * width;
  for (int64_t d = 0; d < width; ++d) {
    const double expected = total == 0 ? 0 : z[static_cast<size_t>(d)] / total;
    ASSERT_NEAR(row[d], expected, spread * biggest) << "row " << t << " head " << h;
  }
}

Options drawn_options(Draw& draw) {
  Options o;
  o.k = k_types[draw.whole(0, 3)], o.v = k_types[draw.whole(0, 3)];
  o.page_keys = draw.whole(0, 1) ? draw.whole(1, 70) : 0;
  o.causal = draw.whole(0, 1);
  o.window = draw.whole(0, 3) == 0 ? draw.whole(1, 40) : 0;
  o.ragged = draw.whole(0, 1);
  o.slopes = draw.whole(0, 3) == 0;
  o.sinks = draw.whole(0, 3) == 0;
  o.softcap = draw.whole(0, 3) == 0 ? draw.real(0.5f, 20) : 0;
  o.size = draw.whole(0, 2) == 0 ? 5.f : 1.f;
  return o;
}

RC_GTEST_PROP(AttentionDecode, DrawnShapes, ()) {
  Draw draw(*rc::gen::arbitrary<uint32_t>());
  AttentionShape s;
  s.batch = *rc::gen::inRange<int64_t>(1, 3);
  s.queries = *rc::gen::inRange<int64_t>(0, 8);
  s.keys = *rc::gen::inRange<int64_t>(0, 1100);
  s.key_heads = *rc::gen::inRange<int64_t>(1, 3);
  s.heads = s.key_heads * *rc::gen::inRange<int64_t>(1, 5);
  s.width = *rc::gen::element<int64_t>(1, 7, 16, 20, 33, 64);
  s.value_width = *rc::gen::element<int64_t>(1, 9, 16, 24, 47, 64);
  const Options options = drawn_options(draw);
  on_every_isa([&](const std::string&) {
    Case c(draw, s, options);
    c.expect_right(run(c.args()));
  });
  RC_ASSERT(!::testing::Test::HasFailure());
}

// Every type with every number of rows at once, at whole vectors and beside them.
TEST(AttentionDecode, EveryTypeGroupAndLength) {
  on_every_isa([](const std::string&) {
    Draw draw(21);
    for (DType type : k_types) {
      for (int64_t group : {1, 2, 3, 4, 5, 6, 7, 8}) {
        Options o;
        o.k = o.v = type;
        o.causal = true;
        o.page_keys = group % 2 ? 0 : 48;
        const int64_t width = group % 3 ? 32 : 20, queries = group == 1 ? 16 : 1;
        const std::vector<int64_t> lengths = {0, 1, 64, 127, 128, 129, 384, 511, 512, 513, 600};
        const auto batch = static_cast<int64_t>(lengths.size());
        Case c(draw, {batch, queries, 600, group, 1, width, width + 16}, o);
        c.lengths = lengths;
        for (size_t b = 0; b < lengths.size(); ++b) c.firsts[b] = lengths[b] - queries;
        c.fill();
        SCOPED_TRACE(join(name(type), " group ", group));
        c.expect_right(run(c.args()));
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  });
}

// Keys seen lie in a chunk's slots with gaps, whose pattern differs for every length and window.
TEST(AttentionDecode, EveryLengthAndManyWindowsOfAChunk) {
  on_every_isa([](const std::string&) {
    Draw draw(25);
    for (int64_t group : {1, 2, 4}) {
      SCOPED_TRACE(join("group ", group));
      Options o;
      o.causal = true;
      Case lengths(draw, {513, 1, 513, group, 1, 16, 8}, o);
      for (size_t b = 0; b < 513; ++b) lengths.firsts[b] = static_cast<int64_t>(b);
      lengths.expect_right(run(lengths.args()));

      Case windows(draw, {13, 1, 512, group, 1, 16, 8}, o);
      for (size_t b = 0; b < 13; ++b) windows.firsts[b] = 499 + static_cast<int64_t>(b);
      for (windows.options.window = 370; windows.options.window <= 512; ++windows.options.window)
        windows.expect_right(run(windows.args()));
      if (::testing::Test::HasFatalFailure()) return;
    }
  });
}

TEST(AttentionDecode, WidthsAndGroupings) {
  on_every_isa([](const std::string&) {
    Draw draw(22);
    const AttentionShape shapes[] = {{1, 2, 90, 65, 5, 40, 72},
                                     {2, 1, 70, 27, 1, 64, 64},
                                     {1, 1, 130, 2, 1, 576, 512},
                                     {1, 3, 300, 3, 3, 128, 128},
                                     {1, 1, 1100, 8, 2, 128, 128}};
    for (const AttentionShape& s : shapes) {
      for (DType type : k_types) {
        Options o = drawn_options(draw);
        o.k = o.v = type;
        Case c(draw, s, o);
        c.expect_right(run(c.args()));
      }
    }
  });
}

// Law 3: the same bits at any thread count, whether the keys are split or not, alone or among other batch
// rows, heads and queries, in a longer cache, and with any pages.
TEST(AttentionDecode, ARowHasTheSameBitsHoweverItIsRun) {
  on_every_isa([](const std::string&) {
    Draw draw(23);
    for (DType type : k_types) {
      for (int round = 0; round < 4; ++round) {
        Options o = drawn_options(draw);
        o.k = o.v = type;
        o.causal = true;
        o.ragged = o.slopes = o.sinks = false;
        const int64_t keys = draw.whole(500, 1100), queries = draw.whole(1, 5), width = round % 2 ? 64 : 24;
        Case all(draw, {1, queries, keys, 4, 1, width, width}, o);
        all.firsts[0] = keys - queries;
        const std::vector<float> whole = at_any_threads([&] { return run(all.args()).z; });

        // One query of one head, in another layout of a longer cache, in a batch so large that it is not
        // split.
        for (int64_t page_keys : {0, 1, 7, 64, 100}) {
          const int64_t batch = page_keys == 7 ? 34 : 1, longer = keys + draw.whole(0, 500);
          const int64_t b = batch - 1, t = draw.whole(0, queries - 1), h = draw.whole(0, 3);
          const AttentionShape shape{batch, 1, longer, 1, 1, width, width};
          EXPECT_EQ(decode_partials(shape) > 0, batch == 1);
          std::vector<float> q = draw.reals(batch * width);
          std::copy_n(all.query(0, t, h), width, q.begin() + b * width);
          TestCache k(draw, type, batch, longer, 1, width, page_keys);
          TestCache v(draw, type, batch, longer, 1, width, page_keys);
          for (int64_t s = 0; s <= all.position(0, t); ++s) {
            k.put(b, s, 0, all.k_rows.data() + s * width);
            v.put(b, s, 0, all.v_rows.data() + s * width);
          }
          std::vector<int64_t> lengths(static_cast<size_t>(batch), 0), firsts = lengths;
          lengths.back() = draw.whole(all.position(0, t) + 1, longer);
          firsts.back() = all.position(0, t);
          DecodeArgs args = all.args();
          args.shape = shape;
          args.q = q.data();
          args.q_at = {width, width, width};
          args.keys = k.cache(), args.values = v.cache();
          args.key_lengths = lengths.data(), args.first_queries = firsts.data();
          const Results got = run(args);
          EXPECT_TRUE(same_bits(got.z.data() + b * width, whole.data() + (t * 4 + h) * width, width))
              << name(type) << " page " << page_keys << " width " << width << " t " << t;
        }
      }
    }
  });
}

// Law 6: NaN and infinity in a key or value reach exactly the rows that see it.
TEST(AttentionDecode, NaNStaysWhereItIsSeen) {
  on_every_isa([](const std::string&) {
    Draw draw(24);
    for (int round = 0; round < 60; ++round) {
      Options o = drawn_options(draw);
      o.causal = true;
      o.softcap = 0;  // tanh(inf) is finite
      o.k = k_types[draw.whole(0, 2)], o.v = k_types[draw.whole(0, 2)];
      const AttentionShape s{2, draw.whole(1, 9), draw.whole(1, 700), 4, 2, 20, 16};
      Case c(draw, s, o);
      const Results before = run(c.args());
      const int64_t b = draw.whole(0, 1);
      if (c.length(b) == 0) continue;
      const int64_t bad = c.length(b) - 1 - draw.whole(0, std::min<int64_t>(c.length(b) - 1, 12));
      std::vector<float> row(20, round % 2 ? k_nan : k_inf);
      (round % 4 < 2 ? c.k : c.v).put(b, bad, 1, row.data());
      const Results after = run(c.args());
      for (int64_t r = 0; r < s.batch * s.queries * s.heads; ++r) {
        const int64_t h = r % s.heads, t = r / s.heads % s.queries;
        const bool struck = r / s.heads / s.queries == b && h >= 2 && c.sees(b, t, bad);
        const float* z = after.z.data() + r * 16;
        if (!struck) {
          EXPECT_TRUE(same_bits(z, before.z.data() + r * 16, 16)) << "row " << r;
        } else if (round % 2) {
          EXPECT_TRUE(std::all_of(z, z + 16, [](float x) { return std::isnan(x); })) << "row " << r;
        } else if (round % 4 == 2) {  // an infinite value with a weight above 0
          EXPECT_TRUE(std::none_of(z, z + 16, [](float x) { return std::isfinite(x); })) << "row " << r;
        }
      }
    }
  });
}

TEST(AttentionDecode, ARowThatSeesNothingIsZero) {
  on_every_isa([](const std::string&) {
    Draw draw(25);
    for (int64_t keys : {0, 5, 1500}) {
      Case c(draw, {2, 3, keys, 2, 1, 16, 8}, {});
      c.lengths = {0, keys};
      const Results got = run(c.args());
      for (int64_t i = 0; i < 6 * 8; ++i) EXPECT_EQ(got.z[static_cast<size_t>(i)], 0.f);
      for (int64_t i = 0; i < 6; ++i) EXPECT_EQ(got.lse[static_cast<size_t>(i)], -k_inf);
      c.expect_right(got);
      c.sinks = {1.5f, -2};
      c.expect_right(run(c.args()));
    }
  });
}

TEST(AttentionDecode, LargeScoresStayExact) {
  on_every_isa([](const std::string&) {
    Draw draw(26);
    Case c(draw, {1, 1, 1200, 1, 1, 16, 8}, {});
    for (float& x : c.q) x *= 100;
    for (float& x : c.k_rows) x *= 100;  // scores of some 1e4
    const int64_t best = 700;
    for (int64_t d = 0; d < 16; ++d)
      c.k_rows[static_cast<size_t>(best * 16 + d)] = 3 * c.q[static_cast<size_t>(d)];
    c.fill();
    const Results got = run(c.args());
    EXPECT_TRUE(same_bits(got.z.data(), c.v_rows.data() + best * 8, 8));
  });
}

// q and z of 16 bits: those of 32, rounded.
TEST(AttentionDecode, QueriesAndResultsOfSixteenBits) {
  on_every_isa([](const std::string&) {
    Draw draw(27);
    Case c(draw, {1, 2, 90, 4, 2, 24, 24}, {DType::bf16, DType::f16});
    std::vector<bf16> q;
    for (float& x : c.q) {
      q.push_back(to_bf16(x));
      x = to_float(q.back());
    }
    const Results expected = run(c.args());
    DecodeArgs args = c.args();
    std::vector<f16> z(expected.z.size());
    std::vector<float> lse(expected.lse.size()), partials(static_cast<size_t>(decode_partials(c.shape)));
    args.type = DType::bf16, args.q = q.data();
    args.z_type = DType::f16, args.z = z.data(), args.z_at = args.q_at;
    args.lse = lse.data(), args.partials = partials.data();
    launch(AttentionDecode(args));
    launch(AttentionDecodeMerge(args));
    for (size_t i = 0; i < z.size(); ++i) EXPECT_EQ(z[i].bits, to_f16(expected.z[i]).bits);
    EXPECT_TRUE(same_bits(lse, expected.lse));
  });
}

}  // namespace
}  // namespace limpid::kernels

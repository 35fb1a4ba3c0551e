#include "kernels/attention_window.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "kernels/test_helpers.h"
#include "limpid/error.h"
#include "limpid/random.h"

namespace limpid::kernels {
namespace {

using testing::at_any_threads;
using testing::Draw;
using testing::on_every_isa;
using testing::same_bits;

constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();
constexpr float k_inf = std::numeric_limits<float>::infinity();
constexpr double k_round = 0x1p-24;  // one rounding, relative
constexpr AttentionStage k_stages[] = {AttentionStage::raw_scores, AttentionStage::scaled_scores,
                                       AttentionStage::capped_scores, AttentionStage::scores,
                                       AttentionStage::pattern};

// [batch][row][head][width] of f32, bf16 or f16, heads apart or together; the floats are what is stored.
struct Rows {
  HeadStrides at;
  std::vector<float> values;
  std::vector<uint16_t> halves;
  const void* data = nullptr;

  Rows(Draw& draw, DType type, int64_t batch, int64_t rows, int64_t heads, int64_t width) {
    if (draw.whole(0, 1)) {
      at = {heads * rows * width, width, rows * width};
    } else {
      at = {rows * heads * width, heads * width, width};
    }
    values = draw.reals(std::max<int64_t>(1, batch * rows * heads * width));
    for (float& x : values) {
      if (type == DType::bf16) halves.push_back(to_bf16(x).bits), x = to_float(to_bf16(x));
      if (type == DType::f16) halves.push_back(to_f16(x).bits), x = to_float(to_f16(x));
    }
    data = halves.empty() ? static_cast<const void*>(values.data()) : halves.data();
  }
  const float* row(int64_t b, int64_t r, int64_t h) const {
    return values.data() + b * at.batch + r * at.row + h * at.head;
  }
};

double dot(const float* a, const float* b, int64_t n, bool magnitude = false) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double term = static_cast<double>(a[i]) * b[i];
    sum += magnitude ? std::abs(term) : term;
  }
  return sum;
}

// One attention with drawn options, its forward results, and the meaning of every cell in double.
struct Case {
  AttentionShape shape;
  AttentionArgs args;
  Rows q, k, v, dz, z;
  std::vector<float> slopes, distances, bias, sinks, lse, lse_rest;
  std::vector<int64_t> firsts, lengths, query_documents, key_documents, query_places, key_places;
  std::unique_ptr<bool[]> allowed;

  Case(Draw& draw, const AttentionShape& s, DType type)
      : shape(s),
        q(draw, type, s.batch, s.queries, s.heads, s.width),
        k(draw, type, s.batch, s.keys, s.key_heads, s.width),
        v(draw, type, s.batch, s.keys, s.key_heads, s.value_width),
        dz(draw, DType::f32, s.batch, s.queries, s.heads, s.value_width),
        z(draw, DType::f32, s.batch, s.queries, s.heads, s.value_width) {
    const auto sometimes = [&](int64_t of) { return draw.whole(1, of) == 1; };
    args.shape = s;
    args.type = type;
    args.q = q.data, args.k = k.data, args.v = v.data, args.z = z.values.data();
    args.q_at = q.at, args.k_at = k.at, args.v_at = v.at, args.z_at = z.at;
    args.scale = draw.real(0.2f, 2);
    if (sometimes(3)) args.softcap = draw.real(0.5f, 5);
    args.causal = sometimes(2);
    if (sometimes(3)) args.window = draw.whole(1, 40);
    if (sometimes(4)) args.window_after = draw.whole(0, 30);
    args.symmetric_slopes = sometimes(2);
    if (sometimes(4)) args.first_query = draw.whole(-4, s.keys + 4);
    if (sometimes(4)) args.dropout = 0.25f, args.seed = draw.bits(), args.step = 3;
    if (sometimes(4)) {
      for (int64_t b = 0; b < s.batch; ++b) {
        lengths.push_back(draw.whole(0, s.keys));
        firsts.push_back(lengths.back() - s.queries);
      }
      args.first_queries = firsts.data(), args.key_lengths = lengths.data();
    }
    if (sometimes(4)) {
      for (int64_t i = 0; i < s.batch * s.queries; ++i) query_documents.push_back(draw.whole(0, 2));
      for (int64_t i = 0; i < s.batch * s.keys; ++i) key_documents.push_back(draw.whole(0, 2));
      args.query_documents = query_documents.data(), args.key_documents = key_documents.data();
    }
    if (sometimes(4)) {
      allowed = std::make_unique<bool[]>(static_cast<size_t>(s.heads * s.queries * s.keys + 1));
      for (int64_t i = 0; i < s.heads * s.queries * s.keys; ++i)
        allowed[static_cast<size_t>(i)] = !sometimes(4);
      args.allowed = allowed.get(), args.allowed_at = {0, s.keys, s.queries * s.keys};
    }
    if (sometimes(4)) {
      bias = draw.reals(s.heads * s.queries * s.keys + 1);
      for (float& x : bias) x = sometimes(9) ? -k_inf : x;
      args.bias = bias.data(), args.bias_at = {0, s.keys, s.queries * s.keys};
    }
    if (sometimes(4)) slopes = draw.reals(s.heads, 0, 0.4f), args.slopes = slopes.data();
    if (sometimes(4)) sinks = draw.reals(s.heads), args.sinks = sinks.data();
    if (sometimes(4)) {
      const int64_t reach = s.queries + 2 * s.keys + 8;
      distances = draw.reals(s.heads * 2 * reach);
      args.distances = distances.data(), args.distances_head = 2 * reach, args.least_distance = -reach;
      if (sometimes(2)) {
        for (int64_t t = 0; t < s.queries; ++t) query_places.push_back(draw.whole(0, s.queries));
        for (int64_t key = 0; key < s.keys; ++key) key_places.push_back(draw.whole(0, s.keys));
        args.query_places = query_places.data(), args.key_places = key_places.data();
      }
    }
    lse.assign(static_cast<size_t>(s.batch * s.heads * s.queries) + 1, 0);
    lse_rest = lse;
    args.lse = lse.data(), args.lse_rest = lse_rest.data();
    launch(AttentionForward(args));
  }
  Case(const Case&) = delete;

  int64_t position(int64_t b, int64_t t) const {
    const int64_t first = args.first_query.value_or(shape.keys - shape.queries);
    return t + (firsts.empty() ? first : firsts[static_cast<size_t>(b)]);
  }
  int64_t cell(int64_t h, int64_t t, int64_t s) const { return (h * shape.queries + t) * shape.keys + s; }
  bool sees(int64_t b, int64_t h, int64_t t, int64_t s) const {
    const int64_t p = position(b, t);
    if (!lengths.empty() && s >= lengths[static_cast<size_t>(b)]) return false;
    if ((args.causal && s > p) || (args.window > 0 && s <= p - args.window)) return false;
    if (args.window_after && s > p + *args.window_after) return false;
    if (args.query_documents &&
        args.query_documents[b * shape.queries + t] != args.key_documents[b * shape.keys + s])
      return false;
    if (args.allowed && !args.allowed[cell(h, t, s)]) return false;
    return !args.bias || args.bias[cell(h, t, s)] != -k_inf;
  }
  double kept(int64_t b, int64_t h, int64_t t, int64_t s) const {
    if (!(args.dropout > 0)) return 1;
    const auto at = static_cast<uint64_t>(((b * shape.heads + h) * shape.queries + t) * shape.keys + s);
    const double draw = random_words(args.seed, args.stream, args.step, at / 4)[at % 4] * 0x1p-32;
    return draw >= args.dropout ? 1 / (1 - static_cast<double>(args.dropout)) : 0;
  }

  // A number, and how far ours may be from it.
  struct Number {
    double value, bound;
  };
  Number meaning(AttentionStage stage, bool gradient, int64_t b, int64_t h, int64_t t, int64_t s) const;

  // The window as one [B,heads,T,S] vector, computed into a larger buffer whose other numbers must stay.
  std::vector<float> window(AttentionCells c) const {
    const int64_t rows = c.t1 - c.t0, columns = c.s1 - c.s0, heads = c.head1 - c.head0, gap = 3;
    std::vector<float> all(static_cast<size_t>(shape.batch * heads * (rows * (columns + gap) + gap) + gap),
                           9);
    c.to_at = {heads * (rows * (columns + gap) + gap), columns + gap, rows * (columns + gap) + gap};
    c.to = all.data() + gap;
    c.dz = dz.values.data(), c.dz_at = dz.at;
    launch(AttentionWindow(args, c));
    std::vector<float> out;
    for (int64_t b = 0; b < shape.batch; ++b) {
      for (int64_t h = 0; h < heads; ++h) {
        for (int64_t t = 0; t < rows; ++t) {
          float* row = c.to + b * c.to_at.batch + h * c.to_at.head + t * c.to_at.row;
          out.insert(out.end(), row, row + columns);
          std::fill_n(row, columns, 9.f);
        }
      }
    }
    EXPECT_TRUE(std::all_of(all.begin(), all.end(), [](float x) { return x == 9; })) << "wrote beside it";
    return out;
  }
  AttentionCells whole(AttentionStage stage, bool gradient) const {
    AttentionCells c;
    c.stage = stage, c.gradient = gradient;
    c.head1 = shape.heads, c.t1 = shape.queries, c.s1 = shape.keys;
    return c;
  }
};

// Bounds count roundings: a dot product of n terms takes n + 1 of its terms' size; tanh and 2^x are within 4
// and 3 ulp, 8 and 6 roundings; a difference in an exponent is a relative error of the weight.
Case::Number Case::meaning(AttentionStage stage, bool gradient, int64_t b, int64_t h, int64_t t,
                           int64_t s) const {
  const int64_t g = h / (shape.heads / shape.key_heads);
  const float *qr = q.row(b, t, h), *kr = k.row(b, s, g), *vr = v.row(b, s, g), *dzr = dz.row(b, t, h);
  const double scale = args.scale, cap = args.softcap;
  const auto D = static_cast<double>(shape.width), Dv = static_cast<double>(shape.value_width);
  const double raw = dot(qr, kr, shape.width), size = dot(qr, kr, shape.width, true);
  if (!gradient && stage == AttentionStage::raw_scores) return {raw, (D + 1) * k_round * size};
  const double scaled = scale * raw, scaled_bound = (D + 5) * k_round * scale * size;
  if (!gradient && stage == AttentionStage::scaled_scores) return {scaled, scaled_bound};
  const double y = cap > 0 ? std::tanh(scaled / cap) : 0, capped = cap > 0 ? cap * y : scaled;
  const double capped_bound = scaled_bound + (cap > 0 ? 14 * k_round * std::abs(scaled) : 0);
  if (!gradient && stage == AttentionStage::capped_scores) return {capped, capped_bound};

  const bool seen = sees(b, h, t, s);
  const double dp = kept(b, h, t, s) * dot(dzr, vr, shape.value_width),
               dp_bound = kept(b, h, t, s) * (Dv + 4) * k_round * dot(dzr, vr, shape.value_width, true);
  if (gradient && stage == AttentionStage::pattern) return {dp, dp_bound};
  if (!seen) return {!gradient && stage == AttentionStage::scores ? -k_inf : 0, 0};

  const double far = static_cast<double>(position(b, t) - s);
  double score = capped, terms = std::abs(capped);
  const auto plus = [&](double x) { score += x, terms += std::abs(x); };
  if (args.bias) plus(args.bias[cell(h, t, s)]);
  if (args.slopes) plus(-static_cast<double>(args.slopes[h]) * (args.symmetric_slopes ? std::abs(far) : far));
  if (args.distances) {
    const int64_t distance =
        args.query_places ? args.query_places[t] - args.key_places[s] : position(b, t) - s;
    plus(args.distances[h * args.distances_head + distance - args.least_distance]);
  }
  const double score_bound = capped_bound + 5 * k_round * terms;
  if (!gradient && stage == AttentionStage::scores) return {score, score_bound};

  const size_t row = static_cast<size_t>((b * shape.heads + h) * shape.queries + t);
  const double from = static_cast<double>(lse[row]) + lse_rest[row], weight = std::exp(score - from);
  const double spread = 2 * (score_bound + k_round * (4 * terms + 4 * std::abs(from) + 8));  // of a weight
  if (!gradient) return {weight, weight * spread + 1e-37};

  const float* zr = z.row(b, t, h);
  const double delta = dot(dzr, zr, shape.value_width);
  const double inner = dp_bound + (Dv + 2) * k_round * dot(dzr, zr, shape.value_width, true) +
                       2 * k_round * std::abs(dp - delta);
  double value = weight * (dp - delta), bound = std::abs(value) * spread + weight * inner + 1e-37;
  if (cap > 0 && stage <= AttentionStage::scaled_scores) {
    const double slope = 1 - y * y, slope_bound = 2 * (capped_bound / cap + 9 * k_round) + 2 * k_round;
    bound = bound * (slope + slope_bound) + std::abs(value) * slope_bound;
    value *= slope;
  }
  if (stage == AttentionStage::raw_scores) value *= scale, bound = bound * scale + std::abs(value) * k_round;
  return {value, bound + 2 * k_round * std::abs(value)};
}

AttentionShape drawn_shape(Draw& draw, int64_t queries, int64_t keys) {
  AttentionShape s;
  s.batch = draw.whole(1, 2);
  s.queries = draw.whole(1, queries), s.keys = draw.whole(1, keys);
  s.key_heads = draw.whole(1, 2), s.heads = s.key_heads * draw.whole(1, 3);
  s.width = draw.whole(1, 40), s.value_width = draw.whole(1, 40);
  return s;
}

constexpr DType k_types[] = {DType::f32, DType::f32, DType::bf16, DType::f16};

RC_GTEST_PROP(AttentionWindow, EveryCellMeansWhatItSays, ()) {
  Draw draw(*rc::gen::arbitrary<uint32_t>());
  const AttentionShape shape = drawn_shape(draw, 40, 60);
  const DType type = k_types[draw.whole(0, 3)];
  on_every_isa([&](const std::string&) {
    Case c(draw, shape, type);
    for (AttentionStage stage : k_stages) {
      for (bool gradient : {false, true}) {
        const std::vector<float> got = c.window(c.whole(stage, gradient));
        SCOPED_TRACE(join("stage ", static_cast<int>(stage), gradient ? ".grad" : ""));
        size_t i = 0;
        for (int64_t b = 0; b < shape.batch; ++b) {
          for (int64_t h = 0; h < shape.heads; ++h) {
            for (int64_t t = 0; t < shape.queries; ++t) {
              for (int64_t s = 0; s < shape.keys; ++s, ++i) {
                const Case::Number is = c.meaning(stage, gradient, b, h, t, s);
                if (is.bound == 0) {
                  ASSERT_EQ(got[i], is.value) << b << " " << h << " " << t << " " << s;
                } else {
                  ASSERT_NEAR(got[i], is.value, is.bound) << b << " " << h << " " << t << " " << s;
                }
              }
            }
          }
        }
      }
    }
  });
  RC_ASSERT(!::testing::Test::HasFailure());
}

// Whatever a score is off by: its bits are those that lse was made of.  With a sink the row lacks its share.
TEST(AttentionWindow, RowsOfThePatternAddUpToOne) {
  on_every_isa([](const std::string& isa) {
    Draw draw(21);
    for (int round = 0; round < 12; ++round) {
      Case c(draw, drawn_shape(draw, 90, isa == "plain" ? 100 : 700), k_types[round % 4]);
      const std::vector<float> got = c.window(c.whole(AttentionStage::pattern, false));
      for (size_t row = 0; row + 1 < c.lse.size(); ++row) {
        const int64_t keys = c.shape.keys;
        double sum = 0;
        for (int64_t s = 0; s < keys; ++s)
          sum += got[row * static_cast<size_t>(keys) + static_cast<size_t>(s)];
        const size_t head = row / static_cast<size_t>(c.shape.queries) % static_cast<size_t>(c.shape.heads);
        const double lse = static_cast<double>(c.lse[row]) + c.lse_rest[row],
                     expected = lse == -k_inf     ? 0
                                : c.sinks.empty() ? 1
                                                  : 1 - std::exp(c.sinks[head] - lse);
        ASSERT_NEAR(sum, expected, lse == -k_inf ? 0 : 3e-6) << "row " << row;
      }
    }
  });
}

TEST(AttentionWindow, ACellHasTheSameBitsInEveryWindow) {
  on_every_isa([](const std::string& isa) {
    Draw draw(22);
    for (int round = 0; round < 10; ++round) {
      Case c(draw, drawn_shape(draw, 150, isa == "plain" ? 120 : 900), k_types[round % 4]);
      const AttentionShape& shape = c.shape;
      for (AttentionStage stage : k_stages) {
        for (bool gradient : {false, true}) {
          const std::vector<float> all = c.window(c.whole(stage, gradient));
          for (int piece = 0; piece < 4; ++piece) {
            AttentionCells part = c.whole(stage, gradient);
            part.head0 = draw.whole(0, shape.heads - 1), part.head1 = draw.whole(part.head0 + 1, shape.heads);
            part.t0 = draw.whole(0, shape.queries - 1), part.t1 = draw.whole(part.t0 + 1, shape.queries);
            part.s0 = draw.whole(0, shape.keys - 1), part.s1 = draw.whole(part.s0 + 1, shape.keys);
            if (piece == 0) part.t1 = part.t0 + 1;  // one row
            if (piece == 1) part.s1 = part.s0 + 1;  // one column
            const std::vector<float> got = c.window(part);
            const int64_t columns = part.s1 - part.s0;
            const float* row = got.data();
            for (int64_t b = 0; b < shape.batch; ++b) {
              for (int64_t h = part.head0; h < part.head1; ++h) {
                for (int64_t t = part.t0; t < part.t1; ++t, row += columns) {
                  const float* from =
                      all.data() + b * shape.heads * shape.queries * shape.keys + c.cell(h, t, part.s0);
                  ASSERT_TRUE(same_bits(row, from, columns))
                      << "stage " << static_cast<int>(stage) << " row " << t;
                }
              }
            }
          }
        }
      }
    }
  });
}

// The number that the forward pass ranks by is the cell's own.
TEST(AttentionWindow, TheLargestWeightsHaveTheBitsOfTheirCells) {
  on_every_isa([](const std::string& isa) {
    Draw draw(27);
    for (int round = 0; round < 24; ++round) {
      Case c(draw, drawn_shape(draw, 150, isa == "plain" ? 120 : 500), k_types[round % 4]);
      const std::vector<float> pattern = c.window(c.whole(AttentionStage::pattern, false));
      const int64_t top = draw.whole(1, 12);
      std::vector<float> weights((c.lse.size() - 1) * static_cast<size_t>(top));
      std::vector<int32_t> keys(weights.size());
      AttentionObservation wanted;
      wanted.top = top, wanted.top_weights = weights.data(), wanted.top_keys = keys.data();
      launch(AttentionForward(c.args, wanted));
      for (size_t i = 0; i < weights.size(); ++i) {
        const size_t row = i / static_cast<size_t>(top);
        const float cell =
            keys[i] < 0 ? 0.f
                        : pattern[row * static_cast<size_t>(c.shape.keys) + static_cast<size_t>(keys[i])];
        ASSERT_TRUE(same_bits(&weights[i], &cell, 1)) << weights[i] << " is not " << cell << ", row " << row;
      }
    }
  });
}

TEST(AttentionWindow, AnEmptyWindowIsNothing) {
  Draw draw(23);
  Case c(draw, {1, 5, 7, 1, 1, 8, 8}, DType::f32);
  AttentionCells none = c.whole(AttentionStage::pattern, false);
  none.t1 = 0;
  EXPECT_TRUE(c.window(none).empty());
  none.t1 = 5, none.s1 = 0;
  EXPECT_TRUE(c.window(none).empty());
}

TEST(AttentionWindow, SameBitsAtAnyThreads) {
  on_every_isa([](const std::string&) {
    Draw draw(24);
    Case c(draw, {2, 130, 150, 4, 2, 24, 20}, DType::f32);
    for (bool gradient : {false, true}) {
      for (AttentionStage stage : k_stages)
        at_any_threads([&] { return c.window(c.whole(stage, gradient)); });
    }
    at_any_threads([&] {
      std::vector<float> mass(2 * 4 * 150);
      launch(AttentionMass(c.args, mass.data()));
      return mass;
    });
  });
}

// Law 6: NaN in a key is in the cells of that key that are seen, and in no other.
TEST(AttentionWindow, NaNStaysWhereItIsSeen) {
  on_every_isa([](const std::string&) {
    Draw draw(25);
    for (int round = 0; round < 20; ++round) {
      Case c(draw, {1, draw.whole(1, 90), draw.whole(1, 130), 2, 1, 20, 17}, DType::f32);
      if (c.args.softcap > 0) continue;  // nothing is different, but lse is kept from before
      const std::vector<float> before = c.window(c.whole(AttentionStage::pattern, false));
      std::vector<float> clean_mass(static_cast<size_t>(2 * c.shape.keys)), mass = clean_mass;
      launch(AttentionMass(c.args, clean_mass.data()));
      const int64_t bad = draw.whole(0, c.shape.keys - 1);
      c.k.values[static_cast<size_t>(bad * c.k.at.row + 3)] = k_nan;
      const std::vector<float> after = c.window(c.whole(AttentionStage::pattern, false));
      launch(AttentionMass(c.args, mass.data()));
      for (int64_t h = 0; h < 2; ++h) {
        bool any = false;
        for (int64_t t = 0; t < c.shape.queries; ++t) {
          const bool empty = c.lse[static_cast<size_t>(h * c.shape.queries + t)] == -k_inf;
          for (int64_t s = 0; s < c.shape.keys; ++s) {
            const auto i = static_cast<size_t>(c.cell(h, t, s));
            if (s == bad && c.sees(0, h, t, s) && !empty) {
              EXPECT_TRUE(std::isnan(after[i]));
              any = true;
            } else {
              ASSERT_TRUE(same_bits(&after[i], &before[i], 1)) << h << " " << t << " " << s;
            }
          }
        }
        for (int64_t s = 0; s < c.shape.keys; ++s) {
          const auto i = static_cast<size_t>(h * c.shape.keys + s);
          if (s == bad && any) {
            EXPECT_TRUE(std::isnan(mass[i]));
          } else {
            ASSERT_TRUE(same_bits(&mass[i], &clean_mass[i], 1)) << "mass " << h << " " << s;
          }
        }
      }
    }
  });
}

TEST(AttentionMass, IsTheSumOfAColumn) {
  on_every_isa([](const std::string& isa) {
    Draw draw(26);
    for (int round = 0; round < 12; ++round) {
      Case c(draw, drawn_shape(draw, 200, isa == "plain" ? 90 : 800), k_types[round % 4]);
      const AttentionShape& shape = c.shape;
      const std::vector<float> pattern = c.window(c.whole(AttentionStage::pattern, false));
      std::vector<float> mass(static_cast<size_t>(shape.batch * shape.heads * shape.keys + 1), 9);
      launch(AttentionMass(c.args, mass.data()));
      EXPECT_EQ(mass.back(), 9);
      const double roundings = static_cast<double>(shape.queries) / (isa == "plain" ? 1 : 8) + 8;
      for (int64_t item = 0; item < shape.batch * shape.heads; ++item) {
        for (int64_t s = 0; s < shape.keys; ++s) {
          double sum = 0;
          for (int64_t t = 0; t < shape.queries; ++t)
            sum += pattern[static_cast<size_t>((item * shape.queries + t) * shape.keys + s)];
          ASSERT_NEAR(mass[static_cast<size_t>(item * shape.keys + s)], sum, sum * k_round * roundings) << s;
        }
      }
    }
    Case none(draw, {1, 1, 7, 1, 1, 8, 8}, DType::f32);  // no queries: nobody gives anything
    none.args.shape.queries = 0;
    std::vector<float> mass(7, 9);
    launch(AttentionMass(none.args, mass.data()));
    EXPECT_EQ(mass, std::vector<float>(7, 0));
  });
}

}  // namespace
}  // namespace limpid::kernels

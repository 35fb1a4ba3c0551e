// What the numbers of decode hold to, on every instruction set: finite answers at the ends of the range of
// floats, NaN that stays where it is seen, sums that forget nothing.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "fused/test_helpers.h"
#include "kernels/test_helpers.h"
#include "limpid/attention.h"

namespace limpid {
namespace {

using namespace testing;
using fused::Attended;
using kernels::testing::on_every_isa;

constexpr float k_nan = std::numeric_limits<float>::quiet_NaN(),
                k_inf = std::numeric_limits<float>::infinity(), k_most = std::numeric_limits<float>::max();
constexpr int64_t k_counts[] = {1, 5, 512, 700, 5000};  // of keys: one chunk, several, and split among tasks

// One query of one head against `keys` rows of 0, with values of 1.
struct Small {
  Tensor q, keys, values;
  std::vector<float> sinks;
  fused::Decode call;

  explicit Small(int64_t count, int64_t width = 3, int64_t value_width = 2)
      : q(DType::f32, {{B, 1}, {T, 1}, {H, 1}, {D, width}}),
        keys(DType::f32, {{B, 1}, {S, count}, {G, 1}, {D, width}}),
        values(DType::f32, {{B, 1}, {S, count}, {G, 1}, {D, value_width}}) {
    fill(values, 1);
  }
  static void fill(Tensor& t, float x) { std::fill_n(t.data<float>(), t.count(), x); }
  void row(Tensor& t, int64_t s, float x) {
    const int64_t width = t.shape()[3].size;
    std::fill_n(t.data<float>() + s * width, width, x);
  }
  Attended run() {
    call.q = q, call.keys = {keys}, call.values = {values};
    call.sinks = sinks;
    return fused::decode(call);
  }
};

void expect_all(const Tensor& z, double expected, double by) {
  for (int64_t i = 0; i < z.count(); ++i) {
    if (std::isnan(expected))
      EXPECT_TRUE(std::isnan(z.data<float>()[i])) << z.data<float>()[i];
    else if (std::isinf(expected) || by == 0)
      EXPECT_EQ(z.data<float>()[i], static_cast<float>(expected));
    else
      EXPECT_NEAR(z.data<float>()[i], expected, by);
  }
}

double precise_lse(const Attended& a) {
  return static_cast<double>(a.lse.data<float>()[0]) + a.lse_rest.data<float>()[0];
}

// ---- finite stays finite -------------------------------------------------------------------------

TEST(DecodeNumbers, SinksWithoutAKey) {
  on_every_isa([](const std::string&) {
    const std::vector<int64_t> none = {0};
    for (float sink : {-k_inf, 3e38f, -3e38f, 0.f, k_most, k_inf}) {
      Small s(5);
      s.sinks = {sink};
      s.call.key_lengths = none;
      const Attended out = s.run();
      expect_all(out.z, 0, 0);
      expect_all(out.lse, sink, 0);
    }
  });
}

TEST(DecodeNumbers, SinksBesideKeys) {
  on_every_isa([](const std::string&) {
    for (int64_t count : k_counts) {
      for (float sink : {-k_inf, 3e38f, -3e38f, 0.f, 2.5f, k_inf}) {
        Small s(count);
        s.sinks = {sink};
        const Attended out = s.run();
        const double keys = static_cast<double>(count), other = std::exp(static_cast<double>(sink));
        expect_all(out.z, keys / (keys + other), 1e-6);
        const double lse = sink > 1e6f ? sink : std::log(keys + other);
        expect_all(out.lse, lse, std::isinf(lse) ? 0 : 1e-6 * std::max(1., std::abs(lse)));
      }
    }
  });
}

TEST(DecodeNumbers, ValuesAtTheEndOfTheRange) {
  on_every_isa([](const std::string&) {
    for (int64_t count : k_counts) {
      for (float value : {3e38f, -3e38f, k_most, 1e-38f}) {
        Small s(count, 3, 9);
        Small::fill(s.values, value);
        expect_all(s.run().z, value, 2e-6 * std::abs(value));
      }
      // Of both signs their mean is finite too.
      Small s(count, 3, 9);
      for (int64_t i = 0; i < count; ++i) s.row(s.values, i, i % 2 ? -3e38f : 3e38f);
      expect_all(s.run().z, count % 2 ? 3e38 / static_cast<double>(count) : 0, 1e-6 * 3e38);
    }
  });
}

TEST(DecodeNumbers, ScoresAtTheEndOfTheRange) {
  on_every_isa([](const std::string&) {
    for (int64_t count : k_counts) {
      for (float score : {3e38f, -3e38f, k_most, -k_most}) {
        Small s(count, 1, 9);
        s.call.scale = 1;
        Small::fill(s.q, 1);
        Small::fill(s.keys, score);
        const Attended out = s.run();
        expect_all(out.z, 1, 1e-6);
        expect_all(out.lse, score, 0);
        EXPECT_NEAR(out.lse_rest.data<float>()[0], std::log(static_cast<double>(count)), 1e-6);
        s.row(s.keys, count - 1, -score);  // one key unlike the others
        s.row(s.values, count - 1, 5);
        expect_all(s.run().z, score < 0 || count == 1 ? 5 : 1, 1e-6);
      }
    }
  });
}

TEST(DecodeNumbers, ASoftcapNearNothing) {
  on_every_isa([](const std::string&) {
    for (double softcap : {1e-40, 1e-38, 1e-20, 1e30}) {
      Small s(9);
      s.call.softcap = softcap;
      Small::fill(s.q, 1);
      for (int64_t i = 0; i < 9; ++i) s.row(s.keys, i, static_cast<float>(i) - 4), s.row(s.values, i, i % 3);
      const Attended out = s.run();
      if (softcap < 1)
        expect_all(out.z, 1, 1e-6);
      else
        EXPECT_TRUE(std::isfinite(out.z.data<float>()[0]));
    }
  });
}

// ---- offsets -------------------------------------------------------------------------------------

TEST(DecodeNumbers, ScoresThatShareAnOffset) {
  on_every_isa([](const std::string&) {
    for (int64_t count : {3, 5, 700}) {
      for (int power : {0, 8, 19, 50, 100}) {  // an offset of 2^power
        for (float sign : {1.f, -1.f}) {
          Small s(count, 64, 4);
          s.call.scale = 1;
          const float offset = sign * std::ldexp(1.f, power);
          s.q.data<float>()[0] = 1;
          for (int64_t i = 0; i < count; ++i) s.keys.data<float>()[i * 64] = offset;
          Attended out = s.run();
          expect_all(out.z, 1, 1e-6);
          const double rest = std::log(static_cast<double>(count));
          EXPECT_NEAR(out.lse.data<float>()[0] - offset + double{out.lse_rest.data<float>()[0]}, rest, 1e-6);
          s.sinks = {offset};  // one key more
          out = s.run();
          expect_all(out.z, static_cast<double>(count) / static_cast<double>(count + 1), 1e-6);
        }
      }
    }
    Small s(5, 64, 64);  // q = k = v = 256
    for (Tensor* t : {&s.q, &s.keys, &s.values}) Small::fill(*t, 256);
    expect_all(s.run().z, 256, 1e-3);
  });
}

TEST(DecodeNumbers, LseInTwoParts) {
  on_every_isa([](const std::string&) {
    for (int64_t count : k_counts) {
      Small s(count, 8, 4);
      s.call.scale = 1;
      s.q = drawn(s.q.shape(), 1), s.keys = drawn(s.keys.shape(), 2);
      for (int64_t i = 0; i < s.q.count(); ++i) s.q.data<float>()[i] *= 30;
      double most = -INFINITY, total = 0;
      std::vector<double> scores;
      for (int64_t k = 0; k < count; ++k) {
        double score = 0;
        for (int64_t d = 0; d < 8; ++d)
          score += double{s.q.data<float>()[d]} * s.keys.data<float>()[k * 8 + d];
        scores.push_back(score);
        most = std::max(most, score);
      }
      for (double score : scores) total += std::exp(score - most);
      EXPECT_NEAR(precise_lse(s.run()), most + std::log(total), 1e-6 * std::abs(most) + 1e-6);
    }
  });
}

// ---- NaN -----------------------------------------------------------------------------------------

TEST(DecodeNumbers, WhatIsSeenTouches) {
  on_every_isa([](const std::string&) {
    for (int64_t count : k_counts) {
      for (float bad : {k_nan, k_inf, -k_inf}) {
        for (int64_t place : {int64_t{0}, count / 2, count - 1}) {
          Small key(count);
          Small::fill(key.q, 1);
          key.row(key.keys, place, bad);
          if (std::isnan(bad) || bad > 0) expect_all(key.run().z, k_nan, 0);  // inf - inf
          Small value(count);
          value.row(value.values, place, bad);
          expect_all(value.run().z, std::isnan(bad) ? k_nan : bad, 0);
          if (count == 1) continue;
          value.row(value.keys, place, -1e4f);  // a weight of exactly 0
          Small::fill(value.q, 1);
          expect_all(value.run().z, k_nan, 0);
        }
      }
    }
  });
}

TEST(DecodeNumbers, KeysWithoutWeightTouchToo) {
  on_every_isa([](const std::string&) {
    for (int64_t count : k_counts) {
      Small s(count);
      Small::fill(s.q, 1);
      Small::fill(s.keys, -k_inf);  // scores of -inf, all of them
      const Attended out = s.run();
      expect_all(out.z, 0, 0);
      expect_all(out.lse, -k_inf, 0);
      s.row(s.values, count - 1, k_inf);
      expect_all(s.run().z, k_nan, 0);
      s.sinks = {3};
      expect_all(s.run().z, k_nan, 0);
    }
    Small s(3);  // beside a sink that takes everything
    s.sinks = {3e38f};
    s.row(s.values, 1, k_inf);
    expect_all(s.run().z, k_nan, 0);
  });
}

TEST(DecodeNumbers, WhatIsHiddenDoesNot) {
  on_every_isa([](const std::string&) {
    for (int64_t count : k_counts) {
      for (float bad : {k_nan, k_inf, -k_inf}) {
        Small s(count + 2);
        const std::vector<int64_t> length = {count + 1};
        s.call.key_lengths = length;
        s.call.window = count;
        for (int64_t hidden : {int64_t{0}, count + 1})
          s.row(s.keys, hidden, bad), s.row(s.values, hidden, bad);
        const Attended out = s.run();
        expect_all(out.z, 1, 1e-6);
        EXPECT_NEAR(precise_lse(out), std::log(static_cast<double>(count)), 1e-6);
      }
    }
  });
}

// ---- long sums -----------------------------------------------------------------------------------

TEST(DecodeNumbers, SumsForgetNothing) {
  on_every_isa([](const std::string&) {
    for (int64_t count : {1000, 4096, 65536, 262144}) {
      Small s(count, 1, 8);
      Small::fill(s.values, 0.1f);
      expect_all(s.run().z, double{0.1f}, 0.1 * 2e-6);
    }
  });
}

// ---- layouts -------------------------------------------------------------------------------------

// Rows, scales and pages of any order and strides: the same bits.
TEST(DecodeNumbers, ScalesOfAnyStrides) {
  const int64_t room = 600, G_ = 2, D_ = 32;
  Tensor rows(DType::i8, {{B, 2}, {S, room}, {G, G_}, {D, D_}}),
      scales(DType::f32, {{B, 2}, {S, room}, {G, G_}});
  const Tensor numbers = drawn(rows.shape(), 4), sizes = drawn(scales.shape(), 5);
  for (int64_t i = 0; i < rows.count(); ++i)
    rows.data<int8_t>()[i] = static_cast<int8_t>(numbers.data<float>()[i] * 127);
  for (int64_t i = 0; i < scales.count(); ++i) scales.data<float>()[i] = (2 + sizes.data<float>()[i]) / 127;
  const Tensor q = drawn({{B, 2}, {T, 2}, {H, 4}, {D, D_}}, 6);
  Tensor pages(DType::i64, {{B, 2}, {N, 1}});
  pages.data<int64_t>()[1] = 1;
  const std::vector<int64_t> lengths = {600, 555};
  on_every_isa([&](const std::string&) {
    fused::Decode call{.q = q, .keys = {rows, scales}, .values = {rows, scales}, .key_lengths = lengths};
    const Attended whole = fused::decode(call);
    const std::vector<int> orders[] = {{0, 2, 1}, {1, 0, 2}, {2, 1, 0}, {1, 2, 0}};
    for (const std::vector<int>& order : orders) {
      std::vector<int> with_width = order;
      with_width.push_back(3);
      const Tensor moved = Tensor::copy_of(scales.view().permuted(order)),
                   moved_rows = Tensor::copy_of(rows.view().permuted(with_width));
      call.keys = {moved_rows, moved}, call.values = {rows, moved};
      const Attended got = fused::decode(call);
      EXPECT_TRUE(same_bits(got.z, whole.z) && same_bits(got.lse, whole.lse));
      // By place, without names, from a permuted view.
      const ConstView there = moved.view();
      std::vector<int64_t> strides(3);
      for (int i = 0; i < 3; ++i)
        strides[static_cast<size_t>(order[static_cast<size_t>(i)])] = there.strides()[static_cast<size_t>(i)];
      call.keys = {rows, ConstView(DType::f32, Shape::unnamed({2, room, G_}), strides, moved.raw())};
      EXPECT_TRUE(same_bits(fused::decode(call).z, whole.z));
    }
    // Pages: columns apart, rows apart, and in the other order.
    const ConstView paged(DType::i8, {{Axis::P, 2}, {S, room}, {G, G_}, {D, D_}}, rows.raw()),
        paged_scales(DType::f32, {{Axis::P, 2}, {S, room}, {G, G_}}, scales.raw());
    const std::vector<int64_t> spread = {0, 7, 7, 1, 7, 7};
    call.values = {rows, scales};
    const ConstView all_pages[] = {pages.view(),
                                   ConstView(DType::i64, {{B, 2}, {N, 1}}, {3, 2}, spread.data()),
                                   ConstView(DType::i64, {{N, 1}, {B, 2}}, {1, 3}, spread.data())};
    for (const ConstView& numbers_of_pages : all_pages) {
      call.keys = {paged, paged_scales, numbers_of_pages};
      EXPECT_TRUE(same_bits(fused::decode(call).z, whole.z));
    }
  });
}

}  // namespace
}  // namespace limpid

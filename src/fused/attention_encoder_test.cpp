// What encoders need of the public fused attention: a window to both sides, ALiBi of |p - s|; and numbers of
// any magnitude through it.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>

#include "fused/test_helpers.h"

namespace limpid {
namespace {

using namespace testing;
using fused::Attended;
using fused::Saved;

double farthest(const Tensor& a, const Tensor& b) {
  double most = 0;
  for (int64_t i = 0; i < a.count(); ++i)
    most = std::max<double>(most, std::abs(a.data<float>()[i] - b.data<float>()[i]));
  return most;
}

// A window to both sides is the mask that says so, forward, backward and rebuilt; so is ALiBi a bias.
TEST(FusedEncoder, WindowsToBothSidesAndSymmetricSlopes) {
  const Case c;
  const std::vector<float> slopes = {0.5f, 0.25f, 0.125f, 1, 2, 0};
  for (const auto& [before, after] : {std::pair<int64_t, int64_t>{3, 2}, {1, 0}, {0, 4}, {2, 40}}) {
    Tensor allowed(DType::boolean, {{T, 9}, {S, 14}}), bias(DType::f32, {{H, 6}, {T, 9}, {S, 14}});
    for (int64_t t = 0; t < 9; ++t)
      for (int64_t s = 0; s < 14; ++s) {
        const int64_t p = t + 5;
        allowed.data<bool>()[t * 14 + s] = (before == 0 || s > p - before) && s <= p + after;
        for (int64_t h = 0; h < 6; ++h)
          bias.data<float>()[(h * 9 + t) * 14 + s] =
              -slopes[static_cast<size_t>(h)] * static_cast<float>(std::abs(p - s));
      }
    const fused::Attention masked{.q = c.q, .k = c.k, .v = c.v, .allowed = allowed, .bias = bias};
    const fused::Attention windowed{.q = c.q,
                                    .k = c.k,
                                    .v = c.v,
                                    .window = before,
                                    .window_after = after,
                                    .slopes = slopes,
                                    .symmetric_slopes = true};
    const Attended want = fused::forward(masked), got = fused::forward(windowed, {.key_mass = true});
    EXPECT_LT(farthest(want.z, got.z), 1e-6);
    const Saved saved{.z = want.z, .lse = want.lse, .lse_rest = want.lse_rest, .dz = c.dz};
    EXPECT_LT(farthest(fused::window(masked, saved), fused::window(windowed, saved)), 1e-6);
    EXPECT_LT(farthest(fused::key_mass(masked, saved), got.seen.key_mass), 1e-5);
    const fused::Gradients a = fused::gradient(masked, saved), b = fused::gradient(windowed, saved);
    EXPECT_LT(farthest(a.dq, b.dq) + farthest(a.dk, b.dk) + farthest(a.dv, b.dv), 1e-5);
  }
}

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(FusedEncoder, WrongCallsAreNamed) {
  const Case c;
  EXPECT_EQ(message_of([&] { fused::forward({.q = c.q, .k = c.k, .v = c.v, .window_after = -1}); }),
            "attention: window_after is -1, expected a number of keys, or nothing for all of them");
  EXPECT_EQ(message_of([&] { fused::forward({.q = c.q, .k = c.k, .v = c.v, .symmetric_slopes = true}); }),
            "attention: symmetric_slopes is given without slopes, expected both");
  const Tensor few(DType::f32, {{H, 6}, {N, 12}});  // distances 0 to 11; a key after the query is at -1
  EXPECT_NE(
      message_of([&] {
        fused::forward({.q = c.q, .k = c.k, .v = c.v, .window = 9, .window_after = 1, .distances = few});
      }),
      "(no error)");
  EXPECT_EQ(
      message_of([&] {
        fused::forward({.q = c.q, .k = c.k, .v = c.v, .window = 9, .window_after = 0, .distances = few});
      }),
      "(no error)");
}

// Three equal keys and a bias that all share: 1/3 each, through windows, observations and gradients; from lse
// alone only as near as a float is.
TEST(FusedEncoder, AnOffsetOfAllScoresChangesNoWeight) {
  Tensor q(DType::f32, {{B, 1}, {T, 1}, {H, 1}, {D, 4}}), k(DType::f32, {{B, 1}, {S, 3}, {G, 1}, {D, 4}});
  const Tensor v = drawn({{B, 1}, {S, 3}, {G, 1}, {D, 4}}, 7),
               dz = drawn({{B, 1}, {T, 1}, {H, 1}, {D, 4}}, 8);
  for (float offset : {-300.f, -1e6f, 1e8f, -1e30f, -3.4028235e38f}) {
    Tensor bias(DType::f32, {{S, 3}});
    std::fill_n(bias.data<float>(), 3, offset);
    const fused::Attention call{.q = q, .k = k, .v = v, .bias = bias};
    const Attended out = fused::forward(
        call,
        {.top = 3, .entropy = true, .largest = true, .map_queries = 1, .map_keys = 3, .key_mass = true});
    Tensor lse = Tensor::copy_of(out.lse), rest = Tensor::copy_of(out.lse);
    Tensor z(DType::f32, out.z.shape());
    fused::forward_into(call, z, lse, rest);
    EXPECT_TRUE(same_bits(lse, out.lse) && same_bits(rest, out.lse_rest) && same_bits(z, out.z));
    const Saved saved{.z = out.z, .lse = out.lse, .lse_rest = out.lse_rest, .dz = dz};
    const Tensor pattern = fused::window(call, saved);
    for (int64_t s = 0; s < 3; ++s) {
      EXPECT_NEAR(pattern.data<float>()[s], 1 / 3., 1e-6);
      EXPECT_NEAR(out.seen.top_weights.data<float>()[s], 1 / 3., 1e-6);
      EXPECT_NEAR(out.seen.key_mass.data<float>()[s], 1 / 3., 1e-6);
    }
    EXPECT_NEAR(out.seen.largest.data<float>()[0], 1 / 3., 1e-6);
    EXPECT_NEAR(3 * out.seen.map.data<float>()[0], 1, 1e-6);
    const Tensor dv = fused::gradient(call, saved).dv;
    for (int64_t i = 0; i < 12; ++i) EXPECT_NEAR(dv.data<float>()[i], dz.data<float>()[i % 4] / 3, 1e-6);
  }
}

}  // namespace
}  // namespace limpid

// The public fused attention: any layout, what is seen against the whole pattern, and calls that are wrong.
// The kernels' own tests hold the arithmetic to its meaning; tests/onnx_attention_test.cpp holds this call to
// the standard's cases.
#include "limpid/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "fused/test_helpers.h"

namespace limpid {
namespace {

using namespace testing;
using fused::Attended;
using fused::Cells;
using fused::Observe;
using fused::Saved;

constexpr float k_inf = std::numeric_limits<float>::infinity();

// The numbers in memory of another order, still named.
Tensor stored_as(const Tensor& t, const std::vector<int>& order) {
  return Tensor::copy_of(t.view().permuted(order));
}

// Every number with a gap after it.
struct Gappy {
  Tensor store;
  View view;
  explicit Gappy(const Tensor& t) : store(t.dtype(), Shape::unnamed({std::max<int64_t>(1, t.count() * 2)})) {
    std::vector<int64_t> strides = contiguous_strides(t.shape());
    for (int64_t& stride : strides) stride *= 2;
    view = View(t.dtype(), t.shape(), strides, store.raw());
    copy(t.view(), view);
  }
};

// ---- what it means -------------------------------------------------------------------------------

TEST(FusedAttention, IsTheSoftmaxOfScaledScoresTimesValues) {
  const Case c;
  const Attended out = fused::forward({.q = c.q, .k = c.k, .v = c.v, .causal = true, .window = 8});
  EXPECT_EQ(out.z.shape(), (Shape{{B, 2}, {T, 9}, {H, 6}, {D, 7}}));
  EXPECT_EQ(out.lse.shape(), (Shape{{B, 2}, {H, 6}, {T, 9}}));
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t h = 0; h < 6; ++h)
      for (int64_t t = 0; t < 9; ++t) {
        double total = 0;
        std::vector<double> z(7);
        for (int64_t s = 0; s < 14; ++s) {
          const int64_t p = 14 - 9 + t;
          if (s > p || s <= p - 8) continue;
          double score = 0;
          for (int64_t d = 0; d < 12; ++d) score += c.q.at({b, t, h, d}) * c.k.at({b, s, h / 3, d});
          const double weight = std::exp(score / std::sqrt(12.));
          total += weight;
          for (int64_t d = 0; d < 7; ++d) z[static_cast<size_t>(d)] += weight * c.v.at({b, s, h / 3, d});
        }
        EXPECT_NEAR(out.lse.at({b, h, t}), std::log(total), 1e-5);
        for (int64_t d = 0; d < 7; ++d)
          EXPECT_NEAR(out.z.at({b, t, h, d}), z[static_cast<size_t>(d)] / total, 1e-5);
      }
}

TEST(FusedAttention, AnyLayoutGivesTheSameBits) {
  const Case c;
  const Attended out = fused::forward(c.call());
  const Saved saved{.z = out.z, .lse = out.lse, .lse_rest = out.lse_rest, .dz = c.dz};
  const fused::Gradients gradients = fused::gradient(c.call(), saved);
  const Tensor window = fused::window(c.call(), saved, {.queries = {2, 5}, .keys = {3, 14}});

  const auto expect_same = [&](const char* what, const ConstView& q, const ConstView& k, const ConstView& v) {
    SCOPED_TRACE(what);
    fused::Attention call = c.call();
    call.q = q, call.k = k, call.v = v;
    const Attended got = fused::forward(call);
    EXPECT_TRUE(same_bits(got.z, out.z));
    EXPECT_TRUE(same_bits(got.lse, out.lse));
    EXPECT_TRUE(same_bits(fused::gradient(call, saved).dk, gradients.dk));
    EXPECT_TRUE(same_bits(fused::window(call, saved, {.queries = {2, 5}, .keys = {3, 14}}), window));
  };
  const std::vector<int> heads_first = {0, 2, 1, 3}, width_first = {3, 0, 1, 2};
  const Tensor q = stored_as(c.q, heads_first), k = stored_as(c.k, heads_first),
               v = stored_as(c.v, heads_first);
  expect_same("each head's rows together", q, k, v);
  const Tensor wide_q = stored_as(c.q, width_first), wide_k = stored_as(c.k, width_first),
               wide_v = stored_as(c.v, width_first);
  expect_same("width outermost", wide_q, wide_k, wide_v);
  const Gappy gap_q(c.q), gap_k(c.k), gap_v(c.v);
  expect_same("a gap after every number", gap_q.view, gap_k.view, gap_v.view);
  const auto nameless = [](const Tensor& t) {
    return ConstView(t.dtype(), Shape::unnamed(t.shape().sizes()), t.raw());
  };
  expect_same("without names", nameless(c.q), nameless(c.k), nameless(c.v));

  // Outputs likewise.
  Tensor z(DType::f32, {{B, 2}, {H, 6}, {T, 9}, {D, 7}}), lse(DType::f32, {{T, 9}, {B, 2}, {H, 6}});
  fused::forward_into(c.call(), z, lse);
  EXPECT_TRUE(same_bits(Tensor::copy_of(z.view().permuted({0, 2, 1, 3})), out.z));
  EXPECT_TRUE(same_bits(Tensor::copy_of(lse.view().permuted({1, 2, 0})), out.lse));
  const Gappy gap_z(out.z);
  fused::forward_into(c.call(), gap_z.view, {});
  EXPECT_TRUE(same_bits(Tensor::copy_of(gap_z.view), out.z));
  Tensor dq(DType::f32, {{B, 2}, {H, 6}, {T, 9}, {D, 12}}), dk(DType::f32, c.k.shape()),
      dv(DType::bf16, c.v.shape());
  fused::gradient_into(c.call(), saved, dq, dk, dv);
  EXPECT_TRUE(same_bits(Tensor::copy_of(dq.view().permuted({0, 2, 1, 3})), gradients.dq));
  EXPECT_TRUE(same_bits(dv, gradients.dv.to(DType::bf16)));
  Tensor part(DType::f32, {{S, 11}, {T, 3}, {H, 6}, {B, 2}});
  fused::window_into(c.call(), saved, {.queries = {2, 5}, .keys = {3, 14}}, part);
  EXPECT_TRUE(same_bits(Tensor::copy_of(part.view().permuted({3, 2, 1, 0})), window));
}

// q, k, v of one projection, and their gradients back into such a one.
TEST(FusedAttention, PartsOfOneBuffer) {
  const Tensor packed = drawn({{B, 2}, {T, 5}, {Axis::none, 3}, {H, 2}, {D, 8}}, 9);
  Tensor gradients(DType::f32, packed.shape());
  const auto part = [](const Tensor& t, int64_t which, const Shape& shape) {
    float* first = const_cast<float*>(t.data<float>()) + which * 16;
    return View(DType::f32, shape, {240, 48, 8, 1}, first);
  };
  const Shape queries{{B, 2}, {T, 5}, {H, 2}, {D, 8}}, keys{{B, 2}, {S, 5}, {G, 2}, {D, 8}};
  const fused::Attention call{
      .q = part(packed, 0, queries), .k = part(packed, 1, keys), .v = part(packed, 2, keys)};
  const Attended out = fused::forward(call);
  const Saved saved{.z = out.z, .lse = out.lse, .lse_rest = out.lse_rest, .dz = out.z};
  fused::gradient_into(call, saved, part(gradients, 0, queries), part(gradients, 1, keys),
                       part(gradients, 2, keys));
  EXPECT_TRUE(same_bits(Tensor::copy_of(part(gradients, 2, keys)), fused::gradient(call, saved).dv));
}

TEST(FusedAttention, WhatIsTheSameForAllNeedsNoCopies) {
  const Case c;
  fused::Attention call{.q = c.q, .k = c.k, .v = c.v};
  const auto z = [&] { return fused::forward(call).z; };
  const auto full = [](const Tensor& small, const std::vector<int>& axes) {  // [B,H,T,S] of small's axes
    Tensor all(small.dtype(), {{B, 2}, {H, 6}, {T, 9}, {S, 14}});
    for (int64_t i = 0; i < all.count(); ++i) {
      const Index at = {i / (6 * 9 * 14), i / (9 * 14) % 6, i / 14 % 9, i % 14};
      Index from;
      for (size_t a = 0; a < axes.size(); ++a)
        from.push_back(small.shape()[static_cast<int>(a)].size == 1 ? 0 : at[static_cast<size_t>(axes[a])]);
      all.set(at, small.at(from));
    }
    return all;
  };
  const std::pair<Shape, std::vector<int>> shapes[] = {{{{T, 9}, {S, 14}}, {2, 3}},
                                                       {Shape::unnamed({9, 14}), {2, 3}},
                                                       {Shape::unnamed({2, 1, 9, 14}), {0, 1, 2, 3}},
                                                       {{{S, 14}, {B, 2}}, {3, 0}},
                                                       {{{T, 9}, {S, 1}}, {2, 3}},
                                                       {{{H, 6}}, {1}},
                                                       {{}, {}}};
  for (const auto& [shape, axes] : shapes) {
    SCOPED_TRACE(shape.text());
    const Tensor bias = drawn(shape, 5), all = full(bias, axes);
    call.bias = bias;
    const Tensor got = z();
    call.bias = all;
    EXPECT_TRUE(same_bits(got, z()));
    call.bias = {};

    const Tensor allowed = Tensor(DType::boolean, shape);
    for (int64_t i = 0; i < allowed.count(); ++i)
      static_cast<bool*>(const_cast<void*>(allowed.raw()))[i] = bias.data<float>()[i] > -0.5f;
    const Tensor all_allowed = full(allowed, axes);
    call.allowed = allowed;
    const Tensor seen = z();
    call.allowed = all_allowed;
    EXPECT_TRUE(same_bits(seen, z()));
    call.allowed = {};
  }
  const Tensor half = drawn({{T, 9}, {S, 14}}, 6, DType::f16), same = half.to(DType::f32);
  call.bias = half;
  const Tensor got = z();
  call.bias = same;
  EXPECT_TRUE(same_bits(got, z()));
}

// f16 is read as f32, and z rounded once: half a step of it.  bf16 weights may be rounded before they meet
// values of at most 1: half a step of bf16, and their total 1.
TEST(FusedAttention, HalvesComeWithinTheirRounding) {
  Case c;
  for (DType type : {DType::bf16, DType::f16}) {
    const Tensor q = c.q.to(type), k = c.k.to(type), v = c.v.to(type);
    const Tensor q32 = q.to(DType::f32), k32 = k.to(DType::f32), v32 = v.to(DType::f32);
    const Attended out = fused::forward({.q = q, .k = k, .v = v}),
                   wide = fused::forward({.q = q32, .k = k32, .v = v32});
    EXPECT_EQ(out.z.dtype(), type);
    // Weights of bf16 may be rounded too, each by 2^-9 of itself, for their sum with the values.
    double largest = 0;
    for (int64_t i = 0; i < v32.count(); ++i)
      largest = std::max<double>(largest, std::abs(v32.data<float>()[i]));
    const double weights = type == DType::bf16 ? 0x1p-9 * largest : 0;
    for (int64_t i = 0; i < out.z.count(); ++i) {
      const Index at = {i / (9 * 6 * 7), i / (6 * 7) % 9, i / 7 % 6, i % 7};
      EXPECT_NEAR(out.z.at(at), wide.z.at(at),
                  (type == DType::bf16 ? 0x1p-8 : 0x1p-11) * std::abs(wide.z.at(at)) + weights + 1e-6);
    }
    Tensor z(DType::f32, c.dz.shape());  // any type of output
    fused::forward_into({.q = q, .k = k, .v = v}, z, {});
    EXPECT_TRUE(same_bits(z.to(type), out.z));
  }
}

// ---- what is seen --------------------------------------------------------------------------------

// The whole pattern, looked through in plain loops.
TEST(FusedAttention, ObservationsAreThoseOfThePattern) {
  const Tensor q = drawn({{B, 2}, {T, 300}, {H, 2}, {D, 16}}, 1),
               k = drawn({{B, 2}, {S, 210}, {G, 1}, {D, 16}}, 2),
               v = drawn({{B, 2}, {S, 210}, {G, 1}, {D, 8}}, 3);
  const std::vector<int64_t> lengths = {210, 40}, firsts = {-3, 7};
  fused::Attention call{.q = q, .k = k, .v = v, .scale = 2., .causal = true, .window = 120};
  call.key_lengths = lengths;
  call.first_queries = firsts;
  const Attended plain = fused::forward(call);
  const Tensor pattern = fused::window(call, {.lse = plain.lse, .lse_rest = plain.lse_rest});
  for (int64_t map_queries : {1, 30, 256, 288, 1000}) {
    const Observe observe{.top = 5,
                          .entropy = true,
                          .largest = true,
                          .map_queries = map_queries,
                          .map_keys = 32,
                          .key_mass = true};
    const Attended out = fused::forward(call, observe);
    SCOPED_TRACE(map_queries);
    EXPECT_TRUE(same_bits(out.z, plain.z) && same_bits(out.lse, plain.lse));
    const int64_t rows = (300 + map_queries - 1) / map_queries;
    ASSERT_EQ(out.seen.map.shape(), (Shape{{B, 2}, {H, 2}, {T, rows}, {S, 7}}));
    ASSERT_EQ(out.seen.top_keys.shape(), (Shape{{B, 2}, {H, 2}, {T, 300}, {N, 5}}));
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t h = 0; h < 2; ++h) {
        std::vector<double> map(static_cast<size_t>(rows * 7)), mass(7), key_mass(210);
        for (int64_t t = 0; t < 300; ++t) {
          std::vector<std::pair<double, int64_t>> row;
          double entropy = 0;
          for (int64_t s = 0; s < 210; ++s) {
            const double w = pattern.at({b, h, t, s});
            if (w > 0) row.emplace_back(-w, s), entropy -= w * std::log(w);
            map[static_cast<size_t>(t / map_queries * 7 + s / 32)] += w;
            mass[static_cast<size_t>(s / 32)] += w;
            key_mass[static_cast<size_t>(s)] += w;
          }
          std::sort(row.begin(), row.end());
          EXPECT_NEAR(out.seen.entropy.at({b, h, t}), entropy, 1e-4);
          EXPECT_EQ(out.seen.largest.at({b, h, t}), row.empty() ? 0 : -row[0].first);
          for (int64_t i = 0; i < 5; ++i) {
            const bool is = i < static_cast<int64_t>(row.size());
            EXPECT_EQ(out.seen.top_weights.at({b, h, t, i}), is ? -row[static_cast<size_t>(i)].first : 0)
                << t;
            EXPECT_EQ(out.seen.top_keys.at({b, h, t, i}),
                      is ? static_cast<double>(row[static_cast<size_t>(i)].second) : -1)
                << t;
          }
        }
        for (int64_t c = 0; c < 7; ++c) {
          EXPECT_NEAR(out.seen.block_mass.at({b, h, c}), mass[static_cast<size_t>(c)], 1e-4);
          for (int64_t r = 0; r < rows; ++r) {
            const auto cells = static_cast<double>(std::min<int64_t>(map_queries, 300 - r * map_queries) *
                                                   std::min<int64_t>(32, 210 - c * 32));
            EXPECT_NEAR(out.seen.map.at({b, h, r, c}), map[static_cast<size_t>(r * 7 + c)] / cells, 1e-6);
          }
        }
        for (int64_t s = 0; s < 210; ++s)
          EXPECT_NEAR(out.seen.key_mass.at({b, h, s}), key_mass[static_cast<size_t>(s)], 1e-4);
      }
    EXPECT_TRUE(
        same_bits(out.seen.key_mass, fused::key_mass(call, {.lse = out.lse, .lse_rest = out.lse_rest})));
  }
}

TEST(FusedAttention, NothingAskedNothingGiven) {
  const Case c;
  const fused::Observed seen = fused::forward(c.call()).seen;
  for (const Tensor* t : {&seen.top_weights, &seen.top_keys, &seen.entropy, &seen.largest, &seen.map,
                          &seen.block_mass, &seen.key_mass})
    EXPECT_EQ(t->raw(), nullptr);
  const fused::Observed one = fused::forward(c.call(), {.largest = true}).seen;
  EXPECT_EQ(one.top_weights.raw(), nullptr);
  EXPECT_EQ(one.largest.shape(), (Shape{{B, 2}, {H, 6}, {T, 9}}));
}

// dv = pattern^T dz and dk = raw_scores.grad^T q, from windows.
TEST(FusedAttention, GradientsAreThoseOfTheWindows) {
  const Case c;
  fused::Attention call = c.call();
  call.softcap = 2;
  const Attended out = fused::forward(call);
  const Saved saved{.z = out.z, .lse = out.lse, .lse_rest = out.lse_rest, .dz = c.dz};
  const fused::Gradients got = fused::gradient(call, saved);
  const Tensor pattern = fused::window(call, saved),
               raw = fused::window(call, saved, {.cells = Cells::raw_scores, .gradient = true});
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t s = 0; s < 14; ++s)
      for (int64_t g = 0; g < 2; ++g)
        for (int64_t d = 0; d < 12; ++d) {
          double dk = 0, dv = 0;
          for (int64_t h = g * 3; h < g * 3 + 3; ++h)
            for (int64_t t = 0; t < 9; ++t) {
              dk += raw.at({b, h, t, s}) * c.q.at({b, t, h, d});
              if (d < 7) dv += pattern.at({b, h, t, s}) * c.dz.at({b, t, h, d});
            }
          EXPECT_NEAR(got.dk.at({b, s, g, d}), dk, 1e-5);
          if (d < 7) {
            EXPECT_NEAR(got.dv.at({b, s, g, d}), dv, 1e-5);
          }
        }
}

// What else has a gradient: sums of that of the scores, and of a key without a value.
TEST(FusedAttention, GradientsOfWhatIsAdded) {
  const Case c;
  const Tensor bias = drawn({{H, 6}, {T, 9}, {S, 14}}, 5), wide = drawn({{H, 6}, {N, 60}}, 6);
  const std::vector<float> sinks = {0, 1, 2, 3, -1, -2};
  fused::Attention call{.q = c.q, .k = c.k, .v = c.v, .causal = true};
  call.bias = bias;
  call.sinks = sinks;
  call.distances = wide.view().window(1, 5, 20);  // rows lie apart
  call.least_distance = -2;
  const Attended out = fused::forward(call);
  const Saved saved{.z = out.z, .lse = out.lse, .lse_rest = out.lse_rest, .dz = c.dz};
  const fused::Gradients got = fused::gradient(call, saved, {.sinks = true, .distances = true, .bias = true});
  const Tensor scores = fused::window(call, saved, {.cells = Cells::scores, .gradient = true});
  ASSERT_EQ(got.ddistances.shape(), (Shape{{H, 6}, {N, 20}}));
  for (int64_t h = 0; h < 6; ++h) {
    std::vector<double> distances(20);
    double sink = 0;
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t t = 0; t < 9; ++t) {
        double delta = 0;
        for (int64_t d = 0; d < 7; ++d) delta += c.dz.at({b, t, h, d}) * out.z.at({b, t, h, d});
        sink -= std::exp(sinks[static_cast<size_t>(h)] - out.lse.at({b, h, t})) * delta;
        for (int64_t s = 0; s < 14; ++s) {
          const double score = scores.at({b, h, t, s});
          EXPECT_NEAR(got.dbias.at({b, h, t, s}), score, 1e-6);
          const int64_t distance = t + 5 - s + 2;
          if (distance >= 0) distances[static_cast<size_t>(distance)] += score;
        }
      }
    EXPECT_NEAR(got.dsinks.at({h}), sink, 1e-5);
    for (int64_t n = 0; n < 20; ++n)
      EXPECT_NEAR(got.ddistances.at({h, n}), distances[static_cast<size_t>(n)], 1e-5);
  }
}

// Halves go in and come out; dropout hides the same cells from the pass forward, its gradient and a window.
TEST(FusedAttention, GradientsOfHalvesAndOfDropout) {
  const Case c;
  const Tensor q = c.q.to(DType::bf16), k = c.k.to(DType::bf16), v = c.v.to(DType::bf16);
  fused::Attention call{.q = q, .k = k, .v = v};
  call.dropout = 0.3, call.seed = 11, call.step = 2;
  Tensor z(DType::f32, c.dz.shape()), lse(DType::f32, {{B, 2}, {H, 6}, {T, 9}});
  fused::forward_into(call, z, lse);
  const Saved saved{.z = z, .lse = lse, .dz = c.dz};
  const fused::Gradients got = fused::gradient(call, saved);
  const Tensor raw = fused::window(call, saved, {.cells = Cells::raw_scores, .gradient = true});
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t s = 0; s < 14; ++s)
      for (int64_t g = 0; g < 2; ++g)
        for (int64_t d = 0; d < 12; ++d) {
          double dk = 0;
          for (int64_t h = g * 3; h < g * 3 + 3; ++h)
            for (int64_t t = 0; t < 9; ++t) dk += raw.at({b, h, t, s}) * q.at({b, t, h, d});
          EXPECT_NEAR(got.dk.at({b, s, g, d}), dk, 1e-5);
        }
  Tensor dq(DType::bf16, q.shape()), dk(DType::bf16, k.shape()), dv(DType::bf16, v.shape());
  fused::gradient_into(call, saved, dq, dk, dv);
  EXPECT_TRUE(same_bits(dq, got.dq.to(DType::bf16)));
  EXPECT_TRUE(same_bits(dk, got.dk.to(DType::bf16)));
  EXPECT_TRUE(same_bits(dv, got.dv.to(DType::bf16)));
}

TEST(FusedAttention, NoQueriesOrNoKeysIsNoError) {
  const Observe all{
      .top = 3, .entropy = true, .largest = true, .map_queries = 4, .map_keys = 4, .key_mass = true};
  for (const auto& [queries, keys] : {std::pair<int64_t, int64_t>{0, 5}, {5, 0}, {0, 0}, {1, 1}}) {
    const Tensor q = drawn({{B, 2}, {T, queries}, {H, 2}, {D, 8}}, 1),
                 k = drawn({{B, 2}, {S, keys}, {G, 1}, {D, 8}}, 2);
    const fused::Attention call{.q = q, .k = k, .v = k, .causal = true};
    const Attended out = fused::forward(call, all);
    const Saved saved{.z = out.z, .lse = out.lse, .lse_rest = out.lse_rest, .dz = out.z};
    EXPECT_EQ(fused::window(call, saved).count(), 4 * queries * keys);
    EXPECT_EQ(fused::gradient(call, saved).dv.count(), 2 * keys * 8);
    EXPECT_EQ(out.seen.key_mass.count(), 4 * keys);
    for (int64_t t = 0; t < queries && keys == 0; ++t) {
      EXPECT_EQ(out.lse.at({1, 1, t}), -k_inf);
      EXPECT_EQ(out.z.at({1, t, 1, 7}), 0);
      EXPECT_EQ(out.seen.top_keys.at({1, 1, t, 2}), -1);
      EXPECT_EQ(out.seen.largest.at({1, 1, t}), 0);
    }
    for (int64_t s = 0; s < keys && queries == 0; ++s) EXPECT_EQ(out.seen.key_mass.at({1, 1, s}), 0);
  }
  // Null pointers where there are no numbers.
  const fused::Attention none{.q = ConstView(DType::f32, {{B, 0}, {T, 3}, {H, 2}, {D, 8}}, nullptr),
                              .k = ConstView(DType::f32, {{B, 0}, {S, 3}, {G, 2}, {D, 8}}, nullptr),
                              .v = ConstView(DType::f32, {{B, 0}, {S, 3}, {G, 2}, {D, 8}}, nullptr)};
  EXPECT_EQ(fused::forward(none, all).z.count(), 0);
}

}  // namespace
}  // namespace limpid

// The public fused attention: any layout, what is seen against the whole pattern, and calls that are wrong.
// The kernels' own tests hold the arithmetic to its meaning; tests/onnx_attention_test.cpp holds this call to
// the standard's cases.
#include "limpid/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "core/threads.h"

namespace limpid {
namespace {

using fused::Attended;
using fused::Cells;
using fused::Observe;
using fused::Saved;

constexpr Axis B = Axis::B, T = Axis::T, S = Axis::S, H = Axis::H, G = Axis::G, D = Axis::D, N = Axis::N;
constexpr float k_inf = std::numeric_limits<float>::infinity(),
                k_nan = std::numeric_limits<float>::quiet_NaN();

Tensor drawn(Shape shape, uint32_t seed, DType type = DType::f32) {
  Tensor t(DType::f32, std::move(shape));
  for (int64_t i = 0; i < t.count(); ++i) {
    seed = seed * 1664525u + 1013904223u;
    t.data<float>()[i] = static_cast<float>(seed >> 8) * 0x1p-23f - 1;
  }
  return t.to(type);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

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

struct Case {
  Tensor q = drawn({{B, 2}, {T, 9}, {H, 6}, {D, 12}}, 1), k = drawn({{B, 2}, {S, 14}, {G, 2}, {D, 12}}, 2),
         v = drawn({{B, 2}, {S, 14}, {G, 2}, {D, 7}}, 3), dz = drawn({{B, 2}, {T, 9}, {H, 6}, {D, 7}}, 4);
  fused::Attention call() const { return {.q = q, .k = k, .v = v, .causal = true, .window = 8}; }
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
  const Saved saved{.z = out.z, .lse = out.lse, .dz = c.dz};
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
  const Saved saved{.z = out.z, .lse = out.lse, .dz = out.z};
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

TEST(FusedAttention, HalvesAreRoundedOnce) {
  Case c;
  for (DType type : {DType::bf16, DType::f16}) {
    const Tensor q = c.q.to(type), k = c.k.to(type), v = c.v.to(type);
    const Tensor q32 = q.to(DType::f32), k32 = k.to(DType::f32), v32 = v.to(DType::f32);
    const Attended out = fused::forward({.q = q, .k = k, .v = v}),
                   wide = fused::forward({.q = q32, .k = k32, .v = v32});
    EXPECT_EQ(out.z.dtype(), type);
    for (int64_t i = 0; i < out.z.count(); ++i) {
      const Index at = {i / (9 * 6 * 7), i / (6 * 7) % 9, i / 7 % 6, i % 7};
      EXPECT_NEAR(out.z.at(at), wide.z.at(at),
                  (type == DType::bf16 ? 0x1p-8 : 0x1p-11) * std::abs(wide.z.at(at)) + 1e-6);
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
  const Tensor pattern = fused::window(call, {.lse = plain.lse});
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
    EXPECT_TRUE(same_bits(out.seen.key_mass, fused::key_mass(call, {.lse = out.lse})));
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
  const Saved saved{.z = out.z, .lse = out.lse, .dz = c.dz};
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

TEST(FusedAttention, NoQueriesOrNoKeysIsNoError) {
  const Observe all{
      .top = 3, .entropy = true, .largest = true, .map_queries = 4, .map_keys = 4, .key_mass = true};
  for (const auto& [queries, keys] : {std::pair<int64_t, int64_t>{0, 5}, {5, 0}, {0, 0}, {1, 1}}) {
    const Tensor q = drawn({{B, 2}, {T, queries}, {H, 2}, {D, 8}}, 1),
                 k = drawn({{B, 2}, {S, keys}, {G, 1}, {D, 8}}, 2);
    const fused::Attention call{.q = q, .k = k, .v = k, .causal = true};
    const Attended out = fused::forward(call, all);
    const Saved saved{.z = out.z, .lse = out.lse, .dz = out.z};
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

// ---- calls that are wrong ------------------------------------------------------------------------

// What a wrong call says.  Nothing may be written: z keeps its numbers.
struct Wrong {
  const char* what;
  std::function<void(fused::Attention&)> spoil;
  const char* message;
};

struct Hostile : Case {
  std::vector<int64_t> two = {3, 4}, three = {1, 2, 3}, far = {int64_t{1} << 50, 0}, below = {-1, 3},
                       beyond = {3, 15};
  std::vector<float> five = std::vector<float>(5);
  Tensor documents = Tensor(DType::i64, {{B, 2}, {T, 9}}),
         key_documents = Tensor(DType::i64, {{B, 2}, {S, 14}});
  Tensor table = drawn({{H, 6}, {N, 10}}, 7), ints = Tensor(DType::i32, {{T, 9}, {S, 14}}),
         narrow = drawn({{T, 9}, {S, 13}}, 8);
  Tensor q5 = drawn({{B, 2}, {T, 9}, {H, 5}, {D, 12}}, 1), three_axes = drawn({{B, 2}, {T, 9}, {D, 12}}, 1),
         headless = drawn({{B, 2}, {S, 14}, {G, 0}, {D, 12}}, 1);
  Tensor bytes = Tensor(DType::i8, {{B, 2}, {T, 9}, {H, 6}, {D, 12}}),
         doubles = Tensor(DType::f64, {{B, 2}, {T, 9}, {H, 6}, {D, 12}}), half = q.to(DType::f16);
  Tensor other_batch = drawn({{B, 3}, {S, 14}, {G, 2}, {D, 12}}, 1),
         other_width = drawn({{B, 2}, {S, 14}, {G, 2}, {D, 11}}, 1),
         short_v = drawn({{B, 2}, {S, 13}, {G, 2}, {D, 7}}, 1);
  Shape of_q = q.shape();
  const float* data = q.data<float>();

  std::vector<Wrong> table_of_calls() const {
    using A = fused::Attention;
    const auto strided = [this](std::vector<int64_t> strides, const void* from) {
      return ConstView(DType::f32, of_q, std::move(strides), from);
    };
    return {
        {"no q", [](A& a) { a.q = {}; }, "attention: q is missing, expected [B,T,H,D]"},
        {"no v", [](A& a) { a.v = {}; }, "attention: v is missing, expected [B,S,G,D]"},
        {"null q", [this](A& a) { a.q = ConstView(DType::f32, of_q, nullptr); },
         "attention: q is [B=2,T=9,H=6,D=12] and has no numbers (its pointer is null)"},
        {"three axes", [this](A& a) { a.q = three_axes; },
         "attention: q is [B=2,T=9,D=12], expected the axes [B,T,H,D] in any order, or in this one without "
         "names"},
        {"keys for queries", [this](A& a) { a.q = k; },
         "attention: q is [B=2,S=14,G=2,D=12], expected the axes [B,T,H,D] in any order, or in this one "
         "without names"},
        {"too few strides", [=, this](A& a) { a.q = strided({1, 1}, data); },
         "attention: q is [B=2,T=9,H=6,D=12] with 2 strides, expected one an axis"},
        {"endless strides", [=, this](A& a) { a.q = strided({1, 1, INT64_MAX, 1}, data); },
         "attention: q is [B=2,T=9,H=6,D=12] with a stride of 9223372036854775807 along axis 2: farther than "
         "memory reaches"},
        {"negative size",
         [this](A& a) {
           a.q = ConstView(DType::f32, {{B, 2}, {T, -9}, {H, 6}, {D, 12}}, {1, 1, 1, 1}, data);
         },
         "attention: q is [B=2,T,H=6,D=12], expected sizes of 0 or more"},
        {"more numbers than memory",
         [this](A& a) {
           a.q = ConstView(DType::f32, {{B, 2}, {T, INT64_MAX}, {H, 6}, {D, 12}}, {0, 0, 0, 1}, data);
         },
         "shape [B=2,T=9223372036854775807,H=6,D=12] has more elements than fit in memory"},
        {"too many queries",
         [this](A& a) {
           a.q = ConstView(DType::f32, {{B, 2}, {T, 1 << 25}, {H, 6}, {D, 12}}, {0, 0, 0, 1}, data);
         },
         "attention: 33554432 queries and 14 keys, expected at most 16777216"},
        {"integers", [this](A& a) { a.q = bytes; }, "attention: q is of i8, expected f32, bf16 or f16"},
        {"doubles", [this](A& a) { a.q = doubles; }, "attention: q is of f64, expected f32, bf16 or f16"},
        {"two types", [this](A& a) { a.q = half; }, "attention: k is of f32, q of f16; expected one type"},
        {"another batch", [this](A& a) { a.k = other_batch; },
         "attention: k is [B=3,S=14,G=2,D=12], expected [B=2,S=14,G=2,D=12]"},
        {"another width", [this](A& a) { a.k = other_width; },
         "attention: k is [B=2,S=14,G=2,D=11], expected [B=2,S=14,G=2,D=12]"},
        {"fewer values", [this](A& a) { a.v = short_v; },
         "attention: v is [B=2,S=13,G=2,D=7], expected [B=2,S=14,G=2,D=7]"},
        {"no key heads", [this](A& a) { a.k = headless; },
         "attention: k is [B=2,S=14,G=0,D=12], expected at least 1 of G"},
        {"uneven heads", [this](A& a) { a.q = q5; },
         "attention: 5 query heads (H of q) cannot share 2 key heads (G of k) evenly"},
        {"NaN scale", [](A& a) { a.scale = k_nan; }, "attention: scale is nan, expected a finite f32"},
        {"scale beyond f32", [](A& a) { a.scale = 1e300; },
         "attention: scale is 1e+300, expected a finite f32"},
        {"NaN softcap", [](A& a) { a.softcap = k_nan; }, "attention: softcap is nan, expected a finite f32"},
        {"softcap below 0", [](A& a) { a.softcap = -1; },
         "attention: softcap is -1, expected a number above 0, or 0 for none"},
        {"softcap too small", [](A& a) { a.softcap = 1e-300; },
         "attention: softcap is 1e-300, expected a number above 0, or 0 for none"},
        {"window below 0", [](A& a) { a.window = -2; },
         "attention: window is -2, expected a number of keys, or 0 for all"},
        {"dropout of 1", [](A& a) { a.dropout = 1; },
         "attention: dropout is 1, expected 0 or more and less than 1"},
        {"NaN dropout", [](A& a) { a.dropout = k_nan; },
         "attention: dropout is nan, expected 0 or more and less than 1"},
        {"two firsts", [this](A& a) { a.first_query = 1, a.first_queries = two; },
         "attention: first_query and first_queries are both given, expected one of them"},
        {"a first too many", [this](A& a) { a.first_queries = three; },
         "attention: first_queries has 3 numbers, expected 2 (one for each B)"},
        {"far away", [this](A& a) { a.first_queries = far; },
         "attention: the first query's position is 1125899906842624, expected at most 1099511627776 either "
         "way"},
        {"far before", [](A& a) { a.first_query = INT64_MIN; },
         "attention: the first query's position is -9223372036854775808, expected at most 1099511627776 "
         "either way"},
        {"length below 0", [this](A& a) { a.key_lengths = below; },
         "attention: key_lengths[0] is -1, expected 0 to S=14"},
        {"length beyond S", [this](A& a) { a.key_lengths = beyond; },
         "attention: key_lengths[1] is 15, expected 0 to S=14"},
        {"half of the documents", [this](A& a) { a.key_documents = key_documents; },
         "attention: key_documents is given alone, expected query_documents with it"},
        {"documents of others", [this](A& a) { a.query_documents = documents, a.key_documents = documents; },
         "attention: key_documents is [B=2,T=9], expected the axes [B,S] in any order, or in this one "
         "without names"},
        {"numbers for allowed", [this](A& a) { a.allowed = narrow; },
         "attention: allowed is of f32, expected bool (numbers to add belong in bias)"},
        {"whole numbers for a bias", [this](A& a) { a.bias = ints; },
         "attention: bias is of i32, expected floats (who sees whom belongs in allowed)"},
        {"narrow bias", [this](A& a) { a.bias = narrow; },
         "attention: bias is [T=9,S=13], expected [B=2,H=6,T=9,S=14], where axes may be missing or have size "
         "1"},
        {"bias with other axes", [this](A& a) { a.bias = table; },
         "attention: bias is [H=6,N=10], expected [B=2,H=6,T=9,S=14], where axes may be missing or have size "
         "1"},
        {"null bias", [](A& a) { a.bias = ConstView(DType::f32, {{S, 14}}, nullptr); },
         "attention: bias is [S=14] and has no numbers (its pointer is null)"},
        {"slopes", [this](A& a) { a.slopes = five; },
         "attention: slopes has 5 numbers, expected 6 (one for each H)"},
        {"sinks", [this](A& a) { a.sinks = five; },
         "attention: sinks has 5 numbers, expected 6 (one for each H)"},
        {"distances too few", [this](A& a) { a.distances = table; },
         "attention: distances hold 0 to 9, but query 5 (position 10) sees keys at 0 to 10"},
        {"distances too late", [this](A& a) { a.distances = table, a.least_distance = 1; },
         "attention: distances hold 1 to 10, but query 0 (position 5) sees keys at 0 to 5"},
        {"distances far away", [this](A& a) { a.distances = table, a.least_distance = INT64_MAX; },
         "attention: least_distance is 9223372036854775807, expected at most 1099511627776 either way"},
    };
  }
};

std::string message_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::call);
    return error.what();
  }
  return "(no error)";
}

TEST(FusedAttention, AWrongCallSaysWhatIsRight) {
  const Hostile c;
  fused::Attention right{.q = c.q, .k = c.k, .v = c.v, .causal = true};
  const Attended out = fused::forward(right);
  const Saved saved{.z = out.z, .lse = out.lse, .dz = c.dz};
  for (const Wrong& wrong : c.table_of_calls()) {
    SCOPED_TRACE(wrong.what);
    fused::Attention call = right;
    wrong.spoil(call);
    Tensor z = out.z;
    EXPECT_EQ(message_of([&] { fused::forward_into(call, z, {}); }), wrong.message);
    EXPECT_TRUE(same_bits(z, out.z));
    EXPECT_EQ(message_of([&] { fused::forward(call); }), wrong.message);
    EXPECT_EQ(message_of([&] { fused::gradient(call, saved); }), wrong.message);
    EXPECT_EQ(message_of([&] { fused::window(call, saved); }), wrong.message);
    EXPECT_EQ(message_of([&] { fused::key_mass(call, saved); }), wrong.message);
  }
}

TEST(FusedAttention, WrongObservationsAndWindows) {
  const Case c;
  const Attended out = fused::forward(c.call());
  const auto observing = [&](const Observe& o) { return message_of([&] { fused::forward(c.call(), o); }); };
  EXPECT_EQ(observing({.top = -1}), "attention: top is -1, expected 0 to 1024 (a window shows whole rows)");
  EXPECT_EQ(observing({.top = 1025}),
            "attention: top is 1025, expected 0 to 1024 (a window shows whole rows)");
  EXPECT_EQ(observing({.map_queries = 8}),
            "attention: map_queries is 8 and map_keys 0, expected both above 0, or both 0 for no map");
  EXPECT_EQ(observing({.map_queries = -8, .map_keys = -8}),
            "attention: map_queries is -8 and map_keys -8, expected both above 0, or both 0 for no map");
  EXPECT_EQ(observing({.map_queries = 257, .map_keys = 8}),
            "attention: map_queries is 257, expected at most 256, or a multiple of some number from 16 to "
            "256 (such as 256)");
  EXPECT_EQ(observing({.map_queries = INT64_MAX - 24, .map_keys = INT64_MAX}).substr(0, 24),
            "attention: map_queries i");
  EXPECT_EQ(
      fused::forward(c.call(), {.map_queries = int64_t{1} << 62, .map_keys = INT64_MAX}).seen.map.count(),
      12);

  const auto windowed = [&](const fused::Window& w) {
    return message_of([&] { fused::window(c.call(), {.lse = out.lse}, w); });
  };
  EXPECT_EQ(windowed({.queries = {3, 10}}), "attention: window of queries 3 to 10, expected within 0 to 9");
  EXPECT_EQ(windowed({.keys = {4, 3}}), "attention: window of keys 4 to 3, expected within 0 to 14");
  EXPECT_EQ(windowed({.heads = {-1, 3}}), "attention: window of heads -1 to 3, expected within 0 to 6");
  EXPECT_EQ(windowed({.gradient = true}), "attention: z is missing, expected [B,T,H,D]");
  EXPECT_EQ(windowed({.cells = static_cast<Cells>(9)}), "attention: window of cells 9, which is no stage");
  EXPECT_EQ(message_of([&] { fused::window(c.call(), {}); }), "attention: lse is missing, expected [B,H,T]");
  EXPECT_EQ(message_of([&] { fused::key_mass(c.call(), {.lse = c.q}); }),
            "attention: lse is [B=2,T=9,H=6,D=12], expected the axes [B,H,T] in any order, or in this one "
            "without names");
  EXPECT_EQ(message_of([&] { fused::gradient(c.call(), {.z = out.z, .lse = out.lse}); }),
            "attention: dz is missing, expected [B,T,H,D]");
  EXPECT_EQ(message_of([&] { fused::gradient(c.call(), {.z = c.q, .lse = out.lse, .dz = c.dz}); }),
            "attention: z is [B=2,T=9,H=6,D=12], expected [B=2,T=9,H=6,D=7]");
}

TEST(FusedAttention, OutputsNeedMemoryOfTheirOwn) {
  Case c;
  const Shape of_z = c.dz.shape(), of_lse = {{B, 2}, {H, 6}, {T, 9}};
  Tensor z(DType::f32, of_z), lse(DType::f32, of_lse);
  const auto forward = [&](const View& to_z, const View& to_lse) {
    return message_of([&] { fused::forward_into(c.call(), to_z, to_lse); });
  };
  EXPECT_EQ(forward(z, lse), "(no error)");
  EXPECT_EQ(forward({}, lse), "attention: z is missing, expected [B=2,T=9,H=6,D=7]");
  EXPECT_EQ(forward(View(DType::f32, of_z, nullptr), lse),
            "attention: z is [B=2,T=9,H=6,D=7] and has no numbers (its pointer is null)");
  EXPECT_EQ(forward(View(DType::f32, of_z, c.v.raw()), lse),
            "attention: z overlaps v, expected memory of its own");
  EXPECT_EQ(forward(View(DType::bf16, of_z, c.q.raw()), lse),
            "attention: z overlaps q, expected memory of its own");
  EXPECT_EQ(forward(z, View(DType::f32, of_lse, z.raw())),
            "attention: lse overlaps z, expected memory of its own");
  EXPECT_EQ(forward(View(DType::f32, of_z, {0, 42, 7, 1}, z.raw()), lse),
            "attention: z is [B=2,T=9,H=6,D=7] with places that share memory, expected each its own");
  EXPECT_EQ(forward(View(DType::i32, of_z, z.raw()), lse),
            "attention: z is of i32, expected f32, bf16 or f16");
  EXPECT_EQ(forward(z, View(DType::bf16, of_lse, lse.raw())), "attention: lse is of bf16, expected f32");
  EXPECT_EQ(forward(lse, lse),
            "attention: z is [B=2,H=6,T=9], expected the axes [B,T,H,D] in any order, or in this one without "
            "names");
  EXPECT_EQ(forward(c.q, lse), "attention: z is [B=2,T=9,H=6,D=12], expected [B=2,T=9,H=6,D=7]");

  const Saved saved{.z = z, .lse = lse, .dz = c.dz};
  Tensor dq(DType::f32, c.q.shape()), dk(DType::f32, c.k.shape()), dv(DType::f32, c.v.shape());
  const auto gradient = [&](const View& to_q, const View& to_k) {
    return message_of([&] { fused::gradient_into(c.call(), saved, to_q, to_k, dv); });
  };
  EXPECT_EQ(gradient(dq, dk), "(no error)");
  EXPECT_EQ(gradient(dq, View(DType::f32, c.k.shape(), dq.raw())),
            "attention: dk overlaps dq, expected memory of its own");
  EXPECT_EQ(gradient(c.q, dk), "attention: dq overlaps q, expected memory of its own");
  Tensor window(DType::f32, {{B, 2}, {H, 6}, {T, 9}, {S, 14}});
  EXPECT_EQ(message_of([&] { fused::window_into(c.call(), saved, {}, dq); }),
            "attention: the window is [B=2,T=9,H=6,D=12], expected the axes [B,H,T,S] in any order, or in "
            "this one without names");
  EXPECT_EQ(message_of([&] { fused::window_into(c.call(), saved, {}, window); }), "(no error)");
}

}  // namespace
}  // namespace limpid

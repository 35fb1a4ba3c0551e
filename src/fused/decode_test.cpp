// The public decode: the same as the pass forward on what the cache holds, whatever holds it; and calls that
// are wrong.  The kernel's own tests hold it to its meaning.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "core/threads.h"
#include "fused/test_helpers.h"
#include "limpid/attention.h"

namespace limpid {
namespace {

using namespace testing;
using fused::Attended;

constexpr Axis P = Axis::P;
constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();

// Two texts of 40 and 23 tokens in a cache with room for 48; the last 3 are asking.
struct Cached {
  int64_t room = 48, width = 16;
  std::vector<int64_t> lengths = {40, 23};
  Tensor q = drawn({{B, 2}, {T, 3}, {H, 6}, {D, 16}}, 1), k = drawn({{B, 2}, {S, 48}, {G, 2}, {D, 16}}, 2),
         v = drawn({{B, 2}, {S, 48}, {G, 2}, {D, 8}}, 3);
  std::vector<float> slopes = {0.1f, 0.2f, 0.f, 0.3f, 0.05f, 0.01f}, sinks = {1, -1, 0, 2, -2, 0.5f};

  fused::Decode call() const {
    return {.q = q, .keys = {k}, .values = {v}, .causal = true, .key_lengths = lengths};
  }
  // The same by the pass forward, of keys and values as floats.
  Attended forward(const Tensor& keys, const Tensor& values, const fused::Decode& options) const {
    static thread_local std::vector<int64_t> firsts;
    firsts = {lengths[0] - 3, lengths[1] - 3};
    return fused::forward({.q = q,
                           .k = keys,
                           .v = values,
                           .scale = options.scale,
                           .softcap = options.softcap,
                           .causal = options.causal,
                           .window = options.window,
                           .first_queries = firsts,
                           .key_lengths = lengths,
                           .slopes = options.slopes,
                           .sinks = options.sinks});
  }
};

void expect_near(const Tensor& got, const Tensor& expected, double by) {
  ASSERT_EQ(got.shape(), expected.shape());
  const Tensor a = got.to(DType::f32), b = expected.to(DType::f32);
  for (int64_t i = 0; i < a.count(); ++i) ASSERT_NEAR(a.data<float>()[i], b.data<float>()[i], by) << i;
}

// Pages of `each` keys, in reverse order, among others that hold NaN.
struct Paged {
  Tensor rows, pages;
  Paged(const Tensor& from, int64_t each) {
    const Shape& s = from.shape();
    const int64_t count = s[1].size / each;
    rows = Tensor(DType::f32, {{P, s[0].size * count + 2}, {S, each}, s[2], s[3]});
    std::fill_n(rows.data<float>(), rows.count(), k_nan);
    pages = Tensor(DType::i64, {{B, s[0].size}, {N, count}});
    int64_t next = rows.shape()[0].size - 1;
    for (int64_t b = 0; b < s[0].size; ++b)
      for (int64_t n = 0; n < count; ++n, --next) {
        pages.data<int64_t>()[b * count + n] = next;
        copy(from.view().window(0, b, 1).window(1, n * each, each).reshaped({{P, 1}, {S, each}, s[2], s[3]}),
             View(DType::f32, {{P, 1}, {S, each}, s[2], s[3]},
                  rows.data<float>() + next * each * s[2].size * s[3].size));
      }
  }
};

// Integers with a scale for each row, and what they stand for.
struct Integers {
  Tensor rows, scales, stand_for;
  explicit Integers(const Tensor& from)
      : rows(DType::i8, from.shape()),
        scales(DType::f32, {from.shape()[0], from.shape()[1], from.shape()[2]}),
        stand_for(DType::f32, from.shape()) {
    const int64_t width = from.shape()[3].size;
    for (int64_t i = 0; i < from.count(); ++i) {
      float& scale = scales.data<float>()[i / width];
      scale = 1.f / 127;
      const float whole = std::nearbyint(from.data<float>()[i] * 127);
      rows.data<int8_t>()[i] = static_cast<int8_t>(whole);
      stand_for.data<float>()[i] = whole * scale;
    }
  }
};

TEST(FusedDecode, IsThePassForwardOfTheLastTokens) {
  const Cached c;
  fused::Decode call = c.call();
  const auto expect_forward = [&](const char* what) {
    SCOPED_TRACE(what);
    const Attended got = fused::decode(call), expected = c.forward(c.k, c.v, call);
    expect_near(got.z, expected.z, 2e-6);
    expect_near(got.lse, expected.lse, 4e-6);
    EXPECT_EQ(got.seen.entropy.shape().rank(), 0);
  };
  expect_forward("causal");
  call.window = 9;
  expect_forward("window");
  call = c.call();
  call.slopes = c.slopes, call.sinks = c.sinks, call.softcap = 3, call.scale = 0.7;
  expect_forward("slopes, sinks, softcap");
  call = c.call();
  call.causal = false;
  expect_forward("not causal");
}

TEST(FusedDecode, CachesOfEveryType) {
  const Cached c;
  for (DType type : {DType::bf16, DType::f16}) {
    const Tensor k = c.k.to(type), v = c.v.to(type);
    fused::Decode call = c.call();
    call.keys = {k}, call.values = {v};
    expect_near(fused::decode(call).z, c.forward(k.to(DType::f32), v.to(DType::f32), call).z, 2e-6);
    call.values = {c.v};  // of another type than the keys
    expect_near(fused::decode(call).z, c.forward(k.to(DType::f32), c.v, call).z, 2e-6);
  }
  const Integers k(c.k), v(c.v);
  fused::Decode call = c.call();
  call.keys = {.rows = k.rows, .scales = k.scales}, call.values = {.rows = v.rows, .scales = v.scales};
  expect_near(fused::decode(call).z, c.forward(k.stand_for, v.stand_for, call).z, 2e-6);
  const Tensor q = c.q.to(DType::bf16);
  call.q = q;
  EXPECT_EQ(fused::decode(call).z.dtype(), DType::bf16);
}

// Law 3, and what lies beyond a length is not read.
TEST(FusedDecode, TheSameBitsInAnyLayoutAndPages) {
  Cached c;
  for (int64_t b = 0; b < 2; ++b)
    for (int64_t s = c.lengths[static_cast<size_t>(b)]; s < c.room; ++s)
      for (int64_t i = 0; i < 32; ++i) c.k.data<float>()[(b * c.room + s) * 32 + i] = k_nan;
  const Attended whole = fused::decode(c.call());
  for (int64_t i = 0; i < whole.z.count(); ++i) ASSERT_TRUE(std::isfinite(whole.z.data<float>()[i]));
  const auto expect_same = [&](const char* what, const fused::Decode& call) {
    const Attended got = fused::decode(call);
    EXPECT_TRUE(same_bits(got.z, whole.z) && same_bits(got.lse, whole.lse)) << what;
  };
  fused::Decode call = c.call();
  const Tensor heads_major = Tensor::copy_of(c.k.view().permuted({0, 2, 1, 3})),
               width_outside = Tensor::copy_of(c.v.view().permuted({3, 0, 1, 2}));
  call.keys = {heads_major};
  expect_same("heads together", call);
  call.values = {width_outside};
  expect_same("width outermost", call);
  for (int64_t each : {1, 4, 16, 48}) {
    Paged k(c.k, each), v(c.v, 12);
    for (int64_t b = 0; b < 2; ++b) {  // pages that hold nothing have no number
      const int64_t pages = c.room / each;
      for (int64_t n = (c.lengths[static_cast<size_t>(b)] + each - 1) / each; n < pages; ++n)
        k.pages.data<int64_t>()[b * pages + n] = -1;
    }
    call = c.call();
    call.keys = {.rows = k.rows, .pages = k.pages};
    expect_same("keys in pages", call);
    call.values = {.rows = v.rows, .pages = v.pages};
    expect_same("both in pages", call);
  }
  const int before = threads();
  for (int count : {1, 2, 3}) {
    set_threads(count);
    expect_same("threads", c.call());
  }
  set_threads(before);
}

TEST(FusedDecode, WritesWhereItIsTold) {
  const Cached c;
  const Attended out = fused::decode(c.call());
  Tensor z(DType::f32, {{H, 6}, {B, 2}, {D, 8}, {T, 3}}), lse(DType::f32, {{T, 3}, {B, 2}, {H, 6}});
  fused::decode_into(c.call(), z, lse);
  EXPECT_TRUE(same_bits(Tensor::copy_of(z.view().permuted({1, 3, 0, 2})), out.z));
  EXPECT_TRUE(same_bits(Tensor::copy_of(lse.view().permuted({1, 2, 0})), out.lse));
  Tensor half(DType::f16, out.z.shape());
  fused::decode_into(c.call(), half, {});
  EXPECT_TRUE(same_bits(half, out.z.to(DType::f16)));
}

TEST(FusedDecode, NothingToSee) {
  const Cached c;
  const std::vector<int64_t> none = {0, 0};
  fused::Decode call = c.call();
  call.key_lengths = none;
  const Attended out = fused::decode(call);
  for (int64_t i = 0; i < out.z.count(); ++i) EXPECT_EQ(out.z.data<float>()[i], 0);
  for (int64_t i = 0; i < out.lse.count(); ++i)
    EXPECT_EQ(out.lse.data<float>()[i], -std::numeric_limits<float>::infinity());
  const Tensor no_keys(DType::f32, {{B, 2}, {S, 0}, {G, 2}, {D, 16}}),
      no_values(DType::f32, {{B, 2}, {S, 0}, {G, 2}, {D, 8}}),
      no_queries(DType::f32, {{B, 2}, {T, 0}, {H, 6}, {D, 16}});
  EXPECT_TRUE(same_bits(fused::decode({.q = c.q, .keys = {no_keys}, .values = {no_values}}).z, out.z));
  call.q = no_queries;
  EXPECT_EQ(fused::decode(call).z.count(), 0);
}

// ---- calls that are wrong ------------------------------------------------------------------------

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::call);
    return error.what();
  }
  return "(no error)";
}

TEST(FusedDecode, WrongCallsSayWhatIsRight) {
  const Cached c;
  const Integers ints(c.k);
  Paged paged(c.k, 16);
  const Tensor narrow = drawn({{B, 2}, {S, 48}, {G, 2}, {D, 12}}, 1),
               small = drawn({{B, 2}, {S, 40}, {G, 2}, {D, 8}}, 1),
               other_heads = drawn({{B, 2}, {S, 48}, {G, 3}, {D, 8}}, 1),
               odd = drawn({{B, 2}, {S, 48}, {G, 4}, {D, 16}}, 1),
               odd_values = drawn({{B, 2}, {S, 48}, {G, 4}, {D, 8}}, 1),
               one = drawn({{B, 1}, {S, 48}, {G, 2}, {D, 16}}, 1),
               headless(DType::f32, {{B, 2}, {S, 48}, {G, 0}, {D, 16}}), doubles(DType::f64, c.k.shape()),
               words(DType::i32, {{B, 2}, {N, 3}}), few(DType::i64, {{B, 1}, {N, 3}}),
               flat(DType::f32, {{B, 2}, {S, 48}}), big(DType::f32, {{B, 2}, {S, 48}, {G, 1}});
  const std::vector<int64_t> long_one = {40, 49}, three = {1, 2, 3};
  struct Wrong {
    const char* what;
    std::function<void(fused::Decode&)> spoil;
    const char* message;
  };
  const Wrong all[] = {
      {"no q", [](auto& d) { d.q = {}; }, "attention: q is missing, expected [B,T,H,D]"},
      {"q of integers", [&](auto& d) { d.q = ints.rows; },
       "attention: q is [B=2,S=48,G=2,D=16], expected the axes [B,T,H,D] in any order, or in this one "
       "without names"},
      {"no keys", [](auto& d) { d.keys = {}; }, "attention: keys.rows is missing, expected [B,S,G,D]"},
      {"no values", [](auto& d) { d.values = {}; }, "attention: values.rows is missing, expected [B,S,G,D]"},
      {"doubles", [&](auto& d) { d.keys = {doubles}; },
       "attention: keys.rows is of f64, expected f32, bf16, f16 or i8"},
      {"narrow keys", [&](auto& d) { d.keys = {narrow}; },
       "attention: keys.rows is [B=2,S=48,G=2,D=12], expected [B=2,S=48,G=2,D=16]"},
      {"another batch", [&](auto& d) { d.keys = {one}; },
       "attention: keys.rows is [B=1,S=48,G=2,D=16], expected [B=2,S=48,G=2,D=16]"},
      {"no key heads", [&](auto& d) { d.keys = {headless}; },
       "attention: keys.rows is [B=2,S=48,G=0,D=16], expected at least 1 of G"},
      {"other heads", [&](auto& d) { d.values = {other_heads}; },
       "attention: values.rows is [B=2,S=48,G=3,D=8], expected [B=2,S=48,G=2,D=8]"},
      {"fewer values", [&](auto& d) { d.values = {small}; },
       "attention: values have room for 40 keys in a batch row, expected 48 as keys have"},
      {"uneven heads", [&](auto& d) { d.keys = {odd}, d.values = {odd_values}; },
       "attention: 6 query heads (H of q) cannot share 4 key heads (G of k) evenly"},
      {"no scales", [&](auto& d) { d.keys = {ints.rows}; },
       "attention: keys.scales is missing, expected f32 [B,S,G] with i8"},
      {"scales of floats", [&](auto& d) { d.keys = {c.k, ints.scales}; },
       "attention: keys.scales is given with rows of f32, expected it with i8 alone"},
      {"flat scales", [&](auto& d) { d.keys = {ints.rows, flat}; },
       "attention: keys.scales is [B=2,S=48], expected the axes [B,S,G] in any order, or in this one without "
       "names"},
      {"few scales", [&](auto& d) { d.keys = {ints.rows, big}; },
       "attention: keys.scales is [B=2,S=48,G=1], expected [B=2,S=48,G=2]"},
      {"pages of words", [&](auto& d) { d.keys = {.rows = paged.rows, .pages = words}; },
       "attention: keys.pages is of i32, expected i64"},
      {"pages of one row", [&](auto& d) { d.keys = {.rows = paged.rows, .pages = few}; },
       "attention: keys.pages is [B=1,N=3], expected [B=2,N=3]"},
      {"pages of a whole", [&](auto& d) { d.keys = {.rows = c.k, .pages = paged.pages}; },
       "attention: keys.rows is [B=2,S=48,G=2,D=16], expected the axes [P,S,G,D] in any order, or in this "
       "one "
       "without names"},
      {"a page that is not there", [&](auto& d) { d.keys = {.rows = paged.rows, .pages = paged.pages}; },
       "attention: keys.pages[1,1] is 8, expected 0 to 7"},
      {"too long", [&](auto& d) { d.key_lengths = long_one; },
       "attention: key_lengths[1] is 49, expected 0 to S=48"},
      {"lengths of three", [&](auto& d) { d.key_lengths = three; },
       "attention: key_lengths has 3 numbers, expected 2 (one for each B)"},
      {"a window below 0", [](auto& d) { d.window = -1; },
       "attention: window is -1, expected a number of keys, or 0 for all"},
      {"NaN scale", [](auto& d) { d.scale = k_nan; }, "attention: scale is nan, expected a finite f32"},
      {"softcap below 0", [](auto& d) { d.softcap = -1; },
       "attention: softcap is -1, expected a number above 0, or 0 for none"},
      {"slopes of three", [&](auto& d) { d.slopes = std::span(c.slopes).first(3); },
       "attention: slopes has 3 numbers, expected 6 (one for each H)"},
  };
  paged.pages.data<int64_t>()[4] = 8;
  Tensor z = drawn({{B, 2}, {T, 3}, {H, 6}, {D, 8}}, 9);
  const Tensor before = z;
  for (const Wrong& wrong : all) {
    fused::Decode call = c.call();
    wrong.spoil(call);
    EXPECT_EQ(message_of([&] { fused::decode_into(call, z, {}); }), wrong.message) << wrong.what;
    EXPECT_TRUE(same_bits(z, before)) << wrong.what;
  }
  EXPECT_EQ(message_of([&] { fused::decode_into(c.call(), {}, {}); }),
            "attention: z is missing, expected [B=2,T=3,H=6,D=8]");
  EXPECT_EQ(message_of([&] {
              fused::decode_into(c.call(), View(DType::bf16, z.shape(), const_cast<void*>(c.v.raw())), {});
            }),
            "attention: z overlaps values.rows, expected memory of its own");
  // A page that is there twice is no mistake.
  paged.pages.data<int64_t>()[4] = paged.pages.data<int64_t>()[3];
  fused::Decode call = c.call();
  call.keys = {.rows = paged.rows, .pages = paged.pages};
  EXPECT_EQ(message_of([&] { fused::decode_into(call, z, {}); }), "(no error)");
}

}  // namespace
}  // namespace limpid

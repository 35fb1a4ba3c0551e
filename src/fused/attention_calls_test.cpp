// Calls of the public fused attention that are wrong: each says what is right, and writes nothing.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "fused/test_helpers.h"
#include "limpid/attention.h"

namespace limpid {
namespace {

using namespace testing;
using fused::Attended;
using fused::Cells;
using fused::Observe;
using fused::Saved;

constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();

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
  const Saved saved{.z = out.z, .lse = out.lse, .lse_rest = out.lse_rest, .dz = c.dz};
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
    return message_of([&] { fused::window(c.call(), {.lse = out.lse, .lse_rest = out.lse_rest}, w); });
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
  EXPECT_EQ(
      message_of([&] { fused::gradient(c.call(), {.z = out.z, .lse = out.lse, .lse_rest = out.lse_rest}); }),
      "attention: dz is missing, expected [B,T,H,D]");
  EXPECT_EQ(message_of([&] {
              fused::gradient(c.call(), {.z = c.q, .lse = out.lse, .lse_rest = out.lse_rest, .dz = c.dz});
            }),
            "attention: z is [B=2,T=9,H=6,D=12], expected [B=2,T=9,H=6,D=7]");
}

TEST(FusedAttention, GradientsOfWhatIsNotThere) {
  const Case c;
  const Attended out = fused::forward(c.call());
  const Saved saved{.z = out.z, .lse = out.lse, .lse_rest = out.lse_rest, .dz = c.dz};
  const auto asking = [&](const fused::Also& also) {
    return message_of([&] { fused::gradient(c.call(), saved, also); });
  };
  EXPECT_EQ(asking({.sinks = true}), "attention: the gradient of sinks is asked for, but no sinks given");
  EXPECT_EQ(asking({.distances = true}),
            "attention: the gradient of distances is asked for, but no distances given");
  EXPECT_EQ(asking({.bias = true}), "attention: the gradient of bias is asked for, but no bias given");
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
  // Of bf16, so that z lies within the operand and reaches nothing else that the heap put behind it.
  EXPECT_EQ(forward(View(DType::bf16, of_z, c.v.raw()), lse),
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

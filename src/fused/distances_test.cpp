// A table of distances holds what is seen: none is asked for of keys that documents or allowed cells hide.
#include <gtest/gtest.h>

#include <cmath>

#include "fused/test_helpers.h"
#include "kernels/test_helpers.h"
#include "limpid/attention.h"

namespace limpid {
namespace {

using namespace testing;

constexpr int64_t k_tokens = 40, k_each = 8;  // documents of 8 tokens

// Five documents in a row, and a table for distances within one.
struct Packed {
  Tensor q = drawn({{B, 1}, {T, k_tokens}, {H, 2}, {D, 8}}, 1),
         k = drawn({{B, 1}, {S, k_tokens}, {G, 2}, {D, 8}}, 2),
         distances = drawn({{H, 2}, {N, 2 * k_each - 1}}, 3),
         wide = Tensor(DType::f32, {{H, 2}, {N, 2 * k_tokens - 1}});  // the same, and NaN beyond
  Tensor of_queries{DType::i64, {{B, 1}, {T, k_tokens}}}, of_keys{DType::i64, {{B, 1}, {S, k_tokens}}},
      allowed{DType::boolean, {{T, k_tokens}, {S, k_tokens}}};

  Packed() {
    for (int64_t t = 0; t < k_tokens; ++t) {
      of_queries.data<int64_t>()[t] = of_keys.data<int64_t>()[t] = t / k_each;
      for (int64_t s = 0; s < k_tokens; ++s)
        allowed.data<bool>()[t * k_tokens + s] = t / k_each == s / k_each;
    }
    std::fill_n(wide.data<float>(), wide.count(), NAN);
    for (int64_t h = 0; h < 2; ++h)
      for (int64_t n = 0; n < 2 * k_each - 1; ++n)
        wide.data<float>()[h * (2 * k_tokens - 1) + n + k_tokens - k_each] =
            distances.data<float>()[h * (2 * k_each - 1) + n];
  }
  fused::Attention call() const {
    fused::Attention a{.q = q, .k = k, .v = k};
    a.distances = distances, a.least_distance = 1 - k_each;
    return a;
  }
};

void expect_as_with_a_wide_table(const Packed& p, fused::Attention call) {
  const fused::Attended got = fused::forward(call, {.top = 2, .entropy = true});
  const Tensor window = fused::window(call, {.lse = got.lse}, {.cells = fused::Cells::scores});
  call.distances = p.wide, call.least_distance = 1 - k_tokens;
  const fused::Attended expected = fused::forward(call, {.top = 2, .entropy = true});
  EXPECT_TRUE(same_bits(got.z, expected.z) && same_bits(got.lse, expected.lse));
  EXPECT_TRUE(same_bits(got.seen.entropy, expected.seen.entropy));
  for (int64_t i = 0; i < got.z.count(); ++i) ASSERT_TRUE(std::isfinite(got.z.data<float>()[i]));
  const Tensor same = fused::window(call, {.lse = expected.lse}, {.cells = fused::Cells::scores});
  EXPECT_TRUE(same_bits(window, same));
  const fused::Saved saved{
      .z = expected.z, .lse = expected.lse, .lse_rest = expected.lse_rest, .dz = expected.z};
  const Tensor all = fused::gradient(call, saved, {.distances = true}).ddistances;
  call.distances = p.distances, call.least_distance = 1 - k_each;
  const Tensor seen = fused::gradient(call, saved, {.distances = true}).ddistances;
  EXPECT_TRUE(same_bits(seen, Tensor::copy_of(all.view().window(1, k_tokens - k_each, 2 * k_each - 1))));
}

TEST(Distances, NoneForWhatIsHidden) {
  const Packed p;
  kernels::testing::on_every_isa([&](const std::string&) {
    fused::Attention documents = p.call();
    documents.query_documents = p.of_queries, documents.key_documents = p.of_keys;
    expect_as_with_a_wide_table(p, documents);
    fused::Attention allowed = p.call();
    allowed.allowed = p.allowed;
    expect_as_with_a_wide_table(p, allowed);
  });
}

TEST(Distances, ForAllThatIsSeen) {
  Packed p;
  p.of_keys.data<int64_t>()[39] = 0;  // one key of the first document, far away
  fused::Attention call = p.call();
  call.query_documents = p.of_queries, call.key_documents = p.of_keys;
  try {
    fused::forward(call);
    FAIL() << "a distance that is seen is missing";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::call);
    EXPECT_NE(std::string(error.what()).find("distances hold -7 to 7, but query 0"), std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace limpid

#include <gtest/gtest.h>

#include <cmath>

#include "limpid/scene.h"

namespace limpid {
namespace {

Trace small_trace() {
  Trace trace;
  Tensor pattern(DType::f64, {{Axis::B, 1}, {Axis::H, 2}, {Axis::T, 2}, {Axis::S, 2}});
  const double weights[2][2][2] = {{{1, 0}, {0.25, 0.75}}, {{1, 0}, {0.5, 0.5}}};
  for (int64_t h = 0; h < 2; ++h)
    for (int64_t t = 0; t < 2; ++t)
      for (int64_t s = 0; s < 2; ++s) pattern.set({0, h, t, s}, weights[h][t][s]);
  trace.values.emplace("blocks.0.attn.pattern", pattern);
  return trace;
}

TEST(SourceTest, TextAndBack) {
  for (const char* text :
       {"blocks.0.attn.pattern[0,1,0,1] %.2f", "mean blocks.0.attn.pattern[0,1,0:2,1] %.3f", "loss[3] %.4f",
        "evenness x y[z][0,0,1,0:2] %+.1e", "mass blocks.0.attn.pattern[0,0:2,0:2,0:2] %.2f"})
    EXPECT_EQ(to_string(source_from(text)), text);
  for (const char* text :
       {"", "a", "a[0]", "a[x] %.2f", "[0] %.2f", "a[0] %s", "a[0] %.2f%n", "a[0] %d", "a[-1] %.2f"})
    EXPECT_THROW(source_from(text), Error) << text;
}

TEST(SourceTest, NumbersOfTheTrace) {
  const Trace trace = small_trace();
  const auto text = [&](const char* source) { return written(source_from(source), trace); };
  EXPECT_EQ(text("blocks.0.attn.pattern[0,0,1,1] %.2f"), "0.75");
  EXPECT_EQ(text("mean blocks.0.attn.pattern[0,0,0:2,0] %.3f"), "0.625");
  EXPECT_EQ(text("largest blocks.0.attn.pattern[0,0:2,1,0:2] %.2f"), "0.75");
  EXPECT_EQ(text("least blocks.0.attn.pattern[0,0:2,1,0:2] %.2f"), "0.25");
  EXPECT_EQ(text("evenness blocks.0.attn.pattern[0,1,1,0:2] %.2f"), "1.00");
  EXPECT_EQ(text("length blocks.0.attn.pattern[0,1,1,0:2] %.4f"), "0.7071");
  // Along the last axis a sum, over the others a mean: what two keys get together of four rows.
  EXPECT_EQ(text("mass blocks.0.attn.pattern[0,0:2,0:2,0:2] %.2f"), "1.00");
  EXPECT_EQ(text("mass blocks.0.attn.pattern[0,0:2,1,1] %.3f"), "0.625");
  EXPECT_THROW(text("blocks.0.attn.pattern[0,0,2,0] %.2f"), Error);
  EXPECT_THROW(text("mean blocks.0.attn.pattern[0,0,0:3,0] %.2f"), Error);
  EXPECT_THROW(text("blocks.0.attn.pattern[0,0] %.2f"), Error);
  EXPECT_THROW(text("blocks.1.attn.pattern[0,0,0,0] %.2f"), Error);
}

TEST(SourceTest, NoNegativeZeroAndNamesForWhatIsNotFinite) {
  EXPECT_EQ(written(Source{.stage = "a"}, -0.001), ">-0.01");
  EXPECT_EQ(written(Source{.stage = "a"}, -0.01), "-0.01");
  EXPECT_EQ(written(Source{.stage = "a"}, NAN), "NaN");
  EXPECT_EQ(written(Source{.stage = "a"}, -INFINITY), "-inf");
}

}  // namespace
}  // namespace limpid

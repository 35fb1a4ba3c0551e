// Attention against its meaning in double, over drawn shapes and options.
#include "kernels/test_attention.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace limpid::kernels {
namespace {

using testing::Case;
using testing::Draw;
using testing::drawn_options;
using testing::on_every_isa;
using testing::Options;

RC_GTEST_PROP(Attention, DrawnShapes, ()) {
  Draw draw(*rc::gen::arbitrary<uint32_t>());
  AttentionShape s;
  s.batch = *rc::gen::inRange<int64_t>(1, 3);
  s.queries = *rc::gen::inRange<int64_t>(0, 70);
  s.keys = *rc::gen::inRange<int64_t>(0, 110);
  s.key_heads = *rc::gen::inRange<int64_t>(1, 3);
  s.heads = s.key_heads * *rc::gen::inRange<int64_t>(1, 4);
  s.width = *rc::gen::inRange<int64_t>(1, 40);
  s.value_width = *rc::gen::inRange<int64_t>(1, 40);
  const Options options = drawn_options(draw);
  on_every_isa([&](const std::string&) {
    Case c(draw, s, options);
    c.expect_right(c.run());
  });
  RC_ASSERT(!::testing::Test::HasFailure());
}

// Of one head the keys of a last document that nobody asks for are the easiest to write to the wrong place.
TEST(Attention, DocumentsThatNobodyAsksFor) {
  on_every_isa([](const std::string&) {
    Draw draw(12);
    Options o;
    o.documents = o.by_document = true;
    for (const int64_t heads : {1, 2}) {
      Case c(draw, {2, 2, 4, heads, heads, 8, 8}, o);
      c.query_documents = {1, 1, 0, 1};
      c.key_documents = {0, 1, 2, 2, 0, 0, 3, 3};
      c.expect_right(c.run());
    }
  });
}

TEST(Attention, EveryBlockEdge) {
  on_every_isa([](const std::string& isa) {
    Draw draw(11);
    for (int64_t queries : {1, 15, 16, 17, 63, 64, 65, 113, 128, 257}) {
      for (int64_t keys : {1, 6, 7, 18, 19, 95, 96, 97, 113, 192, 193, 267}) {
        if (isa == "plain" && queries * keys > 10000) continue;
        Options o = drawn_options(draw);
        AttentionShape s{1, queries, keys, 2, 1, draw.whole(1, 70), draw.whole(1, 70)};
        SCOPED_TRACE(join(queries, " queries, ", keys, " keys, widths ", s.width, " ", s.value_width));
        Case c(draw, s, o);
        c.expect_right(c.run());
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  });
}

TEST(Attention, WidthsAndGroupsOfHeads) {
  on_every_isa([](const std::string& isa) {
    Draw draw(17);
    const int64_t widths[][2] = {{40, 80},  {80, 40},   {96, 113}, {113, 96},
                                 {128, 64}, {160, 256}, {256, 24}, {576, 512}};
    for (const auto& [width, value_width] : widths) {
      SCOPED_TRACE(join("widths ", width, " ", value_width));
      Case c(draw, {1, 70, 101, 1, 1, width, value_width}, drawn_options(draw));
      c.expect_right(c.run());
      if (::testing::Test::HasFatalFailure()) return;
    }
    for (const auto& [heads, key_heads] : {std::pair{65, 5}, {27, 1}}) {
      SCOPED_TRACE(join(heads, " heads, ", key_heads, " key heads"));
      Case c(draw, {1, 19, 33, heads, key_heads, 12, 9}, drawn_options(draw));
      c.expect_right(c.run());
      if (::testing::Test::HasFatalFailure()) return;
    }
    // Several tiles of queries pass over the keys together; then with a key head to each query head.
    for (int64_t key_heads : {3, 9}) {
      for (int round = 0; round < 6; ++round) {
        SCOPED_TRACE(join(key_heads, " key heads, round ", round));
        Case c(draw, {1, 267, 113, 9, key_heads, 20, 17}, drawn_options(draw));
        c.expect_right(c.run());
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
    if (isa == "plain") return;
    Case few_queries(draw, {1, 3, 1030, 1, 1, 16, 8}, {true});
    few_queries.expect_right(few_queries.run());
    Case few_keys(draw, {1, 1030, 3, 1, 1, 16, 8}, {});
    few_keys.expect_right(few_keys.run());
  });
}

}  // namespace
}  // namespace limpid::kernels

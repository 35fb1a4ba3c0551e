// Law 3: which bits of attention depend on what.
#include "kernels/test_attention.h"

#include <gtest/gtest.h>

namespace limpid::kernels {
namespace {

using testing::at_any_threads;
using testing::Case;
using testing::Draw;
using testing::drawn_options;
using testing::on_every_isa;
using testing::Options;
using testing::Results;
using testing::same_bits;

// Queries are split where heads are few: the order of sums stays the shape's.
TEST(Attention, SameBitsAtAnyThreads) {
  on_every_isa([](const std::string&) {
    Draw draw(12);
    for (const AttentionShape& shape :
         {AttentionShape{2, 130, 150, 4, 2, 24, 20}, AttentionShape{1, 267, 113, 1, 1, 32, 48}}) {
      Options o = drawn_options(draw);
      o.causal = o.sinks = o.distances = o.added_gradients = true;
      Case c(draw, shape, o);
      at_any_threads([&] { return c.run().all(); });
      EXPECT_GE(AttentionBackward(c.args, {}).tasks(), 2);
    }
  });
}

// Law 3: a row has the same bits alone as among others, wherever it falls in a block.
TEST(Attention, RowAloneHasTheSameBits) {
  on_every_isa([](const std::string&) {
    Draw draw(13);
    for (int round = 0; round < 8; ++round) {
      Options o = drawn_options(draw);
      // These, and what is dropped, go by t.
      o.bias = o.own_first = o.allowed = o.documents = o.places = false;
      o.dropout = 0;
      const AttentionShape shape{2, 90, 140, 2, 1, 24, 20};
      Case all(draw, shape, o);
      const Results whole = all.run();
      for (int64_t first : {0, 1, 17, 63, 64, 89}) {
        Case part = all;
        part.shape.queries = part.args.shape.queries = first == 0 ? 1 : shape.queries - first;
        part.args.first_query = all.position(0, first);
        for (int64_t& f : part.firsts) f += first;
        part.q.values.erase(part.q.values.begin(), part.q.values.begin() + first * all.q.at.row);
        part.dz.values.erase(part.dz.values.begin(), part.dz.values.begin() + first * all.dz.at.row);
        const Results got = part.run();
        for (int64_t b = 0; b < 2; ++b) {
          for (int64_t t = 0; t < part.shape.queries; ++t) {
            EXPECT_TRUE(same_bits(got.z.row(b, t, 1), whole.z.row(b, t + first, 1), 20)) << first << " " << t;
            EXPECT_TRUE(same_bits(got.dq.row(b, t, 1), whole.dq.row(b, t + first, 1), 24))
                << first << " " << t;
          }
        }
      }
    }
  });
}

// Law 3: an entry of a batch has the same bits alone, its keys' gradients too, however few its heads are.
TEST(Attention, EntryAloneHasTheSameBits) {
  on_every_isa([](const std::string&) {
    Draw draw(19);
    for (const AttentionShape& shape :
         {AttentionShape{9, 300, 140, 2, 1, 24, 20}, AttentionShape{5, 267, 113, 1, 1, 32, 48}}) {
      Case all(draw, shape, drawn_options(draw));
      Case one = all;
      one.shape.batch = one.args.shape.batch = 1;
      const Results whole = all.run(), alone = one.run();
      for (int64_t s = 0; s < shape.keys; ++s) {
        EXPECT_TRUE(alone.dk.same_row(whole.dk, 0, s, 0)) << "dk " << s;
        EXPECT_TRUE(alone.dv.same_row(whole.dv, 0, s, 0)) << "dv " << s;
      }
      for (int64_t t = 0; t < shape.queries; ++t) {
        EXPECT_TRUE(alone.z.same_row(whole.z, 0, t, 0)) << "z " << t;
        EXPECT_TRUE(alone.dq.same_row(whole.dq, 0, t, 0)) << "dq " << t;
      }
    }
  });
}

// Law 3: a document of a row of them has the same bits alone.
TEST(Attention, DocumentAloneHasTheSameBits) {
  on_every_isa([](const std::string&) {
    Draw draw(21);
    for (const bool causal : {false, true}) {
      Options o{.causal = causal};
      o.documents = o.by_document = true;
      constexpr int64_t k_first = 37, k_second = 53;
      Case all(draw, {1, k_first + k_second, k_first + k_second, 4, 2, 24, 20}, o);
      for (int64_t t = 0; t < k_first + k_second; ++t)
        all.query_documents[static_cast<size_t>(t)] = all.key_documents[static_cast<size_t>(t)] =
            t >= k_first;
      const Results whole = all.run();
      Case alone = all;
      alone.options.documents = alone.options.by_document = false;
      alone.query_documents.clear(), alone.key_documents.clear();
      alone.shape.queries = alone.shape.keys = alone.args.shape.queries = alone.args.shape.keys = k_second;
      for (testing::Heads* rows : {&alone.q, &alone.k, &alone.v, &alone.dz})
        rows->values.erase(rows->values.begin(), rows->values.begin() + k_first * rows->at.row);
      const Results got = alone.run();
      for (int64_t t = 0; t < k_second; ++t) {
        for (int64_t h = 0; h < 4; ++h) {
          EXPECT_TRUE(same_bits(got.z.row(0, t, h), whole.z.row(0, t + k_first, h), 20)) << t;
          EXPECT_TRUE(same_bits(got.dq.row(0, t, h), whole.dq.row(0, t + k_first, h), 24)) << t;
        }
        for (int64_t h = 0; h < 2; ++h) {
          EXPECT_TRUE(same_bits(got.dk.row(0, t, h), whole.dk.row(0, t + k_first, h), 24)) << t;
          EXPECT_TRUE(same_bits(got.dv.row(0, t, h), whole.dv.row(0, t + k_first, h), 20)) << t;
        }
      }
    }
  });
}

// Law 3: what a row cannot see may be anything, and so may another batch entry.
TEST(Attention, WhatIsNotSeenChangesNoBit) {
  on_every_isa([](const std::string&) {
    Draw draw(18);
    for (int round = 0; round < 12; ++round) {
      Options o = drawn_options(draw);
      o.causal = true;
      o.own_first = o.ragged = false;
      const AttentionShape shape{2, 90, 140, 3, 1, 20, 17};
      Case before(draw, shape, o);
      const Results old = before.run();
      const auto change = [&](Case& c, int64_t b, int64_t from) {  // tokens from query `from` on
        for (int64_t h = 0; h < 3; ++h) {
          for (int64_t t = from; t < shape.queries; ++t) {
            for (int64_t d = 0; d < 20; ++d) c.q.row(b, t, h)[d] *= 2;
            for (int64_t d = 0; d < 17; ++d) c.dz.row(b, t, h)[d] *= -2;
          }
        }
        for (int64_t s = from == 0 ? 0 : c.position(b, from); s < shape.keys; ++s) {
          for (int64_t d = 0; d < 20; ++d) c.k.row(b, s, 0)[d] *= -2;
          for (int64_t d = 0; d < 17; ++d) c.v.row(b, s, 0)[d] *= 2;
        }
      };
      Case other_entry = before, later = before;
      change(other_entry, 1, 0);
      const Results one = other_entry.run();
      for (int64_t s = 0; s < shape.keys; ++s) {
        EXPECT_TRUE(one.dk.same_row(old.dk, 0, s, 0)) << "dk " << s;
        EXPECT_TRUE(one.dv.same_row(old.dv, 0, s, 0)) << "dv " << s;
      }
      const int64_t from = draw.whole(1, shape.queries - 1);
      change(later, 0, from);
      const Results two = later.run();
      for (int64_t h = 0; h < 3; ++h) {
        for (int64_t t = 0; t < shape.queries; ++t) {
          EXPECT_TRUE(one.z.same_row(old.z, 0, t, h)) << "z " << h << " " << t;
          EXPECT_TRUE(one.dq.same_row(old.dq, 0, t, h)) << "dq " << h << " " << t;
          if (t >= from) continue;
          EXPECT_TRUE(two.z.same_row(old.z, 0, t, h)) << "z, later tokens " << h << " " << t;
          EXPECT_TRUE(two.dq.same_row(old.dq, 0, t, h)) << "dq, later tokens " << h << " " << t;
        }
      }
    }
  });
}

}  // namespace
}  // namespace limpid::kernels

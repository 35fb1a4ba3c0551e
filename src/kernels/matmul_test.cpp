#include "kernels/matmul.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "kernels/test_helpers.h"
#include "limpid/error.h"

namespace limpid::kernels {
namespace {

using testing::at_any_threads;
using testing::Draw;
using testing::on_every_isa;
using testing::same_bits;

constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();

// A product with its own storage: operands with strides wider than they need, C with a margin of NaN.
struct Product {
  MatmulArgs args;
  std::vector<float> a, b, bias, c;

  Product(Draw& draw, int64_t m, int64_t n, int64_t k, bool ta, bool tb, int64_t batch = 1) {
    args.m = m, args.n = n, args.k = k, args.transpose_a = ta, args.transpose_b = tb, args.batch = batch;
    args.lda = (ta ? m : k) + draw.whole(0, 3);
    args.ldb = (tb ? k : n) + draw.whole(0, 3);
    args.ldc = n + draw.whole(0, 3);
    args.batch_a = (ta ? k : m) * args.lda + 1;
    args.batch_b = (tb ? n : k) * args.ldb + 2;
    args.batch_c = m * args.ldc + 3;
    a = draw.reals(batch * args.batch_a + 1);
    b = draw.reals(batch * args.batch_b + 1);
    bias = draw.reals(n + 1);
    c.assign(static_cast<size_t>(batch * args.batch_c + 1), k_nan);
    if (draw.whole(0, 1)) args.bias = bias.data();
    if (draw.whole(0, 1)) {
      args.accumulate = true;
      for (int64_t i = 0; i < batch; ++i) {
        for (int64_t r = 0; r < m; ++r) {
          for (int64_t j = 0; j < n; ++j) at(c, i, r, j) = draw.real(-1, 1);
        }
      }
    }
  }

  float& at(std::vector<float>& values, int64_t item, int64_t r, int64_t j) const {
    return values[static_cast<size_t>(item * args.batch_c + r * args.ldc + j)];
  }

  std::vector<float> run() {
    std::vector<float> out = c;
    args.a = a.data(), args.b = b.data(), args.c = out.data();
    launch(Matmul(args));
    return out;
  }

  // The meaning, in double, and how far f32 may be from it: one rounding a step, each at most half an ulp of
  // a partial sum that is at most `size`.
  void expect_right(std::vector<float> got) {
    std::vector<float> before = c;
    for (int64_t i = 0; i < args.batch; ++i) {
      for (int64_t r = 0; r < args.m; ++r) {
        for (int64_t j = 0; j < args.n; ++j) {
          const double start = args.accumulate ? at(before, i, r, j) : 0.0;
          const double last = args.bias ? bias[static_cast<size_t>(j)] : 0.0;
          double sum = start, size = std::abs(start) + std::abs(last);
          for (int64_t p = 0; p < args.k; ++p) {
            const float x = a[static_cast<size_t>(i * args.batch_a +
                                                  (args.transpose_a ? p * args.lda + r : r * args.lda + p))];
            const float y = b[static_cast<size_t>(i * args.batch_b +
                                                  (args.transpose_b ? j * args.ldb + p : p * args.ldb + j))];
            sum += static_cast<double>(x) * y;
            size += std::abs(static_cast<double>(x) * y);
          }
          const double bound = (2.0 * static_cast<double>(args.k) + 2) * 6e-8 * size;
          ASSERT_NEAR(at(got, i, r, j), sum + last, bound) << "cell " << i << "," << r << "," << j;
          at(got, i, r, j) = at(before, i, r, j);
        }
      }
    }
    EXPECT_TRUE(same_bits(got, before)) << "wrote beside C";
  }
};

TEST(Matmul, EveryTileEdge) {
  on_every_isa([](const std::string&) {
    Draw draw(1);
    for (int64_t m : {1, 2, 3, 4, 5, 6, 7, 13, 24, 25}) {
      for (int64_t n : {1, 4, 7, 8, 15, 16, 17, 31, 33, 48, 63, 64, 65, 100, 129}) {
        for (int64_t k : {1, 3, 4, 17}) {
          for (int form = 0; form < 4; ++form) {
            Product product(draw, m, n, k, form & 1, form & 2);
            SCOPED_TRACE(join(m, "x", n, "x", k, " form ", form));
            product.expect_right(product.run());
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  });
}

TEST(Matmul, EveryBlockEdge) {
  on_every_isa([](const std::string& isa) {
    Draw draw(2);
    const bool slow = isa == "plain";
    for (int64_t k : {127, 128, 129, 191, 192, 193, 256, 385, 700}) {
      for (int form = 0; form < 4; ++form) {
        Product product(draw, slow ? 14 : 98, slow ? 35 : 130, k, form & 1, form & 2);
        SCOPED_TRACE(join("k ", k, " form ", form));
        product.expect_right(at_any_threads([&] { return product.run(); }));
      }
    }
    for (int64_t k : {511, 513, 768, 769, 1024, 1536, 1537, 1600, 3100}) {  // one step of K, two, three
      Product deep(draw, 8, slow ? 3 : 70, k, k & 1, k & 2);
      SCOPED_TRACE(join("k ", k));
      deep.expect_right(at_any_threads([&] { return deep.run(); }));
    }
    Product wide(draw, 50, 1100, 40, false, true), tall(draw, slow ? 900 : 2060, 70, 40, true, false);
    wide.expect_right(at_any_threads([&] { return wide.run(); }));
    tall.expect_right(at_any_threads([&] { return tall.run(); }));
  });
}

RC_GTEST_PROP(Matmul, DrawnShapes, ()) {
  const uint64_t seed = *rc::gen::arbitrary<uint32_t>();
  Draw draw(seed);
  const int64_t m = *rc::gen::inRange<int64_t>(0, 80), n = *rc::gen::inRange<int64_t>(0, 150);
  const int64_t k = *rc::gen::inRange<int64_t>(0, 200), batch = *rc::gen::inRange<int64_t>(1, 4);
  on_every_isa([&](const std::string&) {
    Product product(draw, m, n, k, draw.whole(0, 1), draw.whole(0, 1), batch);
    product.expect_right(at_any_threads([&] { return product.run(); }));
  });
  RC_ASSERT(!::testing::Test::HasFailure());
}

// Law 3: a cell has the same bits whatever stands around it.
TEST(Matmul, RowAloneHasTheSameBits) {
  on_every_isa([](const std::string&) {
    Draw draw(3);
    for (int form = 0; form < 4; ++form) {
      Product all(draw, 97, 131, 333, form & 1, form & 2);
      std::vector<float> whole = all.run();
      for (int64_t r : {0, 5, 50, 96}) {
        Product one = all;
        one.a.erase(one.a.begin(), one.a.begin() + r * (all.args.transpose_a ? 1 : all.args.lda));
        one.c.erase(one.c.begin(), one.c.begin() + r * all.args.ldc);
        one.args.m = 1;
        one.args.bias = all.args.bias ? one.bias.data() : nullptr;
        EXPECT_TRUE(same_bits(one.run().data(), &whole[static_cast<size_t>(r * all.args.ldc)], all.args.n));
      }
    }
  });
}

// Few rows, some and many, narrow and wide, a short K and a long one go different ways to the same cell.
TEST(Matmul, TheNumberOfRowsChangesNoBit) {
  on_every_isa([](const std::string& isa) {
    Draw draw(6);
    const std::pair<int64_t, int64_t> sizes[] = {{5, 2100},   {70, 1500},   {70, 9001},  {129, 1031},
                                                 {1030, 130}, {2100, 1031}, {2100, 2048}};
    for (const auto& [k, n] : sizes) {
      if (isa == "plain" && k * n > 200000) continue;  // slow
      Product all(draw, 60, n, k, false, false);
      const std::vector<float> whole = all.run();
      for (int64_t m : {1, 2, 4, 5, 7, 8, 9, 13, 16, 17, 25, 49}) {
        SCOPED_TRACE(join(m, "x", n, "x", k));
        Product some = all;
        some.args.m = m;
        some.args.bias = all.args.bias ? some.bias.data() : nullptr;
        const std::vector<float> got = at_any_threads([&] { return some.run(); });
        EXPECT_TRUE(same_bits(got.data(), whole.data(), m * all.args.ldc - (all.args.ldc - n)));
        EXPECT_TRUE(same_bits(&got[static_cast<size_t>(m * all.args.ldc)],
                              &all.c[static_cast<size_t>(m * all.args.ldc)], (60 - m) * all.args.ldc))
            << "wrote beside C";
      }
    }
  });
}

// A product of one row with each B, so that what was read before them was not read lately.
void read_a_row(const std::vector<float> (&others)[3], int64_t k, int64_t n) {
  std::vector<float> a(static_cast<size_t>(k)), c(static_cast<size_t>(n));
  MatmulArgs args;
  args.m = 1, args.n = n, args.k = k, args.lda = k, args.ldb = args.ldc = n;
  for (const std::vector<float>& b : others) {
    args.a = a.data(), args.b = b.data(), args.c = c.data();
    launch(Matmul(args));
  }
}

// A B that was read lately is read another way than one that comes from memory: as a row, or by more than
// eight rows of C, which a B of 2 Mi numbers has.
TEST(Matmul, WhatWasReadLatelyChangesNoBit) {
  on_every_isa([](const std::string& isa) {
    if (isa == "plain") return;  // slow, and the compiled loops are the same
    Draw draw(7);
    const int64_t k = 1031, n = 2100;  // 8.7 MB
    std::vector<float> others[3];      // 26 MB: more than counts as read lately
    for (std::vector<float>& other : others) other = draw.reals(k * n);
    for (int64_t m : {1, 3, 9, 12, 13, 16}) {
      SCOPED_TRACE(m);
      Product product(draw, m, n, k, false, false);
      read_a_row(others, k, n);
      const std::vector<float> far = product.run(), near = product.run();
      read_a_row(others, k, n);
      EXPECT_TRUE(same_bits(far, near));
      EXPECT_TRUE(same_bits(far, product.run())) << "from memory again";
      product.expect_right(far);
    }
  });
}

// Every instruction set with a fused multiply-add gives the same bits: a cell is the same chain on all.
TEST(Matmul, VectorWidthChangesNoBit) {
  std::vector<float> first;
  on_every_isa([&](const std::string& isa) {
    if (isa == "plain") return;  // its multiply-add rounds twice
    Draw draw(4);
    const std::vector<float> got = Product(draw, 61, 75, 300, false, true).run();
    if (first.empty()) first = got;
    EXPECT_TRUE(same_bits(first, got));
  });
}

TEST(Matmul, NaNStaysInItsRowAndColumn) {
  on_every_isa([](const std::string&) {
    Draw draw(5);
    Product product(draw, 20, 70, 30, false, false);
    product.args.accumulate = false, product.args.bias = nullptr;
    const std::vector<float> clean = product.run();
    product.a[static_cast<size_t>(7 * product.args.lda + 3)] = k_nan;
    product.b[static_cast<size_t>(4 * product.args.ldb + 66)] = std::numeric_limits<float>::infinity();
    std::vector<float> got = product.run(), want = clean;
    for (int64_t r = 0; r < 20; ++r) {
      for (int64_t j = 0; j < 70; ++j) {
        const float value = product.at(got, 0, r, j);
        if (r == 7) {
          EXPECT_TRUE(std::isnan(value)) << j;
        } else if (j == 66) {
          EXPECT_FALSE(std::isfinite(value)) << r;
        } else {
          EXPECT_EQ(value, product.at(want, 0, r, j)) << r << "," << j;
        }
      }
    }
  });
}

TEST(Isa, AWrongNameIsAnErrorThatListsTheRightOnes) {
  try {
    force_isa("mmx");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Error::Kind::call);
    EXPECT_NE(std::string(error.what()).find(isa_names().front()), std::string::npos) << error.what();
  }
}

TEST(Isa, ForcedNameIsTheOneInUse) {
  on_every_isa([](const std::string& name) { EXPECT_EQ(isa_name(), name); });
}

}  // namespace
}  // namespace limpid::kernels

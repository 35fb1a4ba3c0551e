// What a product can do beside multiplying: each is held, bit for bit, to the plain product (matmul_test.cpp
// holds that to double) of operands laid out plainly, followed by separate kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <type_traits>

#include "kernels/elementwise.h"
#include "kernels/matmul.h"
#include "kernels/test_helpers.h"
#include "limpid/error.h"

namespace limpid::kernels {
namespace {

using testing::at_any_threads;
using testing::Draw;
using testing::on_every_isa;
using testing::same_bits;

constexpr float k_nan = std::numeric_limits<float>::quiet_NaN();

// [B,T,H,D] as a matrix of B T rows and H D columns, and the same numbers as [B,H,T,D], places between the
// rows and the heads included.
struct Cut {
  int64_t batch, time, heads, width;
  int64_t rows() const { return batch * time; }
  int64_t columns() const { return heads * width; }
  int64_t ld() const { return width + 1; }
  Heads layout() const { return {time, heads * time * ld() + 5, width, time * ld()}; }
  int64_t size() const { return batch * (heads * time * ld() + 5); }
  int64_t at(int64_t r, int64_t c) const {
    return r / time * layout().rows_apart + c / width * layout().columns_apart + r % time * ld() + c % width;
  }
  std::vector<float> cut(const std::vector<float>& plain, float fill = k_nan) const {
    std::vector<float> out(static_cast<size_t>(size()), fill);
    for (int64_t r = 0; r < rows(); ++r) {
      for (int64_t c = 0; c < columns(); ++c) {
        out[static_cast<size_t>(at(r, c))] = plain[static_cast<size_t>(r * columns() + c)];
      }
    }
    return out;
  }
};

// The heads of these tests: whole vectors and not, as wide as a tile of some instruction set, half as wide,
// and neither, single ones.
const Cut k_cuts[] = {{2, 7, 3, 16}, {1, 13, 2, 64}, {3, 6, 5, 20},  {2, 1, 4, 33}, {1, 40, 1, 128},
                      {5, 3, 2, 8},  {2, 50, 4, 64}, {2, 40, 6, 32}, {2, 9, 7, 4},  {1, 20, 9, 2}};

std::vector<float> product(MatmulArgs args, const std::vector<float>& a, const std::vector<float>& b,
                           std::vector<float> c) {
  args.a = a.data(), args.b = b.data(), args.c = c.data();
  return at_any_threads([&] {
    std::vector<float> out = c;
    args.c = out.data();
    launch(Matmul(args));
    return out;
  });
}

MatmulArgs plain_args(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b) {
  MatmulArgs args;
  args.m = m, args.n = n, args.k = k, args.transpose_a = transpose_a, args.transpose_b = transpose_b;
  args.lda = transpose_a ? m : k, args.ldb = transpose_b ? k : n, args.ldc = n;
  return args;
}

TEST(MatmulLayout, ACutIntoHeads) {
  on_every_isa([](const std::string&) {
    Draw draw(1);
    for (const Cut& cut : k_cuts) {
      for (int form = 0; form < 4; ++form) {
        const bool ta = form & 1, tb = form & 2;
        SCOPED_TRACE(join("width ", cut.width, " time ", cut.time, " form ", form));
        const int64_t n = draw.whole(1, 100);
        MatmulArgs args =
            plain_args(ta ? cut.columns() : cut.rows(), n, ta ? cut.rows() : cut.columns(), ta, tb);
        const std::vector<float> a = draw.reals(args.m * args.k), b = draw.reals(args.k * n);
        const std::vector<float> c(static_cast<size_t>(args.m * n), k_nan);
        const std::vector<float> want = product(args, a, b, c);
        args.a_heads = cut.layout();
        args.lda = cut.ld();
        EXPECT_TRUE(same_bits(product(args, cut.cut(a), b, c), want));
      }
    }
  });
}

TEST(MatmulLayout, BCutIntoHeads) {
  on_every_isa([](const std::string&) {
    Draw draw(2);
    for (const Cut& cut : k_cuts) {
      for (int form = 0; form < 4; ++form) {
        const bool ta = form & 1, tb = form & 2;
        SCOPED_TRACE(join("width ", cut.width, " time ", cut.time, " form ", form));
        const int64_t m = draw.whole(1, 60);
        MatmulArgs args =
            plain_args(m, tb ? cut.rows() : cut.columns(), tb ? cut.columns() : cut.rows(), ta, tb);
        const std::vector<float> a = draw.reals(m * args.k), b = draw.reals(args.k * args.n);
        const std::vector<float> c(static_cast<size_t>(m * args.n), k_nan);
        const std::vector<float> want = product(args, a, b, c);
        args.b_heads = cut.layout();
        args.ldb = cut.ld();
        EXPECT_TRUE(same_bits(product(args, a, cut.cut(b), c), want));
      }
    }
  });
}

TEST(MatmulLayout, CCutIntoHeads) {
  on_every_isa([](const std::string&) {
    Draw draw(3);
    for (const Cut& cut : k_cuts) {
      for (int form = 0; form < 4; ++form) {
        for (int64_t k : {3, 70, 1600}) {
          SCOPED_TRACE(join("width ", cut.width, " time ", cut.time, " form ", form, " k ", k));
          if (k == 1600 && isa_name() == "plain") continue;  // slow
          MatmulArgs args = plain_args(cut.rows(), cut.columns(), k, form & 1, form & 2);
          const std::vector<float> a = draw.reals(args.m * k), b = draw.reals(k * args.n);
          const std::vector<float> bias = draw.reals(args.n), c = draw.reals(args.m * args.n);
          args.bias = draw.whole(0, 1) ? bias.data() : nullptr;  // without: straight to where C is cut
          args.accumulate = draw.whole(0, 1);
          const std::vector<float> want = product(args, a, b, c);
          args.c_heads = cut.layout();
          args.ldc = cut.ld();
          EXPECT_TRUE(same_bits(product(args, a, b, cut.cut(c)), cut.cut(want))) << "or wrote beside C";
        }
      }
    }
  });
}

// Q, K and V beside each other in one B, each head's rows together, for every token of a batch.
TEST(MatmulLayout, AttentionThereAndBack) {
  on_every_isa([](const std::string&) {
    Draw draw(4);
    const Cut cut{2, 19, 3, 32};
    const int64_t width = 96;
    MatmulArgs args = plain_args(cut.rows(), cut.columns(), width, false, false);
    const std::vector<float> x = draw.reals(args.m * width), w = draw.reals(width * args.n);
    const std::vector<float> zeros(static_cast<size_t>(args.m * args.n));
    const std::vector<float> q = product(args, x, w, zeros);
    args.c_heads = cut.layout(), args.ldc = cut.ld();
    const std::vector<float> heads = product(args, x, w, cut.cut(zeros, 0));

    // dx = dq w^T and dw = x^T dq from the heads' own layout
    MatmulArgs dx = plain_args(cut.rows(), width, cut.columns(), false, true);
    const std::vector<float> want_dx = product(dx, q, w, x);
    dx.a_heads = cut.layout(), dx.lda = cut.ld();
    EXPECT_TRUE(same_bits(product(dx, heads, w, x), want_dx));
    MatmulArgs dw = plain_args(width, cut.columns(), cut.rows(), true, false);
    const std::vector<float> want_dw = product(dw, x, q, w);
    dw.b_heads = cut.layout(), dw.ldb = cut.ld();
    EXPECT_TRUE(same_bits(product(dw, x, heads, w), want_dw));
  });
}

// ---- 16-bit B ------------------------------------------------------------------------------------

template <class T, class Convert>
void expect_converted(DType type, Convert convert) {
  on_every_isa([&](const std::string&) {
    Draw draw(5);
    for (int64_t m : {1, 2, 3, 5, 6, 30, 70}) {
      for (int64_t n : {1, 16, 33, 64, 130}) {
        for (int form = 0; form < 4; ++form) {
          const int64_t k = draw.whole(1, 150);
          SCOPED_TRACE(join(m, "x", n, "x", k, " form ", form));
          MatmulArgs args = plain_args(m, n, k, form & 1, form & 2);
          const std::vector<float> a = draw.reals(m * k);
          std::vector<float> b = draw.reals(k * n), c(static_cast<size_t>(m * n), k_nan);
          std::vector<T> small;
          for (float& x : b) {
            small.push_back(convert(x));
            x = to_float(small.back());
          }
          const std::vector<float> want = product(args, a, b, c);
          args.a = a.data(), args.b = small.data(), args.c = c.data(), args.b_type = type;
          launch(Matmul(args));
          EXPECT_TRUE(same_bits(c, want));
        }
      }
    }
  });
}

TEST(MatmulLayout, BStoredAsBf16) {
  expect_converted<bf16>(DType::bf16, [](float x) { return to_bf16(x); });
}
TEST(MatmulLayout, BStoredAsF16) {
  expect_converted<f16>(DType::f16, [](float x) { return to_f16(x); });
}

// ---- what follows the sum ------------------------------------------------------------------------

std::vector<float> apply(Function function, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  Elementwise e;
  e.function = function, e.a = x.data(), e.out = y.data(), e.count = static_cast<int64_t>(x.size());
  launch(e);
  return y;
}

TEST(MatmulLayout, BiasActivationResidual) {
  const std::pair<Activation, Function> activations[] = {{Activation::relu, Function::relu},
                                                         {Activation::gelu, Function::gelu},
                                                         {Activation::gelu_tanh, Function::gelu_tanh},
                                                         {Activation::silu, Function::silu},
                                                         {Activation::tanh, Function::tanh}};
  on_every_isa([&](const std::string&) {
    Draw draw(6);
    for (int64_t m : {1, 4, 6, 29}) {
      for (int64_t n : {1, 15, 16, 64, 131}) {
        for (const auto& [activation, function] : activations) {
          for (bool transposed : {false, true}) {
            const int64_t k = draw.whole(1, 90);
            SCOPED_TRACE(join(m, "x", n, "x", k, " activation ", static_cast<int>(activation)));
            MatmulArgs args = plain_args(m, n, k, false, transposed);
            const std::vector<float> a = draw.reals(m * k), b = draw.reals(k * n), c = draw.reals(m * n);
            const std::vector<float> bias = draw.reals(n), residual = draw.reals(m * n);
            args.bias = draw.whole(0, 1) ? bias.data() : nullptr;
            args.accumulate = draw.whole(0, 1);
            const std::vector<float> sums = product(args, a, b, c);
            std::vector<float> want = apply(function, sums), before(sums.size());
            for (size_t i = 0; i < want.size(); ++i) want[i] += residual[i];
            args.activation = activation;
            args.before = before.data(), args.residual = residual.data();
            args.ld_before = args.ld_residual = n;
            EXPECT_TRUE(same_bits(product(args, a, b, c), want));
            EXPECT_TRUE(same_bits(before, sums));
          }
        }
      }
    }
  });
}

// Some rows and a large B: strips of B that several groups of rows share (k, n with a tail of everything), A
// as it lies and transposed.  The plain product of one row each is what they are held to.
template <class T, class Convert>
void expect_strips(DType type, Convert convert) {
  on_every_isa([&](const std::string& isa) {
    if (isa == "plain") return;  // slow, and the compiled loops are the same
    Draw draw(11);
    const int64_t k = 2100, n = 1031, most = 16;
    std::vector<float> b = draw.reals(k * n);
    std::vector<T> stored;
    for (float& x : b) {
      stored.push_back(convert(x));
      if constexpr (!std::is_same_v<T, float>) x = to_float(stored.back());
    }
    const std::vector<float> a = draw.reals(most * k), c = draw.reals(most * n);
    const std::vector<float> bias = draw.reals(n), residual = draw.reals(most * n);
    std::vector<float> turned(a.size());
    for (int64_t r = 0; r < most; ++r) {
      for (int64_t p = 0; p < k; ++p)
        turned[static_cast<size_t>(p * most + r)] = a[static_cast<size_t>(r * k + p)];
    }
    MatmulArgs args = plain_args(most, n, k, false, false);
    args.bias = bias.data(), args.accumulate = true;
    std::vector<float> sums = c;
    args.b = b.data(), args.m = 1;
    for (int64_t r = 0; r < most; ++r) {
      args.a = &a[static_cast<size_t>(r * k)], args.c = &sums[static_cast<size_t>(r * n)];
      launch(Matmul(args));
    }
    std::vector<float> want = kernels::apply(Function::gelu, sums);
    for (size_t i = 0; i < want.size(); ++i) want[i] += residual[i];

    args.activation = Activation::gelu;
    args.residual = residual.data(), args.ld_residual = n;
    args.b = stored.data(), args.b_type = type;
    for (int64_t m = 9; m <= most; ++m) {
      for (bool transposed : {false, true}) {
        SCOPED_TRACE(join("m ", m, transposed ? ", A transposed" : ""));
        args.m = m, args.transpose_a = transposed, args.lda = transposed ? most : k;
        args.a = transposed ? turned.data() : a.data();
        const std::vector<float> got = at_any_threads([&] {
          std::vector<float> out = c;
          args.c = out.data();
          launch(Matmul(args));
          return out;
        });
        EXPECT_TRUE(same_bits(got.data(), want.data(), m * n));
        EXPECT_TRUE(std::equal(got.begin() + m * n, got.end(), c.begin() + m * n)) << "wrote beside C";
      }
    }
  });
}

TEST(MatmulLayout, StripsOfF32WithEverything) {
  expect_strips<float>(DType::f32, [](float x) { return x; });
}
TEST(MatmulLayout, StripsOfBf16WithEverything) {
  expect_strips<bf16>(DType::bf16, [](float x) { return to_bf16(x); });
}

TEST(MatmulLayout, GradientOfAnActivation) {
  const std::pair<Activation, Function> gradients[] = {{Activation::relu, Function::relu_gradient},
                                                       {Activation::gelu, Function::gelu_gradient},
                                                       {Activation::gelu_tanh, Function::gelu_tanh_gradient},
                                                       {Activation::silu, Function::silu_gradient},
                                                       {Activation::tanh, Function::tanh_gradient}};
  on_every_isa([&](const std::string&) {
    Draw draw(10);
    for (int64_t m : {1, 5, 29}) {
      for (int64_t n : {1, 15, 16, 33, 64, 131}) {
        for (const auto& [activation, function] : gradients) {
          const int64_t k = draw.whole(1, 90), wide = n + draw.whole(0, 3);
          SCOPED_TRACE(join(m, "x", n, "x", k, " activation ", static_cast<int>(activation)));
          MatmulArgs args = plain_args(m, n, k, false, draw.whole(0, 1));
          const std::vector<float> a = draw.reals(m * k), b = draw.reals(k * n), c = draw.reals(m * n);
          const std::vector<float> at = draw.reals(m * wide, -3, 3), residual = draw.reals(m * n);
          const std::vector<float> sums = product(args, a, b, c);
          std::vector<float> want(sums.size()), before(sums.size());
          for (int64_t r = 0; r < m; ++r)
            launch(Elementwise{function, &sums[static_cast<size_t>(r * n)],
                               &at[static_cast<size_t>(r * wide)], &want[static_cast<size_t>(r * n)], n});
          args.activation = activation;
          args.gradient_at = at.data(), args.ld_gradient_at = wide;
          EXPECT_TRUE(same_bits(product(args, a, b, c), want));
          for (size_t i = 0; i < want.size(); ++i) want[i] += residual[i];
          args.before = before.data(), args.residual = residual.data();
          args.ld_before = args.ld_residual = n;
          EXPECT_TRUE(same_bits(product(args, a, b, c), want));
          EXPECT_TRUE(same_bits(before, sums));
        }
      }
    }
  });
}

// A long K is added in steps: what follows the sum comes once, at the end.
TEST(MatmulLayout, ActivationAfterTheLastStepOfK) {
  on_every_isa([](const std::string&) {
    Draw draw(7);
    MatmulArgs args = plain_args(8, 20, 3300, false, true);
    const std::vector<float> a = draw.reals(8 * 3300), b = draw.reals(20 * 3300), c(160);
    const std::vector<float> sums = product(args, a, b, c);
    args.activation = Activation::silu;
    EXPECT_TRUE(same_bits(product(args, a, b, c), apply(Function::silu, sums)));
  });
}

TEST(MatmulLayout, BatchWithEverything) {
  on_every_isa([](const std::string&) {
    Draw draw(8);
    const int64_t m = 9, n = 24, k = 31, batch = 3;
    MatmulArgs args = plain_args(m, n, k, false, false);
    args.batch = batch, args.batch_a = m * k, args.batch_c = m * n;  // one B for all
    args.activation = Activation::gelu;
    const std::vector<float> a = draw.reals(batch * m * k), b = draw.reals(k * n),
                             residual = draw.reals(batch * m * n);
    const std::vector<float> c(residual.size(), k_nan);
    args.residual = residual.data(), args.ld_residual = n;
    const std::vector<float> at = draw.reals(batch * m * n, -3, 3);
    std::vector<float> before(residual.size());
    args.before = before.data(), args.ld_before = n;
    for (const float* gradient_at : {static_cast<const float*>(nullptr), at.data()}) {
      args.gradient_at = gradient_at, args.ld_gradient_at = n;
      args.m = m, args.batch = batch;
      const std::vector<float> all = product(args, a, b, c), kept = before;
      before.assign(before.size(), k_nan);
      args.m = batch * m, args.batch = 1;
      EXPECT_TRUE(same_bits(product(args, a, b, c), all));
      EXPECT_TRUE(same_bits(before, kept));
    }
  });
}

TEST(MatmulLayout, NaNPassesThroughEveryActivation) {
  on_every_isa([](const std::string&) {
    for (Activation activation :
         {Activation::relu, Activation::gelu, Activation::gelu_tanh, Activation::silu, Activation::tanh}) {
      MatmulArgs args = plain_args(7, 20, 2, false, false);
      args.activation = activation;
      std::vector<float> a(14, 1.f), b(40, 0.5f), c(140);
      b[3] = k_nan;
      const std::vector<float> got = product(args, a, b, c);
      for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(std::isnan(got[i]), i % 20 == 3) << i;
    }
  });
}

}  // namespace
}  // namespace limpid::kernels

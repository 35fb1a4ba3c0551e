// B as it is stored, in 16-bit numbers and in blocks, against the product with the f32 matrix that it means:
// the same bits, of one row and of many.
#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "kernels/matmul.h"
#include "kernels/test_helpers.h"
#include "limpid/error.h"

namespace limpid::kernels {
namespace {

using testing::at_any_threads;
using testing::Draw;
using testing::on_every_isa;
using testing::same_bits;

struct Kind {
  DType type;
  BlockType blocks;
};
constexpr Kind k_kinds[] = {{DType::f32, BlockType::none}, {DType::bf16, BlockType::none},
                            {DType::f16, BlockType::none}, {DType::f32, BlockType::q8_0},
                            {DType::f32, BlockType::q4_0}, {DType::f32, BlockType::q4_1},
                            {DType::f32, BlockType::q4_k}, {DType::f32, BlockType::mxfp4}};

std::string name_of(const Kind& kind) {
  return std::string(kind.blocks == BlockType::none ? name(kind.type) : name(kind.blocks));
}

// Any bits that are finite numbers: scales of 2^-14 to 4 and either sign, now and then 0 or denormal.
StoredMatrix drawn(Draw& draw, const Kind& kind, int64_t rows, int64_t columns) {
  StoredMatrix matrix(kind.type, kind.blocks, Shape::unnamed({rows, columns}), rows, columns, false);
  const auto half = [&](std::byte* at) {
    uint16_t bits =
        static_cast<uint16_t>(draw.whole(1, 16) << 10 | draw.whole(0, 1023) | draw.whole(0, 1) << 15);
    if (draw.whole(0, 40) == 0) bits &= 0x83ff;
    if (draw.whole(0, 60) == 0) bits &= 0x8000;
    std::memcpy(at, &bits, sizeof bits);
  };
  for (int64_t r = 0; r < rows; ++r) {
    std::byte* row = matrix.row(r);
    for (size_t i = 0; i < matrix.row_bytes(); ++i) row[i] = static_cast<std::byte>(draw.bits());
    if (kind.blocks == BlockType::none) {
      for (int64_t c = 0; c < columns; ++c) {
        const float x = draw.real(-2, 2);
        if (kind.type == DType::f32) std::memcpy(row + 4 * c, &x, 4);
        if (kind.type == DType::bf16) {
          const bf16 b = to_bf16(x);
          std::memcpy(row + 2 * c, &b.bits, 2);
        }
        if (kind.type == DType::f16) half(row + 2 * c);
      }
      continue;
    }
    const BlockSize block = size_of(kind.blocks);
    for (size_t at = 0; at < matrix.row_bytes(); at += block.bytes) {
      if (kind.blocks == BlockType::mxfp4)
        row[at] = static_cast<std::byte>(draw.whole(0, 40) == 0 ? draw.whole(k_least_mxfp4_scale, 20)
                                                                : draw.whole(115, 130));
      else
        half(row + at);
      if (kind.blocks == BlockType::q4_1 || kind.blocks == BlockType::q4_k) half(row + at + 2);
    }
  }
  return matrix;
}

struct Made {
  MatmulArgs args;
  std::vector<float> a, bias, residual, c;

  Made(Draw& draw, int64_t m, int64_t n, int64_t k) {
    args.m = m, args.n = n, args.k = k;
    args.lda = k + draw.whole(0, 3);
    args.ldc = n + draw.whole(0, 3);
    a = draw.reals(m * args.lda + 1);
    bias = draw.reals(n), residual = draw.reals(m * n);
    c = draw.reals(m * args.ldc + 1);
    args.a = a.data();
    if (draw.whole(0, 1)) args.bias = bias.data();
    if (draw.whole(0, 1)) args.residual = residual.data(), args.ld_residual = n;
    if (draw.whole(0, 1)) args.activation = Activation::silu;
    args.accumulate = draw.whole(0, 1) == 1;
  }

  std::vector<float> times(const void* b, int64_t ldb, bool transposed, const Kind& kind) const {
    std::vector<float> out = c;
    MatmulArgs each = args;
    each.b = b, each.ldb = ldb, each.transpose_b = transposed, each.c = out.data();
    each.b_type = kind.type, each.b_blocks = kind.blocks;
    launch(Matmul(each));
    return out;
  }
  std::vector<float> times(const StoredMatrix& b) const {
    const bool blocks = b.blocks() != BlockType::none;
    return times(b.row(0), blocks ? static_cast<int64_t>(b.row_bytes()) : b.columns(), true,
                 {b.dtype(), b.blocks()});
  }
};

void expect_same(Draw& draw, const Kind& kind, int64_t m, int64_t n, int64_t k) {
  const StoredMatrix b = drawn(draw, kind, n, k);
  const Tensor rows = b.to_tensor();
  std::vector<float> turned(static_cast<size_t>(n * k));
  for (int64_t j = 0; j < n; ++j)
    for (int64_t p = 0; p < k; ++p) turned[static_cast<size_t>(p * n + j)] = rows.data<float>()[j * k + p];
  const Made made(draw, m, n, k);
  const std::vector<float> got = at_any_threads([&] { return made.times(b); });
  const Kind plain{DType::f32, BlockType::none};
  EXPECT_TRUE(same_bits(got, made.times(turned.data(), n, false, plain))) << "other bits than expanded";
  EXPECT_TRUE(same_bits(got, made.times(rows.data<float>(), k, true, plain))) << "other bits than expanded";
  for (int64_t r = 0; r < m; ++r) {  // law 3: a row's bits are those that it has alone
    Made one = made;
    one.args.m = 1;
    one.args.a += r * one.args.lda;
    if (one.args.residual) one.args.residual += r * n;
    std::copy_n(made.c.begin() + r * made.args.ldc, n, one.c.begin());
    const std::vector<float> alone = one.times(b);
    ASSERT_TRUE(same_bits(alone.data(), got.data() + r * made.args.ldc, n)) << "row " << r << " alone";
  }
}

TEST(MatmulStored, HasTheBitsOfTheExpandedMatrix) {
  on_every_isa([](const std::string& isa) {
    Draw draw(71);
    for (const Kind& kind : k_kinds) {
      const int64_t block = size_of(kind.blocks).numbers;
      for (int64_t n : {1, 7, 15, 16, 17, 31, 32, 33, 63, 65, 130})
        for (int64_t m : {1, 2, 4, 5, 9}) {
          const int64_t k = block == 1 ? draw.whole(0, 70) : block * draw.whole(0, block == 32 ? 5 : 2);
          SCOPED_TRACE(join(name_of(kind), " ", m, "x", n, "x", k, " ", isa));
          expect_same(draw, kind, m, n, k);
          if (HasFatalFailure()) return;
        }
    }
  });
}

// K in several steps, which end within a row.
TEST(MatmulStored, LongRows) {
  on_every_isa([](const std::string& isa) {
    Draw draw(72);
    for (const Kind& kind : k_kinds)
      for (int64_t k : {1792, 2816})
        for (int64_t m : {1, 7}) {
          const int64_t n = isa == "plain" ? 34 : draw.whole(64, 100);
          SCOPED_TRACE(join(name_of(kind), " ", m, "x", n, "x", k, " ", isa));
          expect_same(draw, kind, m, n, kind.blocks == BlockType::none ? k + 3 : k);
          if (HasFatalFailure()) return;
        }
  });
}

TEST(MatmulStored, LargeEnoughForSeveralTasks) {
  on_every_isa([](const std::string& isa) {
    if (isa == "plain") return;
    Draw draw(73);
    for (const Kind& kind : k_kinds) {
      SCOPED_TRACE(join(name_of(kind), " ", isa));
      expect_same(draw, kind, 2, 1201, 512);
      expect_same(draw, kind, 13, 600, 512);
      if (::testing::Test::HasFatalFailure()) return;
    }
  });
}

// An infinite or NaN scale makes its block's numbers so, and no others.
TEST(MatmulStored, ScalesThatAreNotFinite) {
  on_every_isa([](const std::string&) {
    Draw draw(74);
    for (const Kind& kind : k_kinds) {
      if (kind.blocks == BlockType::none) continue;
      const int64_t k = 2 * size_of(kind.blocks).numbers, n = 40;
      StoredMatrix b = drawn(draw, kind, n, k);
      const uint16_t infinite = 0x7c00, nan = 0x7e01;
      if (kind.blocks == BlockType::mxfp4) {  // whose scales are finite, but not the numbers
        b.row(3)[0] = std::byte{255}, b.row(17)[0] = std::byte{254};
      } else {
        std::memcpy(b.row(3), &infinite, 2);
        std::memcpy(b.row(17), &nan, 2);
      }
      const std::vector<float> a = draw.reals(k);
      MatmulArgs args;
      std::vector<float> c(static_cast<size_t>(n)), expected = c;
      args.a = a.data(), args.lda = k, args.m = 1, args.n = n, args.k = k, args.ldc = n;
      args.b = b.row(0), args.ldb = static_cast<int64_t>(b.row_bytes()), args.transpose_b = true;
      args.b_blocks = kind.blocks, args.c = c.data();
      launch(Matmul(args));
      const Tensor rows = b.to_tensor();
      args.b = rows.raw(), args.ldb = k, args.b_blocks = BlockType::none, args.c = expected.data();
      launch(Matmul(args));
      for (size_t i = 0; i < c.size(); ++i) {
        EXPECT_EQ(std::isnan(c[i]), std::isnan(expected[i])) << name_of(kind) << " column " << i;
        if (std::isfinite(expected[i])) {
          EXPECT_EQ(c[i], expected[i]) << name_of(kind) << " column " << i;
        }
        if (i != 3 && i != 17) {
          EXPECT_TRUE(std::isfinite(c[i])) << name_of(kind) << " column " << i;
        }
      }
    }
  });
}

}  // namespace
}  // namespace limpid::kernels

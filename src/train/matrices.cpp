#include "train/matrices.h"

#include "kernels/kernel.h"
#include "kernels/matmul.h"

namespace limpid {

void multiply(const Matrix& a, Side side_a, const Matrix& b, Side side_b, const Matrix& to, bool add) {
  kernels::MatmulArgs args;
  args.a = a.at, args.b = b.at, args.c = to.at;
  args.lda = a.columns, args.ldb = b.columns, args.ldc = to.columns;
  args.transpose_a = side_a == Side::transposed;
  args.transpose_b = side_b == Side::transposed;
  args.m = to.rows, args.n = to.columns;
  args.k = args.transpose_a ? a.rows : a.columns;
  args.accumulate = add;
  launch(kernels::Matmul(args));
}

}  // namespace limpid

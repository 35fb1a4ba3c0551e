// Products of parameters seen as matrices.
#pragma once

#include "limpid/tensor.h"

namespace limpid {

/// An f32 matrix in somebody's memory, rows one after another.
struct Matrix {
  float* at = nullptr;
  int64_t rows = 0, columns = 0;
};

enum class Side { as_it_is, transposed };

/// to = a b, or to + a b with `add`; each side may be taken transposed.
void multiply(const Matrix& a, Side side_a, const Matrix& b, Side side_b, const Matrix& to, bool add = false);

}  // namespace limpid

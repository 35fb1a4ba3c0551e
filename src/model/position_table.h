// Learned positions of patches, for images of another size than the table was made for.
#pragma once

#include "limpid/tensor.h"

namespace limpid {

struct Grid {
  int64_t lines = 0, columns = 0;
};

/// table f32 [P,C]: `before` rows that stay, then one a patch of `from`, line by line -> the same for `to`.
Tensor interpolated_positions(const Tensor& table, int64_t before, Grid from, Grid to);

}  // namespace limpid

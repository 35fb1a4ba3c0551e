// The pooled map of an attention's weights.
#pragma once

#include <algorithm>

#include "explore/attentions.h"
#include "explore/run.h"

namespace limpid::explore {

struct Map {
  const Tensor* means = nullptr;  // f32 [B,H,T',S'], of the run's trace
  Shape weights;                  // [B,H,T,S]
  int64_t queries = 1, keys = 1;  // of a block
  int64_t batch = 0;              // the row of it that is told: of a series a column

  /// Places of axis 2 (queries) or 3 (keys) that block i covers.
  int64_t cells_of(int axis, int64_t i) const {
    const int64_t block = axis == 2 ? queries : keys;
    return std::min(block, weights[axis].size - i * block);
  }
};

/// At most `size` blocks a side; of a long text the one that is kept, which has more.
Map map_of(Run&, const Attention&, int64_t size);
/// Of one head, so many blocks of the map in one, f32 [T',S'].
Tensor coarser(const Map&, int64_t head, int64_t times_queries, int64_t times_keys);

}  // namespace limpid::explore

// Who looks where, in figures: one head's row of weights summed up.
#pragma once

#include <optional>
#include <vector>

#include "trace/reading.h"

namespace limpid {

/// Where one query's weight goes.
struct Look {
  int64_t layer = 0, head = 0, query = 0;
  int64_t keys = 0;             // that the mask leaves
  int64_t most = 0, least = 0;  // keys with the largest and the smallest weight
  double most_weight = 0, least_weight = 0;
  double evenness = 1;  // entropy as a share of that of looking everywhere alike; 1 for a single key
};

/// Nothing if the pattern was not kept, is not finite in that row, or everything is masked.
std::optional<Look> look(const Reading&, int64_t layer, int64_t head, int64_t query);

/// The looks of every head of every layer from this query.
std::vector<Look> looks_of(const Reading&, int64_t query);

/// The length of the row at a position of a value [T,C] (or of its heads together).
std::optional<double> row_length(const Reading&, int value, int64_t row);

}  // namespace limpid

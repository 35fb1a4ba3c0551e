#pragma once

#include "limpid/engine.h"

namespace limpid {

/// As summarize(value), leaving out the cells where the masked scores of the same shape are -inf.
Summary summarize(const ConstView& value, const ConstView& masked_scores);

/// The axis whose positions are rows (Depth::rows): T, else S; -1: neither.
int rows_axis(const Shape&);

}  // namespace limpid

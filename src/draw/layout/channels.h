// Between columns: by which side lines enter their boxes, and how much room their words and turns need.
#pragma once

#include "draw/layout/layout.h"

namespace limpid::draw {

double column_width(const Layout&, int layer);

/// Decides for every edge by which side it enters its box.
void choose_sides(Layout&);

/// The gap before `layer`.  `frames` stand within rows; `raised`: labels stand above the boxes where they
/// can.
Gap gap_before(const Layout&, int layer, const std::vector<Span>& frames, bool raised);

}  // namespace limpid::draw

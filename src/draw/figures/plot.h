// What plots share: round numbers along an axis.
#pragma once

#include <string>
#include <vector>

#include "limpid/scene.h"

namespace limpid::draw {

/// Ticks at round numbers: 1, 2 or 5 times a power of ten apart, about `count` of them.
std::vector<double> ticks(double low, double high, int count);
/// As many decimals as `step` needs.
std::string tick_text(double value, double step);
/// Faint rules across the area at round numbers from low (its bottom) to high, and these left of it.
void add_value_axis(Scene&, const Rect& area, double low, double high);

}  // namespace limpid::draw

// An SVG as pixels or as pages of a PDF, by librsvg and cairo (rsvg.h).
#pragma once

#include <string>
#include <vector>

#include "limpid/draw.h"

namespace limpid::draw {

/// A PNG at `scale` pixels a unit (less where that would be more than 64 million).
std::string rastered(const Scene&, Theme, double scale);

/// A page each, of the figure's own size (a unit is 1/96 inch); text stays text.  All dates are 1980-01-01.
std::string printed(const std::vector<Slide>& pages, Theme);

}  // namespace limpid::draw

// Geometry of connectors and of the boxes they are glued to, in DrawingML (ECMA-376 Part 1, 20.1.9).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "limpid/draw.h"

namespace limpid::draw {

/// English metric units in one unit of the scene (1/96 inch).
inline constexpr double k_emu = 9525;
int64_t emu(double scene_units);
/// Hundredths of a point.
int64_t centipoints(double scene_units);

/// `a:xfrm` and geometry of a way in horizontal and vertical pieces: a straight or bent connector (which goes
/// on being one when a box is moved) where the presets reach, else a path.
std::string connector_geometry(const std::vector<Point>& points);

/// `a:xfrm` and geometry of any line.
std::string polyline_geometry(const std::vector<Point>& points);

/// A rectangle with round corners whose connection sites are the middles of its sides (top, left, bottom,
/// right) and then `sites`.
std::string box_geometry(const Rect&, double corner, const std::vector<Point>& sites);

}  // namespace limpid::draw

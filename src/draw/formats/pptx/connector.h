// Geometry of connectors and of the boxes they are glued to, in DrawingML (ECMA-376 Part 1, 20.1.9).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "limpid/draw.h"

namespace limpid::draw {

/// English metric units in one unit of the scene (1/96 inch).
inline constexpr double k_emu = 9525;
int64_t emu(double scene_units);
/// Hundredths of a point.
int64_t centipoints(double scene_units);

/// Points without those in the middle of a straight piece.
std::vector<Point> corners(const std::vector<Point>& points);

/// `a:xfrm` and geometry of a straight piece or of an elbow (three points): the two connectors that every
/// program draws alike.  Those of more pieces hold their bends as shares of a length, which LibreOffice
/// before 7.5 does not read, so a longer way is several connectors with a point to hold on to between them.
std::string connector_geometry(const std::vector<Point>& points);

/// `a:xfrm` and geometry of any line; of a straight one the preset form of that name.
std::string polyline_geometry(const std::vector<Point>& points,
                              std::string_view straight = "straightConnector1");

/// A rectangle with round corners whose connection sites are the middles of its sides (top, left, bottom,
/// right) and then `sites`.
std::string box_geometry(const Rect&, double corner, const std::vector<Point>& sites);

}  // namespace limpid::draw

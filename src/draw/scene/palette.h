// Colours: few, each with one meaning, the same in every figure, theme and format.
//
// Query blue, key vermilion, value green, scores and weights purple (Okabe and Ito 2008, safe for
// colour-blind readers; lighter on dark ground); all else is grey.  A matrix takes its part's hue from pale
// to deep, so that its luminance alone tells the order of its numbers, and it prints in grey.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "limpid/draw.h"

namespace limpid::draw {

/// What is painted, and its colours ("#0072b2").
struct Paint {
  std::string_view name;  // page, block, group, edge, box, ink, soft, faint; and for each role its own name
  std::string_view light, dark;
};

/// page: the ground; block, group: frames; edge: their borders; box: inside of boxes; ink, soft: text; faint:
/// axes; hole: a masked cell.
const Paint& paint_named(std::string_view name);
const Paint& paint_of(Role);

/// Of one theme (automatic counts as light).
std::string_view colour(const Paint&, Theme);

/// The ground of a cell whose number stands at `shade` (0 to 1) of its scale.  In k_heat_levels steps, so
/// that cells of one colour can be painted together.
inline constexpr int k_heat_levels = 32;
int heat_level(double shade);
std::string heat(Role, int level, Theme);
inline std::string heat(Role role, double shade, Theme theme) { return heat(role, heat_level(shade), theme); }
/// The colour of a grid's cell over its picture; nothing where it has none.
std::optional<std::string> pictured(const SceneGrid&, int64_t row, int64_t column);
/// Whether its cells are large enough to be looked at one by one, and stand apart.
bool cells_apart(const SceneGrid&);
/// Of any cell: over its picture, by its number, or as a hole.
std::string cell_colour(const SceneGrid&, int64_t row, int64_t column, Theme);
/// Text on such a ground: whichever of dark and light ink reads better.
std::string_view heat_ink(Role, double shade, Theme);

/// A box that is filled with a role's colour, faintly.
std::string tint(Role, Theme);

/// The colour of a text, by its kind, role and ground.
std::string text_colour(const SceneText&, Theme);
/// The name of that colour's paint; empty for a text on a ground of its own.
std::string_view text_paint(const SceneText&);

/// Relative luminance of "#rrggbb" (WCAG 2.1), 0 to 1, and the contrast of two colours, 1 to 21.
double luminance(std::string_view colour);
double contrast(std::string_view a, std::string_view b);

}  // namespace limpid::draw

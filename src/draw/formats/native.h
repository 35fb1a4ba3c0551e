// What the formats of native shapes (.drawio, .pptx) decide alike: which texts a box holds as its label,
// which grids become pictures, and what a shape is called.
#pragma once

#include <string>
#include <vector>

#include "draw/scene/palette.h"
#include "limpid/draw.h"

namespace limpid::draw {

/// As many shapes as an editor still moves with ease.
inline constexpr size_t k_most_shapes = 2000;

/// The lines that the box's shape holds as its own text: centred, all of one size and colour, none of them a
/// number of the run (whose source is the name of a shape of its own).
struct BoxLabel {
  std::vector<const SceneText*> lines;
  double pitch = 0;  // from baseline to baseline
  double lower = 0;  // how far the lines' middle lies below the box's
};
BoxLabel label_of(const SceneBox&);
/// The box's texts that are not its label.
std::vector<const SceneText*> beside_label(const SceneBox&, const BoxLabel&);

/// Where a text's middle stands: DejaVu Sans (and its common fallbacks) reaches as far above as below.
Rect line_box(const SceneText&);

/// By grid: whether it becomes one picture, so that the scene takes at most k_most_shapes.  The grids with
/// the most cells go first, those without numbers before those with.
std::vector<bool> pictured_grids(const Scene&);
/// A grid's cells as a PNG (no text).
std::string picture_of(const SceneGrid&, Theme);

/// The sources of a text's numbers, "; " between them; for a text without, its kind ("shape", "count", ...).
std::string source_name(const SceneText&);
/// The whole of a grid's cells as one source: "blocks.0.attn.pattern[0,1,0:4,0:4] %.2f".  Empty for a key of
/// colours.
std::string source_name(const SceneGrid&);

/// The innermost frame that holds each box, and each frame; -1: none.
struct Nesting {
  std::vector<int> box, frame;
  /// The innermost frame that holds both boxes.
  int common(int box_a, int box_b) const;
};
Nesting nesting_of(const Scene&);

}  // namespace limpid::draw

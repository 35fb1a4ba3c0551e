// What a figure says besides its boxes: the meaning of its colours and letters, and itself in words.
#pragma once

#include "draw/layout/layout.h"

namespace limpid::draw {

/// Adds the key of colours and axis letters: in the corner, where it fits there, else below the network, and
/// makes room for it.
void add_legend(Scene&, const Graph&, const Outline&, const SceneOptions&, const Spacing&,
                const Rect& corner);

/// Says the figure in words, left to right, as somebody who draws it by hand would follow it: steps and
/// description.
void say(Scene&, const Outline&, const Layout&, const SceneOptions&);

/// The options with the run's words and sizes.
SceneOptions of_run(const Trace&, SceneOptions);

/// The steps in one paragraph.
std::string told(const std::vector<SceneStep>&);

}  // namespace limpid::draw

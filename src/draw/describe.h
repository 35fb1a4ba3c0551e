// What a figure says besides its boxes: the meaning of its colours and letters, and itself in words.
#pragma once

#include "draw/layout.h"

namespace limpid::draw {

/// Adds the key of colours and axis letters below the network, and makes room for it.
void add_legend(Scene&, const Graph&, const Outline&, const SceneOptions&);

/// The figure in words, left to right, as somebody who draws it by hand would follow it.
std::string description(const Scene&, const Outline&, const Layout&, const SceneOptions&);

}  // namespace limpid::draw

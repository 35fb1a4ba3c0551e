// From places to lines: rows on the page, frames, connectors, and the words beside them.
#pragma once

#include "draw/layout.h"

namespace limpid::draw {

/// Adds frames, boxes (without their texts), connectors, marks and edge words to the scene; boxes have the
/// outline's order, connectors name their value by its number.  Returns the lowest y of the network.
double route(Layout&, Scene&);

}  // namespace limpid::draw

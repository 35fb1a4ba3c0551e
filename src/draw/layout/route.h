// The lines of a figure, and the words beside them.
#pragma once

#include "draw/layout/page.h"

namespace limpid::draw {

/// Adds a connector for each edge (and each word of the sentence), with its ports (route.cpp).  Boxes stand
/// in the outline's order; a connector names its value by its number in the graph.
void add_connectors(const Page&, Scene&);

/// Marks where the ways of one value part, and tells each connector from where on it is alone (forks.cpp).
void find_forks(Scene&);

/// Writes shapes and names beside the lines (captions.cpp).
void add_captions(const Page&, Scene&);

}  // namespace limpid::draw

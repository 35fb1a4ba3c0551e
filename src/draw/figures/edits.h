// How a figure of an edited run says so: a line in its legend, a mark where an edited value is drawn, and a
// sign of its own where an equals sign or an arrow would say that the value was computed.
#pragma once

#include <string>

#include "draw/scene/text.h"
#include "limpid/scene.h"
#include "trace/edits.h"

namespace limpid::draw {

/// Before what an edit made of a value: "✎ set to 0".
inline const std::string k_pencil = "\xe2\x9c\x8e ";
/// Between what a stage reads and an edited value, in place of an equals sign or an arrow.
inline const std::string k_severed = "\xe2\x94\x8a";

/// Before an equation that an edited value does not fulfil.
inline const std::string k_unedited = "Without the edit: ";

/// Says below the figure (where it is `drawn`) and in its words what was edited in the run; the page grows.
/// Does nothing where nothing was.
void add_edits(Scene&, const Edits&, bool drawn = true);

/// The same as a line of a page of a deck: "Edited run: ...", and in its words and notes.
void mark_page(Slide&, const Edits&);

/// A cross on every cell of the grid whose edge was cut: the weights or scores of this layer and head; of
/// that size, or as two lines in a cell without the room.  Returns how many it marked.
int mark_cut(Scene&, const SceneGrid&, const Edits&, int64_t layer, int64_t head, double size = k_small_size);

}  // namespace limpid::draw

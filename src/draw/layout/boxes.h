// What stands in boxes: the sentence, the names of stages, and how large that makes them.
#pragma once

#include "draw/layout/layout.h"

namespace limpid::draw {

// The widest word of the sentence that is not cut.
inline constexpr double k_word_text = 120;
inline constexpr double k_result_text = 180;  // the widest name of what comes out

struct Word {
  std::string index, text;  // X₁, Life
};

/// At most six places; where there are more, or nobody knows how many, the others stand behind one ellipsis.
std::vector<Word> sentence(const SceneOptions&, const Spacing&);

/// How far each word's arrow lies from the middle of the sentence.
std::vector<double> word_heights(const std::vector<Word>&, const Spacing&);

/// Of each node's box, for its text; what takes the sentence is as tall as it.
/// `parameters`: with how many numbers each has learned.
std::vector<Rect> sizes_of(const Outline&, const std::vector<Word>&, bool parameters, const Spacing&);
/// Makes the boxes of a column equally wide.
void even_columns(Layout&);

/// Writes texts into the boxes of the scene.
void write_labels(Scene&, const Layout&, bool parameters);
void write_words(Scene&, const Layout&, const std::vector<Word>&);

}  // namespace limpid::draw

// The scene as a tikzpicture: nodes with names, edges between their anchors, cells, text.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "limpid/draw.h"

namespace limpid::draw {

struct TikzPicture {
  std::string drawing;                                       // \begin{tikzpicture} ... \end{tikzpicture}
  std::vector<std::pair<std::string, std::string>> colours;  // names and RRGGBB, by name
};
TikzPicture tikz_picture(const Scene&, Theme);

/// \definecolor of each, and the one command that the text needs.
std::string tikz_definitions(const std::vector<TikzPicture>&);

/// The figure in words, as comments.
std::string tikz_words(const Slide&);

}  // namespace limpid::draw

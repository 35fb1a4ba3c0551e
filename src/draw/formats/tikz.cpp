// The figure as one tikzpicture, to be taken into a document of one's own.
#include "draw/formats/tex/picture.h"

namespace limpid {

using namespace draw;

namespace {

std::string paint_pages(const std::vector<Slide>& pages, const PaintOptions& options) {
  const Slide& page = pages.at(0);
  const TikzPicture picture = tikz_picture(page.scene, options.theme);
  return "% Made by limpid.  \\usepackage{tikz} and \\usepackage[T1]{fontenc}, then "
         "\\input{this-file.tikz};\n"
         "% as wide as a column: \\resizebox{\\columnwidth}{!}{\\input{this-file.tikz}}\n" +
         tikz_words(page) + tikz_definitions({picture}) + picture.drawing;
}

}  // namespace

Format tikz_format() {
  return {"tikz", "TikZ", "one tikzpicture for a document of one's own", false, paint_pages};
}

}  // namespace limpid

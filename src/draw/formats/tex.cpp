// The figure as a LaTeX document of its own, a page a picture.
#include "draw/formats/tex/picture.h"

namespace limpid {

using namespace draw;

namespace {

std::string paint_pages(const std::vector<Slide>& pages, const PaintOptions& options) {
  std::vector<TikzPicture> pictures;
  for (const Slide& page : pages) pictures.push_back(tikz_picture(page.scene, options.theme));
  std::string out =
      "% Made by limpid.  pdflatex, lualatex and xelatex compile it.\n"
      "\\documentclass[tikz]{standalone}\n"
      "\\usepackage[T1]{fontenc}\n"
      "\\usepackage{textcomp}\n"
      "\\IfFileExists{lmodern.sty}{\\usepackage{lmodern}}{}\n" +
      tikz_definitions(pictures) + "\\begin{document}\n";
  for (size_t i = 0; i < pages.size(); ++i) out += tikz_words(pages[i]) + pictures[i].drawing;
  return out + "\\end{document}\n";
}

}  // namespace

Format tex_format() {
  return {"tex", "LaTeX", "a document of TikZ pictures, nodes with names, to compile or to copy from", true,
          paint_pages};
}

}  // namespace limpid

// The SVG as a page of a PDF, real text, each page of its figure's size.
#include "draw/formats/raster/raster.h"

namespace limpid {

namespace {

std::string paint_pages(const std::vector<Slide>& pages, const PaintOptions& options) {
  return draw::printed(pages, options.theme);
}

}  // namespace

Format pdf_format() { return {"pdf", "PDF", "pages for print and papers", true, paint_pages}; }

}  // namespace limpid

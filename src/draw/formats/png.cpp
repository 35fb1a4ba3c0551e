// The SVG as pixels, two to a unit, so that it is sharp on a dense screen.
#include "draw/formats/raster/raster.h"

namespace limpid {

namespace {

std::string paint_pages(const std::vector<Slide>& pages, const PaintOptions& options) {
  return draw::rastered(pages.at(0).scene, options.theme, 2);
}

}  // namespace

Format png_format() { return {"png", "PNG", "a picture", false, paint_pages}; }

}  // namespace limpid

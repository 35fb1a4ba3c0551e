// What every presentation holds beside its slides (ECMA-376 Part 1, 13.3): theme, masters, layout,
// properties, and the lists that tie the parts together.
#pragma once

#include <string>
#include <vector>

#include "draw/formats/package.h"
#include "limpid/draw.h"

namespace limpid::draw {

struct PptxPicture {
  std::string bytes;  // a PNG
};

struct PptxSlide {
  std::string title;
  std::string shapes;  // what stands in the slide's shape tree; pictures are rId3, rId4, ... in order
  std::vector<PptxPicture> pictures;
  std::vector<std::string> notes;  // paragraphs
};

struct PptxDeck {
  std::string title;
  int64_t width = 0, height = 0;  // EMU
  Theme theme = Theme::light;
  std::vector<PptxSlide> slides;
};

/// The parts of the package, [Content_Types].xml first.
std::vector<ZipEntry> pptx_parts(const PptxDeck&);

}  // namespace limpid::draw

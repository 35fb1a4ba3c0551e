// The scene in letters: Unicode boxes, lines and shades for a terminal.
//
// Positions are the scene's, mapped onto lines and columns in their order (text_map.h).  What is too wide
// for the page is cut where the scene has its widest gap, the parts one under the other; a diagram whose
// connectors cannot be cut is turned, so that it runs from top to bottom; and what even then is too wide is
// said in words.
#include "draw/scene/text.h"
#include "draw/formats/text/text_page.h"
#include "draw/formats/words.h"

#include "core/width.h"

namespace limpid {

using namespace draw;

namespace {

std::string in_words(const Scene& scene, size_t columns) {
  std::string out;
  std::vector<std::string> lines = steps_in_lines(scene);
  if (lines.empty()) lines.push_back(clean(scene.description));
  for (const std::string& line : lines) out += filled(line, columns, 3);
  return out;
}

std::string paint_pages(const std::vector<Slide>& pages, const PaintOptions& options) {
  const int64_t columns = std::max(40, options.columns);
  std::string out;
  for (const Slide& page : pages) {
    if (!out.empty()) {
      out += "\n";
      for (int64_t i = 0; i < columns; ++i) out += "─";
      out += "\n\n";
    }
    const std::string title = clean(page.title.empty() ? page.scene.title : page.title);
    bool drawn = title.empty();
    for (const SceneText& text : page.scene.texts) drawn = drawn || text.kind == SceneText::Kind::heading;
    if (!drawn) out += clip_to_width(title, static_cast<size_t>(columns)) + "\n\n";
    const std::string letters = in_letters(page.scene, columns);
    out += letters.empty() ? in_words(page.scene, static_cast<size_t>(columns)) : letters;
  }
  return out;
}

}  // namespace

Format text_format() {
  return {"txt", "text", "boxes and shades of letters, for a terminal", true, paint_pages};
}

}  // namespace limpid

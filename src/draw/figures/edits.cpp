#include "draw/figures/edits.h"

#include <algorithm>

#include "draw/figures/canvas.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"

namespace limpid::draw {

namespace {

constexpr double k_page_line = 24;    // of a deck, on a page 1280 wide: 18 pt
constexpr double k_page_number = 72;  // what the number of a deck's page takes
constexpr double k_widest_line = 1e4;

void say_first(Scene& scene, const Edits& edits) {
  scene.steps.insert(scene.steps.begin(),
                     {edits.line() + " What an edit changed holds the edit's numbers, not what its stage "
                                     "computes; all that follows is computed from them.",
                      0, false, false});
  scene.description = told(scene.steps);
}

}  // namespace

void add_edits(Scene& scene, const Edits& edits, bool drawn) {
  if (edits.empty()) return;
  say_first(scene, edits);
  if (!drawn) return;
  const std::string words =
      k_pencil + edits.line() + " Edited values are marked; " + k_severed +
      " or a dotted line stands before a value that was not computed from what is drawn before it.";
  Scene part;
  const double width = std::min(std::max(scene.width - 2 * k_margin, 240.0), k_widest_line);
  const double height =
      add_paragraph(part, TextKind::legend, words, {k_margin, scene.height - k_margin + 14}, width);
  append(scene, part);
  scene.height += 14 + height;
  for (const SceneText& text : part.texts)
    scene.width = std::max(scene.width, std::ceil(text.bounds().right() + k_margin));
}

void mark_page(Slide& page, const Edits& edits) {
  if (edits.empty()) return;
  const std::string line = edits.line();
  // At the foot, in the line of the page number, where neither heading nor figure stands.
  page.scene.texts.push_back(text_at(
      TextKind::legend, elided(clean(k_pencil + line), k_page_line, page.scene.width - 80 - k_page_number),
      {40, page.scene.height - 14}, Anchor::start, Role::plain, k_page_line));
  say_first(page.scene, edits);
  page.notes = line + " " + page.notes;
}

int mark_cut(Scene& scene, const SceneGrid& grid, const Edits& edits, int64_t layer, int64_t head,
             double size) {
  const auto place = [](const std::vector<int64_t>& at, int64_t i) {
    const auto after = std::upper_bound(at.begin(), at.end(), i);
    return after == at.begin() || after == at.end() ? -1 : static_cast<int64_t>(after - at.begin()) - 1;
  };
  int marked = 0;
  const auto found = std::find_if(scene.grids.begin(), scene.grids.end(),
                                  [&](const SceneGrid& each) { return each.name == grid.name; });
  for (const auto& [query, key] : edits.cut(layer, head)) {
    const int64_t row = place(grid.row_at, query), column = place(grid.column_at, key);
    if (row < 0 || column < 0) continue;
    ++marked;
    const Rect cell = grid.cell(row, column);
    if (std::min(cell.width, cell.height) >= size + 1 && found != scene.grids.end()) {
      found->texts.push_back(text_at(TextKind::name, "\xc3\x97",
                                     {cell.centre().x, cell.centre().y + 0.36 * size}, Anchor::middle,
                                     Role::plain, size));
      continue;
    }
    for (const bool down : {true, false}) {
      SceneLine line;
      line.name = join("edge cut: ", query, ">", key);
      line.points = {{cell.x, down ? cell.y : cell.bottom()}, {cell.right(), down ? cell.bottom() : cell.y}};
      line.width = 1;
      scene.lines.push_back(std::move(line));
    }
  }
  return marked;
}

}  // namespace limpid::draw

#include "draw/formats/letter_parts.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/width.h"
#include "draw/text.h"

namespace limpid::draw {

namespace {

constexpr double k_step = 0.01;  // the map's finest

int64_t width_of(const SceneText& text) { return static_cast<int64_t>(display_width(clean(text.text))); }

// What a box says, texts of one baseline in one line.
std::vector<std::string> lines_of(const SceneBox& box) {
  std::vector<std::string> lines;
  double baseline = NAN;
  for (const SceneText& text : box.texts) {
    if (text.at.y == baseline)
      lines.back() += " " + clean(text.text);
    else
      lines.push_back(clean(text.text));
    baseline = text.at.y;
  }
  return lines;
}

bool level(const SceneLine& line) {
  for (size_t i = 1; i < line.points.size(); ++i)
    if (line.points[i].x != line.points[i - 1].x && line.points[i].y != line.points[i - 1].y) return false;
  return true;
}

Rect around(const std::vector<Point>& points) {
  Rect r = {points[0].x, points[0].y, 0, 0};
  double right = r.x, bottom = r.y;
  for (const Point& p : points) {
    r.x = std::min(r.x, p.x), right = std::max(right, p.x);
    r.y = std::min(r.y, p.y), bottom = std::max(bottom, p.y);
  }
  r.width = right - r.x;
  r.height = bottom - r.y;
  return r;
}

}  // namespace

bool LetterParts::joined() const {
  return std::any_of(parts.begin(), parts.end(), [](const Part& p) { return p.kind == Kind::connector; });
}

LetterParts parts_of(const Scene& scene) {
  using Kind = LetterParts::Kind;
  LetterParts out = {&scene, {}};
  const auto add = [&](Kind kind, size_t index, const Rect& r) { out.parts.push_back({kind, index, r}); };
  for (size_t i = 0; i < scene.frames.size(); ++i) add(Kind::frame, i, scene.frames[i].rect);
  for (size_t i = 0; i < scene.bars.size(); ++i) add(Kind::bar, i, scene.bars[i].rect);
  for (size_t i = 0; i < scene.grids.size(); ++i)
    if (scene.grids[i].rows > 0 && scene.grids[i].columns > 0) add(Kind::grid, i, scene.grids[i].rect);
  for (size_t i = 0; i < scene.lines.size(); ++i) {
    const SceneLine& line = scene.lines[i];
    if (line.points.size() > 1 && (level(line) || line.points.size() > 2))
      add(Kind::line, i, around(line.points));
  }
  for (size_t i = 0; i < scene.connectors.size(); ++i)
    add(Kind::connector, i, around(scene.connectors[i].points));
  for (size_t i = 0; i < scene.marks.size(); ++i)
    add(Kind::mark, i, {scene.marks[i].at.x - 3, scene.marks[i].at.y - 3, 6, 6});
  for (size_t i = 0; i < scene.boxes.size(); ++i) add(Kind::box, i, scene.boxes[i].rect);
  for (size_t i = 0; i < scene.texts.size(); ++i) add(Kind::text, i, scene.texts[i].bounds());
  return out;
}

// ---- room ----------------------------------------------------------------------------------------

LetterDrawing::LetterDrawing(const LetterParts& parts, bool turned, int64_t page_columns)
    : parts_(parts), turned_(turned), page_columns_(page_columns) {
  using Kind = LetterParts::Kind;
  const Scene& scene = *parts_.scene;
  for (const LetterParts::Part& part : parts_.parts) {
    const Rect r = turn(part.rect);
    switch (part.kind) {
      case Kind::frame:
        across_.need(r.x, r.x + k_step, 1);
        across_.need(r.x, r.right(),
                     static_cast<int64_t>(display_width(scene.frames[part.index].title.text)) + 6);
        across_.need(r.right() - k_step, r.right(), 1);
        down_.need(r.y, r.y + k_step, 1);
        down_.need(r.bottom() - k_step, r.bottom(), 1);
        break;
      case Kind::box:
        need_box(scene.boxes[part.index]);
        break;
      case Kind::connector:
        need_connector(scene.connectors[part.index]);
        break;
      case Kind::text:
        need_text(scene.texts[part.index]);
        break;
      case Kind::grid:
        need_grid(scene.grids[part.index]);
        break;
      case Kind::bar:
        across_.need(r.x, r.right(), std::max<int64_t>(1, std::lround(r.width / 8)));
        down_.need(r.y, r.bottom(), 1);
        break;
      case Kind::line:
        need_line(scene.lines[part.index]);
        break;
      case Kind::mark:
        across_.need(r.x, r.right(), 2);
        down_.need(r.y, r.bottom(), 0);
        break;
    }
  }
  across_.solve();
  down_.solve();
}

Rect LetterDrawing::turn(const Rect& r) const { return turned_ ? Rect{r.y, r.x, r.height, r.width} : r; }
Point LetterDrawing::turn(const Point& p) const { return turned_ ? Point{p.y, p.x} : p; }

void LetterDrawing::need_text(const SceneText& text) {
  const Rect r = turn(text.bounds());
  across_.need(r.x, r.right(), width_of(text) + 1);
  down_.need(r.y, r.bottom(), 1);
}

// Half of its room on each side of its middle, so that what is joined to the middle stays there.
void LetterDrawing::need_box(const SceneBox& box) {
  const std::vector<std::string> lines = lines_of(box);
  int64_t wide = 1, high = std::max<int64_t>(1, static_cast<int64_t>(lines.size()));
  for (const std::string& each : lines) wide = std::max(wide, static_cast<int64_t>(display_width(each)));
  if (box.look != SceneBox::Look::bare) wide += 4, high += 2;
  const Rect r = turn(box.rect);
  const Point c = r.centre();
  across_.need(r.x, c.x, wide / 2);
  across_.need(c.x, r.right(), wide - wide / 2);
  down_.need(r.y, c.y, high / 2);
  down_.need(c.y, r.bottom(), high - high / 2);
  across_.need(r.x, r.x + k_step, 1);
  across_.need(r.right() - k_step, r.right(), 1);
  down_.need(r.y, r.y + k_step, 1);
  down_.need(r.bottom() - k_step, r.bottom(), 1);
}

void LetterDrawing::need_connector(const SceneConnector& c) {
  for (size_t i = 0; i < c.points.size(); ++i) {
    const Point p = turn(c.points[i]);
    const bool end = i == 0 || i + 1 == c.points.size();
    const Point q = turn(c.points[i == 0 ? 1 : i - 1]);
    if (!end || p.x == q.x) across_.need(p.x, p.x + k_step, 1);
    if (!end || p.y == q.y) down_.need(p.y, p.y + k_step, 1);
    if (i == 0) continue;
    const int64_t room = i + 1 == c.points.size() || i == 1 ? 2 : 1;
    if (p.x != q.x) across_.need(std::min(p.x, q.x), std::max(p.x, q.x), room);
    if (p.y != q.y) down_.need(std::min(p.y, q.y), std::max(p.y, q.y), room);
  }
}

LetterDrawing::Pooled LetterDrawing::pooled(const SceneGrid& g) const {
  Pooled pooled;
  int64_t widest = 0;
  for (const SceneText& text : g.texts) widest = std::max(widest, width_of(text));
  if (widest > 0) {
    pooled.letters = widest + 1;
    return pooled;
  }
  const int64_t room = std::max<int64_t>(8, page_columns_ - 24);
  if (g.columns * 2 <= room) return pooled;
  pooled.letters = 1;
  pooled.columns = (g.columns + room - 1) / room;
  pooled.rows = 2 * pooled.columns;  // a letter is twice as high as wide
  if (g.rows < 8) pooled.rows = 1;
  return pooled;
}

void LetterDrawing::need_grid(const SceneGrid& g) {
  const Pooled p = pooled(g);
  for (int64_t column = 0; column < g.columns; column += p.columns) {
    const Rect r = g.cell(0, column);
    across_.need(r.x, g.cell(0, std::min(column + p.columns, g.columns) - 1).right(), p.letters);
  }
  for (int64_t row = 0; row < g.rows; row += p.rows) {
    const Rect r = g.cell(row, 0);
    down_.need(r.y, g.cell(std::min(row + p.rows, g.rows) - 1, 0).bottom(), 1);
  }
}

void LetterDrawing::need_line(const SceneLine& l) {
  const Rect r = turn(around(l.points));
  if (!level(l)) {  // a curve
    across_.need(r.x, r.right(), std::min<int64_t>(48, page_columns_ / 2));
    down_.need(r.y, r.bottom(), 12);
    return;
  }
  for (const Point& each : l.points) {
    const Point p = turn(each);
    if (r.height > 0) across_.need(p.x, p.x + k_step, 1);
    if (r.width > 0 && !l.faint) down_.need(p.y, p.y + k_step, 1);
    across_.need(p.x - k_step, p.x, 0);
    down_.need(p.y - k_step, p.y, 0);
  }
}

}  // namespace limpid::draw

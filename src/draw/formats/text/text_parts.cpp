#include "draw/formats/text/text_parts.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/utf8.h"
#include "core/width.h"
#include "draw/formats/outline_text.h"
#include "draw/scene/text.h"

namespace limpid::draw {

namespace {

constexpr double k_step = 0.01;  // the map's finest

int64_t width_of(const SceneText& text) { return static_cast<int64_t>(display_width(clean(text.text))); }

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

std::vector<BoxLine> lines_of(const SceneBox& box) {
  std::vector<BoxLine> lines;
  double baseline = NAN;
  for (const SceneText& text : box.texts) {
    const Rect r = text.bounds();
    if (text.at.y == baseline) {
      BoxLine& line = lines.back();
      line.words += " " + clean(text.text);
      const double right = std::max(line.rect.right(), r.right());
      line.rect.x = std::min(line.rect.x, r.x);
      line.rect.width = right - line.rect.x;
    } else {
      lines.push_back({clean(text.text), r});
    }
    baseline = text.at.y;
  }
  return lines;
}

bool TextParts::joined() const {
  return std::any_of(parts.begin(), parts.end(), [](const Part& p) { return p.kind == Kind::connector; });
}

std::vector<std::string> letters_of(const SceneText& text) {
  const std::string all = clean(text.text);
  std::vector<std::string> out;
  for (size_t at = 0; at < all.size();) {
    const size_t size = character_at(all, at).size;
    const std::string letter = all.substr(at, size);
    if (display_width(letter) == 0 && !out.empty())
      out.back() += letter;  // an accent
    else
      out.push_back(letter);
    at += size;
  }
  return out;
}

bool frames_cell(const SceneLine& line) {
  return line.points.size() == 5 && line.points.front() == line.points.back() && !line.faint;
}

TextParts parts_of(const Scene& scene) {
  using Kind = TextParts::Kind;
  TextParts out = {&scene, {}};
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
  const auto on_way = [&](const Point& p) {
    return std::any_of(scene.connectors.begin(), scene.connectors.end(), [&](const SceneConnector& c) {
      return std::find(c.points.begin(), c.points.end(), p) != c.points.end();
    });
  };
  for (size_t i = 0; i < scene.marks.size(); ++i)
    if (!on_way(scene.marks[i].at))
      add(Kind::mark, i, {scene.marks[i].at.x - 3, scene.marks[i].at.y - 3, 6, 6});
  for (size_t i = 0; i < scene.boxes.size(); ++i) add(Kind::box, i, scene.boxes[i].rect);
  for (size_t i = 0; i < scene.texts.size(); ++i) add(Kind::text, i, scene.texts[i].bounds());
  return out;
}

// ---- room ----------------------------------------------------------------------------------------

TextDrawing::TextDrawing(const TextParts& parts, bool turned, int64_t page_columns)
    : parts_(parts), turned_(turned), page_columns_(page_columns) {
  using Kind = TextParts::Kind;
  const Scene& scene = *parts_.scene;
  for (const TextParts::Part& part : parts_.parts) {
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
        if (const int beside = turned_ ? connector_beside(scene, scene.texts[part.index]) : -1; beside >= 0)
          labels_[beside].push_back(&scene.texts[part.index]);
        else
          need_text(scene.texts[part.index]);
        break;
      case Kind::grid:
        need_grid(scene.grids[part.index]);
        break;
      case Kind::bar:
        across_.need(r.x, r.right(), std::max<int64_t>(1, std::lround(r.width / 8)));
        down_.need(on_row(r).y, on_row(r).bottom(), 1);
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
  need_labels();
  across_.solve();
  down_.solve();
}

Rect TextDrawing::turn(const Rect& r) const { return turned_ ? Rect{r.y, r.x, r.height, r.width} : r; }
Point TextDrawing::turn(const Point& p) const { return turned_ ? Point{p.y, p.x} : p; }

// A text may be wider in letters than in a figure, and should not push apart what stands above and below it.
// What starts somewhere may reach to the end of the line or to what stands there; what is centred just above
// or below a grid, and alone there, as far as the grid.
std::pair<double, double> TextDrawing::room_of(const SceneText& text) const {
  constexpr double k_near = 20;
  const Rect r = text.bounds();
  if (!text.upright && text.anchor == SceneText::Anchor::start) return {r.x, free_until(text)};
  if (text.upright || text.anchor == SceneText::Anchor::end) return {r.x, r.right()};
  for (const TextParts::Part& part : parts_.parts) {
    const Rect &grid = part.rect, line = {grid.x, r.y, grid.width, r.height};
    const bool over = part.kind == TextParts::Kind::grid && line.holds(r) && !grid.meets(r) &&
                      r.bottom() > grid.y - k_near && r.y < grid.bottom() + k_near;
    const auto on_line = [&](const TextParts::Part& other) { return other.rect.meets(line); };
    if (over && std::count_if(parts_.parts.begin(), parts_.parts.end(), on_line) == 1)
      return {grid.x, grid.right()};
  }
  return {r.x, r.right()};
}

double TextDrawing::free_until(const SceneText& text) const {
  const Rect r = text.bounds();
  double end = r.right();
  for (const TextParts::Part& part : parts_.parts) end = std::max(end, part.rect.right());
  for (const TextParts::Part& part : parts_.parts) {
    const Rect& other = part.rect;
    if (other.y > r.bottom() || other.bottom() < r.y || other.right() < r.x) continue;
    if (other.x >= r.right())
      end = std::min(end, other.x);
    else if (part.kind == TextParts::Kind::text && other.x >= r.x)
      continue;  // itself
    else if (other.right() > r.right() &&
             (part.kind == TextParts::Kind::frame || part.kind == TextParts::Kind::box))
      end = std::min(end, other.right());
    else
      return r.right();  // a line or whatever else runs by
  }
  return end;
}

void TextDrawing::need_text(const SceneText& text) {
  const Rect r = turn(text.bounds());
  if (text.upright && !turned_) {
    int64_t wide = 1;
    const std::vector<std::string> letters = letters_of(text);
    for (const std::string& letter : letters)
      wide = std::max(wide, static_cast<int64_t>(display_width(letter)));
    across_.need(r.x, r.right(), wide + 1);
    return down_.need(r.y, r.bottom(), static_cast<int64_t>(letters.size()));
  }
  const auto [from, to] = turned_ ? std::pair(r.x, r.right()) : room_of(text);
  across_.need(from, to, width_of(text) + 1);
  const Rect line = on_row(r);
  down_.need(line.y, line.bottom(), 1);
}

// As high as the row of cells it stands level with, so that the two come to one line.
Rect TextDrawing::on_row(const Rect& r) const {
  if (turned_) return r;
  Rect out = r;
  double nearest = 2.5;  // texts stand on baselines, cells round their middles
  for (const TextParts::Part& part : parts_.parts) {
    if (part.kind != TextParts::Kind::grid) continue;
    const SceneGrid& grid = parts_.scene->grids[part.index];
    const double row = std::floor((r.centre().y - grid.rect.y) / grid.cell_height());
    if (row < 0 || row >= static_cast<double>(grid.rows)) continue;
    const Rect cell = grid.cell(static_cast<int64_t>(row), 0);
    const double away = std::abs(cell.centre().y - r.centre().y);
    if (cell.height < r.height || away >= nearest) continue;
    nearest = away;
    out = {r.x, cell.y, r.width, cell.height};
  }
  return out;
}

// Half of its room on each side of its middle, so that what is joined to the middle stays there.
void TextDrawing::need_box(const SceneBox& box) {
  const std::vector<BoxLine> lines = lines_of(box);
  if (turned_ && box.look == SceneBox::Look::bare && lines.size() > 1) return need_words(box);
  int64_t wide = 1, high = std::max<int64_t>(1, static_cast<int64_t>(lines.size()));
  for (const BoxLine& each : lines) wide = std::max(wide, static_cast<int64_t>(display_width(each.words)));
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

// The words of a sentence stand one under the other in a scene, and so side by side when it is turned.
void TextDrawing::need_words(const SceneBox& box) {
  for (const BoxLine& line : lines_of(box)) {
    const auto wide = static_cast<int64_t>(display_width(line.words)) + 1;
    const Rect r = turn(line.rect);
    across_.need(r.x, r.centre().x, wide / 2);
    across_.need(r.centre().x, r.right(), wide - wide / 2);
  }
  const Rect r = turn(box.rect);
  down_.need(r.y, r.bottom(), 1);
}

// A row for each label and one for the arrow, on the longest piece that runs downwards.
void TextDrawing::need_labels() {
  for (const auto& [index, texts] : labels_) {
    const SceneConnector& c = parts_.scene->connectors[static_cast<size_t>(index)];
    size_t longest = 0;
    double length = 0;
    for (size_t i = 0; i + 1 < c.points.size(); ++i)
      if (const double d = std::abs(turn(c.points[i + 1]).y - turn(c.points[i]).y); d > length) {
        length = d;
        longest = i;
      }
    if (length == 0) continue;
    const double a = turn(c.points[longest]).y, b = turn(c.points[longest + 1]).y;
    down_.need(std::min(a, b), std::max(a, b), static_cast<int64_t>(texts.size()) + 1);
  }
}

void TextDrawing::need_connector(const SceneConnector& c) {
  for (size_t i = 0; i < c.points.size(); ++i) {
    const Point p = turn(c.points[i]);
    const bool end = i == 0 || i + 1 == c.points.size();
    const Point q = turn(c.points[i == 0 ? 1 : i - 1]);
    if (!end || p.x == q.x) across_.need(p.x, p.x + k_step, turned_ ? 1 : 2);
    if (!end || p.y == q.y) down_.need(p.y, p.y + k_step, 1);
    if (i == 0) continue;
    const int64_t room = i + 1 == c.points.size() || i == 1 ? 2 : 1;
    if (p.x != q.x) across_.need(std::min(p.x, q.x), std::max(p.x, q.x), room);
    if (p.y != q.y) down_.need(std::min(p.y, q.y), std::max(p.y, q.y), room);
  }
}

TextDrawing::Pooled TextDrawing::pooled(const SceneGrid& g) const {
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

void TextDrawing::need_grid(const SceneGrid& g) {
  const Pooled p = pooled(g);
  for (int64_t column = 0; column < g.columns; column += p.columns) {
    const Rect r = g.cell(0, column);
    across_.need(r.x, g.cell(0, std::min(column + p.columns, g.columns) - 1).right(), p.letters);
  }
  if (g.texts.empty()) across_.need(g.rect.right(), g.rect.right() + k_step, 1);  // apart from what follows
  for (int64_t row = 0; row < g.rows; row += p.rows) {
    const Rect r = g.cell(row, 0);
    down_.need(r.y, g.cell(std::min(row + p.rows, g.rows) - 1, 0).bottom(), 1);
  }
}

void TextDrawing::need_line(const SceneLine& l) {
  if (frames_cell(l)) return;
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

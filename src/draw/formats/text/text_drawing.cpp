// TextDrawing: the parts on the page, once everything has its room.
#include <algorithm>
#include <cmath>

#include "core/width.h"
#include "draw/formats/outline_text.h"
#include "draw/formats/text/text_parts.h"
#include "draw/scene/text.h"

namespace limpid::draw {

namespace {

std::string_view shade_letter(double shade) {
  constexpr std::string_view k_shades[] = {" ", "░", "▒", "▓", "█"};
  return k_shades[static_cast<size_t>(std::clamp(std::lround(shade * 4), 0L, 4L))];
}

std::string_view curve_letter(Role role) {
  constexpr std::string_view k_letters[] = {"•", "∘", "×", "+", "*"};
  return k_letters[static_cast<size_t>(role)];
}

Side turned_side(Side side, bool turned) {
  if (!turned) return side;
  switch (side) {
    case Side::left:
      return Side::top;
    case Side::top:
      return Side::left;
    case Side::right:
      return Side::bottom;
    case Side::bottom:
      return Side::right;
  }
  return side;
}

}  // namespace

std::string TextDrawing::text(int64_t at_most) const {
  using Kind = TextParts::Kind;
  const Scene& scene = *parts_.scene;
  TextCanvas page(at_most > 0 ? std::min(at_most, across_.size() + 1) : across_.size() + 1, down_.size() + 2);
  const auto each = [&](Kind kind, auto&& paint) {
    for (const TextParts::Part& part : parts_.parts)
      if (part.kind == kind) paint(part);
  };
  using Part = TextParts::Part;
  each(Kind::frame, [&](const Part& p) { frame(page, scene.frames[p.index]); });
  each(Kind::line, [&](const Part& p) { line(page, scene.lines[p.index]); });
  each(Kind::bar, [&](const Part& p) {
    const Rect r = turn(p.rect);
    const int64_t row = down_.at(on_row(r).y);
    for (int64_t column = across_.at(r.x); column < std::max(across_.at(r.right()), across_.at(r.x) + 1);
         ++column)
      page.letter(column, row, "█");
  });
  each(Kind::box, [&](const Part& p) { box(page, scene.boxes[p.index]); });
  each(Kind::connector, [&](const Part& p) { connector(page, scene.connectors[p.index]); });
  each(Kind::grid, [&](const Part& p) { grid(page, scene.grids[p.index]); });
  each(Kind::mark, [&](const Part& p) {
    const Rect r = turn(p.rect);
    if (page.blank(across_.at(r.x), down_.at(r.bottom())))
      page.letter(across_.at(r.x), down_.at(r.bottom()), "•");
  });
  each(Kind::text, [&](const Part& p) {
    if (!turned_ || connector_beside(scene, scene.texts[p.index]) < 0) words(page, scene.texts[p.index]);
  });
  labels(page);
  return page.text();
}

void TextDrawing::frame(TextCanvas& page, const SceneFrame& frame) const {
  const Rect r = turn(frame.rect);
  const int64_t left = across_.at(r.x), top = down_.at(r.y);
  page.rectangle(left, top, across_.at(r.right()) - 1, down_.at(r.bottom()) - 1, true);
  page.write(left + 2, top, " " + clean(frame.title.text) + " ");
}

void TextDrawing::box(TextCanvas& page, const SceneBox& box) const {
  const Rect r = turn(box.rect);
  const int64_t left = across_.at(r.x), top = down_.at(r.y), right = across_.at(r.right()) - 1,
                bottom = down_.at(r.bottom()) - 1;
  if (box.look != SceneBox::Look::bare) page.rectangle(left, top, right, bottom);
  const std::vector<BoxLine> lines = lines_of(box);
  if (turned_ && box.look == SceneBox::Look::bare && lines.size() > 1) {
    for (const BoxLine& line : lines) {
      const Rect at = turn(line.rect);
      const auto width = static_cast<int64_t>(display_width(line.words));
      page.write(across_.at(at.centre().x) - width / 2, bottom, line.words);
    }
    return;
  }
  const int64_t first = top + (bottom - top + 1 - static_cast<int64_t>(lines.size())) / 2;
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto width = static_cast<int64_t>(display_width(lines[i].words));
    page.write(left + (right - left + 1 - width) / 2, first + static_cast<int64_t>(i), lines[i].words);
  }
}

void TextDrawing::connector(TextCanvas& page, const SceneConnector& c) const {
  struct At {
    int64_t column, row;
  };
  std::vector<At> way;
  for (const Point& each : c.points) {
    const Point p = turn(each);
    way.push_back({across_.at(p.x), down_.at(p.y)});
  }
  const SceneBox &from = parts_.scene->boxes[static_cast<size_t>(c.from)],
                 &to = parts_.scene->boxes[static_cast<size_t>(c.to)];
  // From the border on, so that the two join.
  const Side leaves = turned_side(from.ports[static_cast<size_t>(c.from_port)].side, turned_);
  const bool border = from.look != SceneBox::Look::bare;
  if (leaves == Side::right && border) --way.front().column;
  if (leaves == Side::bottom && border) --way.front().row;
  if (leaves == Side::left && !border) --way.front().column;
  if (leaves == Side::top && !border) --way.front().row;
  const Side enters = turned_side(to.ports[static_cast<size_t>(c.to_port)].side, turned_);
  if (enters == Side::left) --way.back().column;
  if (enters == Side::top) --way.back().row;
  for (size_t i = 0; i + 1 < way.size(); ++i)
    page.line(way[i].column, way[i].row, way[i + 1].column, way[i + 1].row, c.residual);
  page.letter(way.back().column, way.back().row,
              c.severed               ? "┊"
              : enters == Side::left  ? "▶"
              : enters == Side::top   ? "▼"
              : enters == Side::right ? "◀"
                                      : "▲");
}

void TextDrawing::grid(TextCanvas& page, const SceneGrid& g) const {
  const Pooled p = pooled(g);
  for (int64_t row = 0; row < g.rows; row += p.rows)
    for (int64_t column = 0; column < g.columns; column += p.columns) {
      double sum = 0;
      int64_t count = 0;
      for (int64_t r = row; r < std::min(row + p.rows, g.rows); ++r)
        for (int64_t c = column; c < std::min(column + p.columns, g.columns); ++c)
          if (const auto shade = g.shade(r, c)) {
            sum += *shade;
            ++count;
          }
      const Rect cell = g.cell(row, column);
      const int64_t at = across_.at(cell.x), line = down_.at(cell.y);
      if (!g.texts.empty()) {
        if (count == 0) page.letter(at + p.letters - 2, line, "·");
        continue;
      }
      const double right = g.cell(row, std::min(column + p.columns, g.columns) - 1).right();
      for (int64_t i = 0; i < std::max(p.letters, across_.at(right) - at); ++i)
        page.letter(at + i, line,
                    count > 0 ? shade_letter(sum / static_cast<double>(count))
                    : i == 0  ? std::string_view("·")
                              : std::string_view(" "));
    }
  for (const SceneText& text : g.texts) {
    const Point c = text.bounds().centre();
    const auto row = static_cast<int64_t>((c.y - g.rect.y) / g.cell_height()),
               column = static_cast<int64_t>((c.x - g.rect.x) / g.cell_width());
    if (row < 0 || column < 0 || row >= g.rows || column >= g.columns) continue;
    const Rect cell = g.cell(row, column);
    const auto width = static_cast<int64_t>(display_width(text.text));
    page.write(across_.at(cell.x) + p.letters - 1 - width, down_.at(cell.y), clean(text.text));
  }
}

void TextDrawing::words(TextCanvas& page, const SceneText& text) const {
  const Rect r = turn(text.bounds());
  if (text.upright && !turned_) {
    const std::vector<std::string> letters = letters_of(text);
    const int64_t first = down_.at(r.bottom()) - static_cast<int64_t>(letters.size());
    for (size_t i = 0; i < letters.size(); ++i)
      page.write(across_.at(r.x), first + static_cast<int64_t>(i), letters[i]);
    return;
  }
  const std::string line = clean(text.text);
  const auto width = static_cast<int64_t>(display_width(line));
  const int64_t left = across_.at(r.x), right = across_.at(r.right()) - 1;
  const int64_t column = text.anchor == SceneText::Anchor::start ? left
                         : text.anchor == SceneText::Anchor::end ? right - width
                                                                 : left + (right - left - width + 1) / 2;
  page.write(std::max<int64_t>(0, column), down_.at(on_row(r).y), line);
}

// Right of the connector's way, else left of it, on the first of its rows that has the room.
void TextDrawing::labels(TextCanvas& page) const {
  for (const auto& [index, texts] : labels_) {
    const SceneConnector& c = parts_.scene->connectors[static_cast<size_t>(index)];
    for (const SceneText* text : texts) {
      const std::string words = clean(text->text);
      const auto width = static_cast<int64_t>(display_width(words));
      const auto free = [&](int64_t column, int64_t row) {
        for (int64_t i = -1; i <= width; ++i)
          if (!page.blank(column + i, row)) return false;
        return true;
      };
      bool written = false;
      // A residual path is named where it is alone.
      for (size_t i = c.residual ? static_cast<size_t>(c.fork) : 0; i + 1 < c.points.size() && !written;
           ++i) {
        const Point a = turn(c.points[i]), b = turn(c.points[i + 1]);
        if (a.x != b.x) continue;
        const int64_t column = across_.at(a.x), from = down_.at(a.y), to = down_.at(b.y),
                      step = to < from ? -1 : 1;
        for (int64_t row = from; row != to && !written; row += step)
          for (const int64_t at : {column + 2, column - 1 - width})
            if (!written && free(at, row)) {
              page.write(at, row, words);
              written = true;
            }
      }
    }
  }
}

void TextDrawing::line(TextCanvas& page, const SceneLine& l) const {
  if (frames_cell(l)) {
    const Point middle =
        turn(Point{(l.points[0].x + l.points[1].x) / 2, (l.points[0].y + l.points[2].y) / 2});
    const Point end = turn(Point{l.points[2].x + 1, l.points[2].y + 1});  // of the cell, a unit outside it
    return page.letter(across_.at(end.x) - 1, down_.at(middle.y), "*");
  }
  bool level = true;
  for (size_t i = 1; i < l.points.size(); ++i)
    level = level && (l.points[i].x == l.points[i - 1].x || l.points[i].y == l.points[i - 1].y);
  if (level) {
    for (size_t i = 1; i < l.points.size(); ++i) {
      const Point a = turn(l.points[i - 1]), b = turn(l.points[i]);
      page.line(across_.at(a.x), down_.at(a.y), across_.at(b.x), down_.at(b.y), l.dashed || l.faint);
    }
    return;
  }
  for (size_t i = 1; i < l.points.size(); ++i) {
    const Point a = turn(l.points[i - 1]), b = turn(l.points[i]);
    for (int step = 0; step <= 64; ++step) {
      const double share = step / 64.0;
      const auto column = std::lround(across_.between(a.x + (b.x - a.x) * share)),
                 row = std::lround(down_.between(a.y + (b.y - a.y) * share));
      page.letter(column, row, curve_letter(l.role));
    }
  }
}

}  // namespace limpid::draw

#include "draw/figures/canvas.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "draw/layout/layout.h"

namespace limpid::draw {

SceneText text_at(TextKind kind, const std::string& text, Point at, Anchor anchor, Role role, double size) {
  SceneText out;
  out.kind = kind;
  out.text = text;
  out.at = at;
  out.anchor = anchor;
  out.role = role;
  out.size = size;
  return out;
}

SceneText number_at(const Source& source, double number, Point at, Anchor anchor, Role role, double size) {
  SceneText out = text_at(TextKind::number, written(source, number), at, anchor, role, size);
  out.sources = {source};
  return out;
}

// ---- grids ---------------------------------------------------------------------------------------

namespace {

constexpr double k_row_label = 15;  // the least height for a label of a row
constexpr double k_label_gap = 6;

}  // namespace

double widest_number(const Matrix& m) {
  double width = 0;
  for (int64_t r = 0; r < m.rows; ++r)
    for (int64_t c = 0; c < m.columns; ++c)
      width = std::max(width, text_width(written(m.source, m.at(r, c)), k_small_size));
  return width;
}

namespace {

// Cells of one number each that are wide enough for it.
bool numbers_fit(const Matrix& m, const GridForm& form) {
  if (!form.numbers || m.rows * m.columns > 400) return false;
  const double width = std::min(form.cell_width, form.most_width / static_cast<double>(m.columns));
  return static_cast<double>(m.rows) * k_least_row <= form.most_height + 1e-9 && width >= 24 &&
         widest_number(m) + 4 <= width;
}

// Every how many-th place has a label.
int64_t stride_for(double cell, double room) {
  return std::max<int64_t>(1, static_cast<int64_t>(std::ceil(room / std::max(cell, 1e-6))));
}

}  // namespace

double label_width(const Labels& labels) {
  double width = 0;
  for (const std::string& text : labels.texts) width = std::max(width, text_width(text, k_small_size));
  return std::min(width, labels.most);
}

void label_rows(Scene& scene, const SceneGrid& grid, const Labels& labels, int64_t places, Role role) {
  const double pitch = grid.rect.height / static_cast<double>(places);
  const int64_t stride = stride_for(pitch, k_row_label);
  for (int64_t i = 0; i < places && i < static_cast<int64_t>(labels.texts.size()); i += stride) {
    const double y = grid.rect.y + pitch * (static_cast<double>(i) + (stride == 1 ? 0.5 : 0));
    const double baseline = stride == 1 ? y + 0.36 * k_small_size : y + 0.76 * k_small_size;
    scene.texts.push_back(text_at(labels.kind,
                                  elided(labels.texts[static_cast<size_t>(i)], k_small_size, labels.most),
                                  {grid.rect.x - k_label_gap, baseline}, Anchor::end, role));
  }
}

// Labels of columns stand upright where some word has no room beside its neighbours: none is cut for that.
bool stands(const Labels& labels, double pitch) { return label_width(labels) + 6 > pitch; }

void label_columns(Scene& scene, const SceneGrid& grid, const Labels& labels, int64_t places, Role role) {
  const double pitch = grid.rect.width / static_cast<double>(places);
  const bool upright = stands(labels, pitch);
  const int64_t stride = upright ? stride_for(pitch, k_row_label) : 1;
  for (int64_t i = 0; i < places && i < static_cast<int64_t>(labels.texts.size()); i += stride) {
    const double x = grid.rect.x + pitch * (static_cast<double>(i) + (stride == 1 ? 0.5 : 0));
    const double most = upright ? labels.most : std::min(labels.most, pitch - 4);
    SceneText text = text_at(labels.kind, elided(labels.texts[static_cast<size_t>(i)], k_small_size, most),
                             {x, grid.rect.y - k_label_gap}, Anchor::middle, role);
    if (upright) {
      text.upright = true;
      text.anchor = Anchor::start;
      text.at.x += (stride == 1 ? 0.36 : 0.76) * k_small_size;
    }
    scene.texts.push_back(text);
  }
}

GridSize size_of(const Matrix& m, const GridForm& form) {
  GridSize out;
  const auto most = [](double room) {
    return std::max<int64_t>(1, static_cast<int64_t>(room / k_least_cell));
  };
  out.numbers = numbers_fit(m, form);
  out.rows = std::min(m.rows, most(form.most_height));
  out.columns = std::min(m.columns, most(form.most_width));
  const auto rows = static_cast<double>(out.rows), columns = static_cast<double>(out.columns);
  if (out.numbers) {
    out.width = columns * std::min(form.cell_width, form.most_width / columns);
    out.height = rows * std::min(k_cell_height, form.most_height / rows);
  } else {
    out.width = columns * std::min(form.cell_width, form.most_width / columns);
    out.height = rows * std::min(k_cell_height, form.most_height / rows);
  }
  return out;
}

Point label_room(const Matrix& m, const GridForm& form) {
  const GridSize size = size_of(m, form);
  Point room;
  if (!form.rows.texts.empty()) room.x = label_width(form.rows) + k_label_gap;
  if (!form.columns.texts.empty()) {
    const double pitch = size.width / static_cast<double>(m.columns);
    room.y = (stands(form.columns, pitch) ? label_width(form.columns) : k_small_size) + k_label_gap + 2;
  }
  return room;
}

const SceneGrid& add_grid(Scene& scene, const Matrix& m, const Matrix* mask, const GridForm& form, Point at) {
  const GridSize size = size_of(m, form);
  SceneGrid grid = grid_of(m, mask, size.rows, size.columns);
  grid.name = clean(form.name);
  grid.role = form.role;
  grid.rect = {at.x, at.y, size.width, size.height};
  if (form.shares) {
    const Scale scale = scale_of({grid}, size.numbers);
    grid.low = scale.low;
    grid.high = scale.high;
  }
  if (form.range && !grid.pooled()) std::tie(grid.low, grid.high) = *form.range;
  if (size.numbers) write_cells(grid, m);
  if (!form.rows.texts.empty()) label_rows(scene, grid, form.rows, m.rows, Role::plain);
  if (!form.columns.texts.empty()) label_columns(scene, grid, form.columns, m.columns, Role::plain);
  scene.grids.push_back(std::move(grid));
  return scene.grids.back();
}

std::pair<double, double> range_of(const Matrix& m, const std::vector<int64_t>& rows) {
  double low = INFINITY, high = -INFINITY;
  for (int64_t row : rows)
    for (int64_t c = 0; c < m.columns; ++c)
      if (const double v = m.at(row, c); std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
  return low <= high ? std::pair{low, high} : std::pair{0.0, 1.0};
}

// ---- words ---------------------------------------------------------------------------------------

double add_paragraph(Scene& scene, TextKind kind, const std::string& text, Point at, double width,
                     double size) {
  // As wide as it may be, not as narrow: a paragraph, no label.
  std::vector<std::string> lines;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    if (end > 0) {
      const std::string word = elided(rest.substr(0, end), size, width);
      if (!lines.empty() && text_width(lines.back() + " " + word, size) <= width)
        lines.back() += " " + word;
      else
        lines.push_back(word);
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  double y = at.y;
  for (const std::string& line : lines) {
    scene.texts.push_back(text_at(kind, line, {at.x, y + k_ascent * size}, Anchor::start, Role::plain, size));
    y += 1.45 * size;
  }
  return y - at.y;
}

std::vector<std::string> token_labels(const Reading& reading, Axis axis) {
  const std::vector<Token>& keys = reading.trace().keys;
  const bool others = axis == Axis::S && !keys.empty();
  const int64_t count = others ? static_cast<int64_t>(keys.size()) : reading.length();
  std::vector<std::string> labels;
  for (int64_t i = 0; i < count; ++i) {
    std::string label = clean(reading.label(axis, i));
    labels.push_back(label.empty() ? "\xe2\x90\xa3" : label);  // a token of blanks
  }
  return labels;
}

std::string told_apart(const std::vector<std::string>& labels, int64_t place, double width) {
  if (place >= static_cast<int64_t>(labels.size())) return join("#", place);
  const std::string& label = labels[static_cast<size_t>(place)];
  const auto at = labels.begin() + static_cast<std::ptrdiff_t>(place);
  const auto before = std::count(labels.begin(), at, label),
             all = std::count(labels.begin(), labels.end(), label);
  const std::string number = all > 1 ? join("#", before + 1) : "";
  return elided(label, k_small_size, width - text_width(number, k_small_size)) + number;
}

std::string quoted(const std::string& label) { return "\"" + elided(label, k_small_size, 140) + "\""; }

std::string listed(const std::vector<std::string>& words) {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i)
    out += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + words[i];
  return out;
}

// ---- whole scenes --------------------------------------------------------------------------------

void fit_page(Scene& scene) {
  double right = 0, bottom = 0;
  const auto take = [&](const Rect& r) {
    right = std::max(right, r.right());
    bottom = std::max(bottom, r.bottom());
  };
  each_place(
      scene, [&](Point& p) { take({p.x, p.y, 0, 0}); }, [&](Rect& r) { take(r); },
      [&](SceneText& t) { take(t.bounds()); });
  scene.width = std::ceil(right + k_margin);
  scene.height = std::ceil(bottom + k_margin);
}

void append(Scene& scene, const Scene& part) {
  const int boxes = static_cast<int>(scene.boxes.size());
  for (SceneFrame frame : part.frames) {
    for (int& box : frame.boxes) box += boxes;
    scene.frames.push_back(std::move(frame));
  }
  for (SceneConnector c : part.connectors) {
    c.from += boxes;
    c.to += boxes;
    scene.connectors.push_back(std::move(c));
  }
  const auto add = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  add(scene.bars, part.bars);
  const int grids = static_cast<int>(scene.grids.size());
  for (SceneLine line : part.lines) {
    for (LineEnd* end : {&line.from, &line.to})
      end->index += end->on == LineEnd::On::box ? boxes : end->on == LineEnd::On::grid ? grids : 0;
    scene.lines.push_back(std::move(line));
  }
  add(scene.grids, part.grids);
  add(scene.marks, part.marks);
  add(scene.boxes, part.boxes);
  add(scene.texts, part.texts);
}

}  // namespace limpid::draw

#include "draw/formats/native.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "draw/formats/raster/png_bytes.h"
#include "draw/scene/text.h"

namespace limpid::draw {

// ---- texts ---------------------------------------------------------------------------------------

namespace {

// Of the font's em; Arial and Verdana differ by a twentieth at most.
constexpr double k_font_ascent = 0.928, k_font_height = 1.164;

bool centred(const SceneText& text, const SceneBox& box) {
  return text.anchor == SceneText::Anchor::middle && std::abs(text.at.x - box.rect.centre().x) < 1 &&
         text.sources.empty() && !text.upright && !text.ground;
}

bool of_one_kind(const SceneText& a, const SceneText& b) {
  return a.size == b.size && a.role == b.role && a.kind == b.kind;
}

}  // namespace

Rect line_box(const SceneText& text) {
  const Rect r = text.bounds();
  const double middle = (k_font_ascent - k_font_height / 2) * text.size, height = k_font_height * text.size;
  if (text.upright) return {text.at.x - middle - height / 2, r.y, height, r.height};
  return {r.x, text.at.y - middle - height / 2, r.width, height};
}

BoxLabel label_of(const SceneBox& box) {
  BoxLabel label;
  for (const SceneText& text : box.texts) {
    if (!centred(text, box)) continue;
    if (!label.lines.empty()) {
      const SceneText& last = *label.lines.back();
      const double pitch = text.at.y - last.at.y;
      if (!of_one_kind(text, last) || pitch <= 0 || pitch > 2 * text.size) continue;
      if (label.lines.size() > 1 && std::abs(pitch - label.pitch) > 0.5) continue;
      label.pitch = pitch;
    }
    label.lines.push_back(&text);
  }
  if (label.lines.empty()) return label;
  const Rect first = line_box(*label.lines.front()), last = line_box(*label.lines.back());
  if (label.pitch == 0) label.pitch = first.height;
  label.lower = (first.centre().y + last.centre().y) / 2 - box.rect.centre().y;
  return label;
}

std::vector<const SceneText*> beside_label(const SceneBox& box, const BoxLabel& label) {
  std::vector<const SceneText*> others;
  for (const SceneText& text : box.texts)
    if (std::find(label.lines.begin(), label.lines.end(), &text) == label.lines.end())
      others.push_back(&text);
  return others;
}

// ---- names ---------------------------------------------------------------------------------------

std::string source_name(const SceneText& text) {
  std::string list;
  for (const Source& source : text.sources) list += (list.empty() ? "" : "; ") + to_string(source);
  return list.empty() ? std::string(name(text.kind)) : list;
}

std::string source_name(const SceneGrid& grid) {
  if (grid.source.stage.empty() || grid.row_at.empty() || grid.column_at.empty()) return "";
  Source all = grid.source;
  if (all.extent.size() != all.index.size()) all.extent.assign(all.index.size(), 1);
  const auto whole = [&](int axis, const std::vector<int64_t>& at) {
    if (axis < 0 || axis >= static_cast<int>(all.index.size())) return;  // one row, or one column
    all.index[static_cast<size_t>(axis)] = at.front();
    all.extent[static_cast<size_t>(axis)] = at.back() - at.front();
  };
  if (grid.of_patches()) {
    const auto axis = static_cast<size_t>(grid.row_axis);
    const int64_t first = grid.row_at.front() + grid.column_at.front();
    if (axis >= all.index.size()) return "";
    all.index[axis] = first;
    all.extent[axis] = grid.row_at.back() + grid.column_at.back() - first;
    return to_string(all);
  }
  whole(grid.row_axis, grid.row_at);
  whole(grid.column_axis, grid.column_at);
  return to_string(all);
}

// ---- grids ---------------------------------------------------------------------------------------

std::vector<bool> pictured_grids(const Scene& scene) {
  std::vector<bool> pictured(scene.grids.size(), false);
  size_t shapes = scene.frames.size() * 2 + scene.bars.size() + scene.lines.size() + scene.marks.size() +
                  scene.boxes.size() + scene.texts.size() + 3;
  for (const SceneConnector& c : scene.connectors)
    shapes += c.points.size();  // pieces, and points between them
  for (const SceneFrame& frame : scene.frames) shapes += frame.repeats > 1 ? 2 : 0;
  for (const SceneBox& box : scene.boxes) shapes += beside_label(box, label_of(box)).size();
  for (const SceneGrid& grid : scene.grids) shapes += 2 + static_cast<size_t>(grid.rows * grid.columns);
  std::vector<size_t> order(scene.grids.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto cells = [&](size_t i) { return scene.grids[i].rows * scene.grids[i].columns; };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const bool numbers_a = !scene.grids[a].texts.empty(), numbers_b = !scene.grids[b].texts.empty();
    return numbers_a != numbers_b ? !numbers_a : cells(a) > cells(b);
  });
  for (size_t i : order) {
    if (shapes <= k_most_shapes) break;
    pictured[i] = true;
    shapes -= static_cast<size_t>(cells(i)) - scene.grids[i].texts.size();  // its numbers stay text
  }
  return pictured;
}

std::string picture_of(const SceneGrid& grid, Theme theme) {
  const int64_t longer = std::max({grid.rows, grid.columns, int64_t{1}});
  const int64_t scale = std::clamp<int64_t>(1024 / longer, 1, 16);  // programs blur pixels that they enlarge
  const int64_t width = grid.columns * scale, height = grid.rows * scale;
  std::string pixels;
  pixels.reserve(static_cast<size_t>(width * height * 3));
  const auto rgb = [](std::string_view colour) {
    std::string bytes;
    for (size_t i = 1; i < 7; i += 2)
      bytes += static_cast<char>(std::stoi(std::string(colour.substr(i, 2)), nullptr, 16));
    return bytes;
  };
  for (int64_t row = 0; row < grid.rows; ++row) {
    std::string line;
    for (int64_t column = 0; column < grid.columns; ++column) {
      const std::string cell = rgb(cell_colour(grid, row, column, theme));
      for (int64_t i = 0; i < scale; ++i) line += cell;
    }
    for (int64_t i = 0; i < scale; ++i) pixels += line;
  }
  return png_bytes(width, height, pixels);
}

// ---- frames --------------------------------------------------------------------------------------

int Nesting::common(int box_a, int box_b) const {
  std::vector<int> holders;
  for (int f = box[static_cast<size_t>(box_a)]; f >= 0; f = frame[static_cast<size_t>(f)])
    holders.push_back(f);
  for (int f = box[static_cast<size_t>(box_b)]; f >= 0; f = frame[static_cast<size_t>(f)])
    if (std::find(holders.begin(), holders.end(), f) != holders.end()) return f;
  return -1;
}

Nesting nesting_of(const Scene& scene) {
  Nesting nesting;
  nesting.box.assign(scene.boxes.size(), -1);
  nesting.frame.assign(scene.frames.size(), -1);
  for (size_t f = 0; f < scene.frames.size(); ++f) {  // outermost first
    const SceneFrame& frame = scene.frames[f];
    for (size_t outer = 0; outer < f; ++outer)
      if (scene.frames[outer].rect.holds(frame.rect)) nesting.frame[f] = static_cast<int>(outer);
    for (int box : frame.boxes) nesting.box[static_cast<size_t>(box)] = static_cast<int>(f);
  }
  return nesting;
}

}  // namespace limpid::draw

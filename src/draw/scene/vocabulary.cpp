// The arithmetic of a scene's parts: rectangles, the place of texts, the cells of grids.
#include <algorithm>
#include <cmath>

#include "draw/scene/text.h"
#include "draw/scene/typeset.h"
#include "limpid/scene.h"

namespace limpid {

bool Rect::meets(const Rect& o, double slack) const {
  return x + slack < o.right() && o.x + slack < right() && y + slack < o.bottom() && o.y + slack < bottom();
}

bool Rect::holds(const Rect& o, double slack) const {
  return o.x >= x - slack && o.right() <= right() + slack && o.y >= y - slack &&
         o.bottom() <= bottom() + slack;
}

Rect SceneText::bounds() const {
  using namespace draw;
  const double width = runs.empty() ? text_width(text, size) : runs_width(runs, size);
  const double before = anchor == Anchor::start ? 0 : anchor == Anchor::end ? width : width / 2;
  if (upright) return {at.x - k_ascent * size, at.y + before - width, (k_ascent + k_descent) * size, width};
  return {at.x - before, at.y - k_ascent * size, width, (k_ascent + k_descent) * size};
}

std::string_view name(SceneText::Kind kind) {
  constexpr std::string_view k_names[] = {"label", "token", "shape", "name",    "title", "legend",   "number",
                                          "count", "index", "tick",  "heading", "note",  "equation", "page"};
  return k_names[static_cast<size_t>(kind)];
}

Rect SceneGrid::cell(int64_t row, int64_t column) const {
  return {rect.x + cell_width() * static_cast<double>(column),
          rect.y + cell_height() * static_cast<double>(row), cell_width(), cell_height()};
}

bool SceneGrid::pooled() const {
  if (of_patches()) return false;
  const auto several = [](const std::vector<int64_t>& at) {
    for (size_t i = 0; i + 1 < at.size(); ++i)
      if (at[i + 1] - at[i] > 1) return true;
    return false;
  };
  return several(row_at) || several(column_at);
}

Source SceneGrid::source_of(int64_t row, int64_t column) const {
  Source out = source;
  const auto r = static_cast<size_t>(row), c = static_cast<size_t>(column);
  if (out.stage.empty() || r + 1 >= row_at.size() || c + 1 >= column_at.size()) return out;
  if (of_patches()) {
    if (row_axis < static_cast<int>(out.index.size()))
      out.index[static_cast<size_t>(row_axis)] = row_at[r] + column_at[c];
    return out;
  }
  if (row_axis >= 0 && row_axis < static_cast<int>(out.index.size()))
    out.index[static_cast<size_t>(row_axis)] = row_at[r];
  if (column_axis >= 0 && column_axis < static_cast<int>(out.index.size()))
    out.index[static_cast<size_t>(column_axis)] = column_at[c];
  if (out.of == Source::Of::cell) return out;
  if (out.extent.size() != out.index.size()) out.extent.assign(out.index.size(), 1);
  if (row_axis >= 0) out.extent[static_cast<size_t>(row_axis)] = row_at[r + 1] - row_at[r];
  if (column_axis >= 0) out.extent[static_cast<size_t>(column_axis)] = column_at[c + 1] - column_at[c];
  return out;
}

std::optional<double> SceneGrid::shade(int64_t row, int64_t column) const {
  const auto i = static_cast<size_t>(row * columns + column);
  if (i >= values.size() || (i < masked.size() && masked[i]) || std::isnan(values[i])) return std::nullopt;
  if (!(high > low)) return 0.5;
  return std::clamp((values[i] - low) / (high - low), 0.0, 1.0);
}

}  // namespace limpid

// Scales of colours: what the palest and the deepest stand for, and the key that says so.
#include <algorithm>
#include <cmath>

#include "draw/figures/canvas.h"

namespace limpid::draw {

namespace {

constexpr double k_share_below = 0.98;  // of the visible cells of a large map

// Short: the ends of a scale stand close.
std::string scale_format(double most) {
  const std::string format = format_of(most);
  return format == "%.4f" || format == "%.5f" || format.ends_with("e") ? "%.0e" : format;
}

template <class Visit>
void each_visible(const SceneGrid& grid, Visit visit) {
  for (size_t i = 0; i < grid.values.size(); ++i)
    if (const double v = grid.values[i]; (i >= grid.masked.size() || !grid.masked[i]) && std::isfinite(v))
      visit(v);
}

bool exceeded(const SceneGrid& grid) {
  bool any = false;
  each_visible(grid, [&](double v) { any = any || v > grid.high; });
  return any;
}

}  // namespace

Scale scale_of(const std::vector<SceneGrid>& grids, bool few) {
  Scale out;
  std::vector<double> values;
  for (const SceneGrid& grid : grids) each_visible(grid, [&](double v) { values.push_back(v); });
  out.words = "Colours go from 0 to 1.";
  if (values.empty()) return out;
  std::sort(values.begin(), values.end());
  out.low = std::min(0.0, values.front());
  if (few && values.back() <= 1 + 1e-5) return out;  // as far as rounding goes
  const auto at = static_cast<size_t>(k_share_below * static_cast<double>(values.size() - 1));
  out.high = few ? values.back() : values[at];
  if (!(out.high > out.low)) out.high = values.back();
  if (!(out.high > out.low)) {
    out.high = 1;
    return out;
  }
  out.words =
      out.high < values.back()
          ? "The deepest colour stands for the weight that 98 of 100 cells do not exceed, and for all "
            "above it."
          : "The deepest colour stands for the largest weight.";
  for (size_t g = 0; g < grids.size(); ++g) {
    bool held = false;
    each_visible(grids[g], [&](double v) { held = held || v == out.high; });
    if (held) out.grid = g;
    if (held) break;
  }
  return out;
}

std::string scale_words(const SceneGrid& grid) {
  if (grid.low == 0 && grid.high == 1) return "Colours go from 0 to 1.";
  return exceeded(grid)
             ? "The deepest colour stands for the weight that 98 of 100 cells do not exceed, and for "
               "all above it."
             : "The deepest colour stands for the largest weight.";
}

void write_cells(SceneGrid& grid, const Matrix& m) {
  for (int64_t r = 0; r < grid.rows; ++r)
    for (int64_t c = 0; c < grid.columns; ++c) {
      const auto shade = grid.shade(r, c);
      if (!shade) continue;
      const Point middle = grid.cell(r, c).centre();
      SceneText text = number_at(m.source_at(r, c), m.at(r, c), {middle.x, middle.y + 0.36 * k_small_size},
                                 Anchor::middle, grid.role);
      text.ground = *shade;
      grid.texts.push_back(text);
    }
}

double add_scale(Scene& scene, const SceneGrid& of, Point at) {
  SceneGrid key;
  key.name = "colours of " + of.name;
  key.role = of.role;
  key.rows = 1;
  key.columns = 16;
  for (int i = 0; i < 16; ++i) key.values.push_back(i / 15.0);
  const bool more = exceeded(of);
  // An end is the cell that has that colour, or a share's own bound.
  const auto end = [&](double bound, double x) {
    const SceneText text = [&] {
      if ((of.low == 0 && bound == 0) || (of.low == 0 && of.high == 1))
        return text_at(TextKind::tick, bound == 0 ? "0" : "1", {x, at.y + 12});
      for (int64_t r = 0; r < of.rows; ++r)
        for (int64_t c = 0; c < of.columns; ++c)
          if (const double v = of.values[static_cast<size_t>(r * of.columns + c)];
              v == bound && of.shade(r, c)) {
            Source source = of.source_of(r, c);
            source.format = scale_format(std::max(std::fabs(of.low), std::fabs(of.high)));
            SceneText number = number_at(source, v, {x, at.y + 12});
            if (more && bound == of.high) number.text = "\xe2\x89\xa5 " + number.text;
            return number;
          }
      return text_at(TextKind::tick, bound == 0 ? "0" : "1", {x, at.y + 12});
    }();
    scene.texts.push_back(text);
    return text.bounds().right();
  };
  key.rect = {end(of.low, at.x) + 6, at.y + 3, 36, 9};
  end(of.high, key.rect.right() + 6);
  scene.grids.push_back(key);
  return 18;
}

}  // namespace limpid::draw

// A figure as wide as a column of a paper: laid out narrow, then made to fit, with text that can still be
// read.
#include <algorithm>
#include <cmath>

#include "draw/figures/canvas.h"
#include "draw/layout/layout.h"

namespace limpid {

using namespace draw;

namespace {

constexpr double k_least_text = 6;        // points
constexpr double k_points = 72.0 / 96.0;  // of a unit of the scene, as SVG, PDF and PowerPoint have it
constexpr double k_column_margin = 6;     // round a figure in a column, in units as they are printed
constexpr double k_page_text = 700;       // points: the height of A4 less margins of 25 mm

double smallest_text(const Scene& scene) {
  double least = k_small_size;
  const auto take = [&](const SceneText& text) { least = std::min(least, text.size); };
  for (const SceneText& text : scene.texts) take(text);
  for (const SceneBox& box : scene.boxes) std::for_each(box.texts.begin(), box.texts.end(), take);
  for (const SceneGrid& grid : scene.grids) std::for_each(grid.texts.begin(), grid.texts.end(), take);
  for (const SceneFrame& frame : scene.frames) take(frame.title);
  return least;
}

}  // namespace

double layout_width(double points) {
  return (points / k_points - 2 * k_column_margin) * k_small_size * k_points / k_least_text + 2 * k_margin;
}

void fit_width(Scene& scene, double points) {
  const double width = points / k_points;  // in units
  // The page's margin is as wide as a page needs, not a column.
  const double inside = scene.width - 2 * k_margin, room = width - 2 * k_column_margin;
  const double text = smallest_text(scene), legible = k_least_text / (text * k_points);
  const double high = (k_page_text / k_points - 2 * k_column_margin) / (scene.height - 2 * k_margin);
  const double scale = std::min({1.0, room / inside, std::max(high, legible)});
  if (scale * text * k_points < k_least_text - 1e-9) {
    const double least = (k_least_text / (text * k_points) * inside + 2 * k_column_margin) * k_points;
    fail_call("the figure does not fit a width of ", std::round(10 * points) / 10,
              " pt with its text at least ", k_least_text, " pt; the least width that does is ",
              std::ceil(least), " pt");
  }
  const double left = (width - scale * inside) / 2 - scale * k_margin;
  const double height = scale * (scene.height - 2 * k_margin) + 2 * k_column_margin;
  transform(scene, scale, {left, k_column_margin - scale * k_margin});
  scene.width = width;
  scene.height = std::ceil(height);
}

}  // namespace limpid

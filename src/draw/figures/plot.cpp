#include "draw/figures/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "draw/figures/canvas.h"

namespace limpid::draw {

std::vector<double> ticks(double low, double high, int count) {
  const double raw = (high - low) / count, power = std::pow(10, std::floor(std::log10(raw)));
  const double step = power * (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10);
  std::vector<double> out;
  for (double at = std::ceil(low / step - 1e-9) * step; at <= high + 1e-9 * step; at += step)
    out.push_back(std::fabs(at) < step * 1e-6 ? 0 : at);
  return out;
}

std::string tick_text(double value, double step) {
  char text[64];
  if (std::fabs(value) >= 1e5) {
    std::snprintf(text, sizeof text, "%.0e", value);
    return text;
  }
  const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 6);
  std::snprintf(text, sizeof text, "%.*f", decimals, value);
  return text;
}

void add_value_axis(Scene& scene, const Rect& area, double low, double high) {
  const std::vector<double> at = ticks(low, high, 5);
  const double step = at.size() > 1 ? at[1] - at[0] : high - low;
  for (double v : at) {
    const double y = area.bottom() - (v - low) / (high - low) * area.height;
    SceneLine rule;
    rule.points = {{area.x, y}, {area.right(), y}};
    rule.faint = true;
    rule.width = 1;
    scene.lines.push_back(std::move(rule));
    scene.texts.push_back(text_at(TextKind::tick, tick_text(v, step), {area.x - 8, y + 4}, Anchor::end));
  }
}

}  // namespace limpid::draw

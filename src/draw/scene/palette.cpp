#include "draw/scene/palette.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "draw/scene/text.h"

namespace limpid::draw {

namespace {

constexpr Paint k_paints[] = {
    {"page", "#ffffff", "#14171d"},  {"block", "#f7f8fa", "#1b1f27"},   {"group", "#eef0f5", "#232833"},
    {"edge", "#d5dae3", "#3a4250"},  {"box", "#ffffff", "#14171d"},     {"ink", "#1f2430", "#e8ebf1"},
    {"soft", "#5b6475", "#a9b2c1"},  {"faint", "#c3c9d4", "#4a5361"},   {"hole", "#f1f2f5", "#20242c"},
    {"plain", "#8b94a5", "#8993a5"}, {"query", "#0072b2", "#56b4e9"},   {"key", "#d55e00", "#ff9350"},
    {"value", "#009e73", "#35cfa2"}, {"weights", "#8a4fb0", "#c79be6"},
};

// Of a scale: pale, the role's own colour near the middle, deep.
struct Scale {
  std::string_view pale, middle, deep;
};
constexpr Scale k_light[] = {{"#fafbfc", "#8b94a5", "#2a303b"},
                             {"#f3f9fd", "#4a9fd3", "#00436b"},
                             {"#fdf6f0", "#e8873f", "#7a3600"},
                             {"#f1faf6", "#45b794", "#00523c"},
                             {"#faf6fc", "#a678c6", "#4b1f69"}};
constexpr Scale k_dark[] = {{"#1d2129", "#6b7485", "#d4d9e2"},
                            {"#16222c", "#2b79a8", "#a5dbfb"},
                            {"#2a1d15", "#b2622c", "#ffc59f"},
                            {"#15251f", "#1f8a6b", "#98ecd0"},
                            {"#221a2a", "#8257a1", "#ead2fb"}};

using Rgb = std::array<double, 3>;

Rgb rgb(std::string_view colour) {
  Rgb out{};
  for (size_t i = 0; i < 3; ++i) out[i] = std::stoi(std::string(colour.substr(1 + 2 * i, 2)), nullptr, 16);
  return out;
}

std::string hex(const Rgb& c) {
  char text[8];
  std::snprintf(text, sizeof text, "#%02x%02x%02x", static_cast<unsigned>(std::lround(c[0])) & 0xff,
                static_cast<unsigned>(std::lround(c[1])) & 0xff,
                static_cast<unsigned>(std::lround(c[2])) & 0xff);
  return text;
}

std::string mixed(std::string_view a, std::string_view b, double share) {
  const Rgb x = rgb(a), y = rgb(b);
  return hex({x[0] + (y[0] - x[0]) * share, x[1] + (y[1] - x[1]) * share, x[2] + (y[2] - x[2]) * share});
}

}  // namespace

const Paint& paint_named(std::string_view name) {
  for (const Paint& paint : k_paints)
    if (paint.name == name) return paint;
  return k_paints[0];
}

const Paint& paint_of(Role role) { return paint_named(name(role)); }

std::string_view colour(const Paint& paint, Theme theme) {
  return theme == Theme::dark ? paint.dark : paint.light;
}

int heat_level(double shade) {
  return static_cast<int>(std::lround(std::clamp(shade, 0.0, 1.0) * k_heat_levels));
}

std::string heat(Role role, int level, Theme theme) {
  const Scale& s = (theme == Theme::dark ? k_dark : k_light)[static_cast<size_t>(role)];
  const double shade = static_cast<double>(level) / k_heat_levels;
  return shade < 0.5 ? mixed(s.pale, s.middle, 2 * shade) : mixed(s.middle, s.deep, 2 * shade - 1);
}

std::optional<std::string> pictured(const SceneGrid& grid, int64_t row, int64_t column) {
  const auto i = static_cast<size_t>(row * grid.columns + column);
  if (i >= grid.picture.size()) return std::nullopt;
  char under[8];
  std::snprintf(under, sizeof under, "#%06x", grid.picture[i] & 0xffffff);
  const auto shade = grid.shade(row, column);
  if (grid.role == Role::plain || !shade) return under;
  // In the steps of a heat, so that cells of one colour are many; the picture stays visible below the
  // largest.
  constexpr double k_most_cover = 0.75;
  return mixed(under, paint_of(grid.role).light, k_most_cover * heat_level(*shade) / k_heat_levels);
}

bool cells_apart(const SceneGrid& grid) {
  return std::min(grid.cell_width(), grid.cell_height()) >= 8 && !grid.source.stage.empty() &&
         grid.picture.empty();
}

std::string cell_colour(const SceneGrid& grid, int64_t row, int64_t column, Theme theme) {
  if (auto over = pictured(grid, row, column)) return *over;
  const auto shade = grid.shade(row, column);
  return shade ? heat(grid.role, *shade, theme) : std::string(colour(paint_named("hole"), theme));
}

std::string_view heat_ink(Role role, double shade, Theme theme) {
  const std::string ground = heat(role, shade, theme);
  constexpr std::string_view k_ink = "#0a0c10";
  return contrast(ground, k_ink) >= contrast(ground, "#ffffff") ? k_ink : std::string_view("#ffffff");
}

std::string tint(Role role, Theme theme) {
  return theme == Theme::dark ? mixed(paint_named("page").dark, paint_of(role).dark, 0.16)
                              : mixed(paint_named("page").light, paint_of(role).light, 0.12);
}

std::string_view text_paint(const SceneText& text) {
  using Kind = SceneText::Kind;
  if (text.ground) return "";
  if (text.role != Role::plain) return name(text.role);
  const bool strong = text.kind == Kind::label || text.kind == Kind::heading || text.kind == Kind::note ||
                      text.kind == Kind::number || (text.kind == Kind::token && text.size >= k_label_size);
  return strong ? "ink" : "soft";
}

std::string text_colour(const SceneText& text, Theme theme) {
  if (text.ground) return std::string(heat_ink(text.role, *text.ground, theme));
  return std::string(colour(paint_named(text_paint(text)), theme));
}

double luminance(std::string_view text) {
  const Rgb c = rgb(text);
  const auto linear = [](double v) {
    v /= 255;
    return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
}

double contrast(std::string_view a, std::string_view b) {
  const double x = luminance(a), y = luminance(b);
  return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

}  // namespace limpid::draw

// Every head as a small map, and the chosen head's lines from token to token.
#include <algorithm>
#include <cmath>

#include "draw/figures/deck.h"
#include "draw/figures/edits.h"
#include "draw/figures/legend.h"

namespace limpid::draw {

namespace {

constexpr double k_least_panel = 44, k_panel_gap = 12, k_row_head = 130, k_column_head = 36;
constexpr double k_number_cell = 66;  // in which a number can be written
constexpr double k_small_cell = 2.5;  // of a map that is looked at as a whole
constexpr int64_t k_most_places = 120;

std::optional<Matrix> pattern_of(const Reading& reading, int64_t layer, int64_t head) {
  return matrix_of(reading.trace(), join("blocks.", layer, ".attn.pattern"), Axis::T, Axis::S, head,
                   reading.heads(layer));
}

// ---- all of them ---------------------------------------------------------------------------------

struct Span {
  int64_t first = 0, last = 0;  // the last is not in it
};

// As many parts as it takes to keep panels readable, as even as can be.
std::vector<Span> parts_of(int64_t count, double room) {
  const auto most = std::max<int64_t>(1, static_cast<int64_t>(room / (k_least_panel + k_panel_gap)));
  std::vector<Span> out;
  const std::vector<int64_t> at = even_bins(count, (count + most - 1) / most);
  for (size_t i = 0; i + 1 < at.size(); ++i) out.push_back({at[i], at[i + 1]});
  return out;
}

// In cells that have the room; of a map so large no cell is pooled.
void write_numbers(SceneGrid& grid, const Matrix& weights) {
  const double size = std::clamp((grid.cell_width() - 12) / text_width("<0.01", 1), k_hall_cell_size, 28.0);
  for (int64_t r = 0; r < grid.rows; ++r)
    for (int64_t c = 0; c < grid.columns; ++c)
      if (const auto shade = grid.shade(r, c)) {
        const Point middle = grid.cell(r, c).centre();
        SceneText text = number_at(weights.source_at(r, c), weights.at(r, c),
                                   {middle.x, middle.y + 0.36 * size}, Anchor::middle, grid.role, size);
        text.ground = *shade;
        grid.texts.push_back(text);
      }
}

void all_heads(std::vector<Slide>& pages, const Reading& reading, const FigureOptions& o) {
  int64_t heads = 0;
  for (int64_t layer = 0; layer < reading.layers(); ++layer) heads = std::max(heads, reading.heads(layer));
  if (reading.layers() * heads < 2) return;
  PageWords words = {"Every head: who looks at whom",
                     join("A row is a ", reading.thing(Axis::T),
                          " that looks, a column one that is looked at. Framed: layer ", o.layer, ", head ",
                          o.head, ", the head of these pages."),
                     "", ""};
  const Rect area = figure_area(words);
  const Edits edits(reading.trace());
  const std::vector<Span> rows = parts_of(reading.layers(), area.height - k_column_head),
                          columns = parts_of(heads, area.width - k_row_head);
  for (const Span& r : rows)
    for (const Span& c : columns) {
      const double panel =
          std::min((area.height - k_column_head) / static_cast<double>(r.last - r.first) - k_panel_gap,
                   (area.width - k_row_head) / static_cast<double>(c.last - c.first) - k_panel_gap);
      Scene scene;
      bool pooled = false;
      const double pitch = panel + k_panel_gap;
      for (int64_t h = c.first; h < c.last; ++h)
        scene.texts.push_back(text_at(TextKind::index, panel < 110 ? std::to_string(h) : join("head ", h),
                                      {k_row_head + pitch * static_cast<double>(h - c.first) + panel / 2, 24},
                                      Anchor::middle, Role::plain, k_hall_size));
      if (panel < 110)
        scene.texts.push_back(
            text_at(TextKind::index, "head", {k_row_head - 12, 24}, Anchor::end, Role::plain, k_hall_size));
      for (int64_t layer = r.first; layer < r.last; ++layer) {
        const double y = k_column_head + pitch * static_cast<double>(layer - r.first);
        scene.texts.push_back(text_at(TextKind::index, join("layer ", layer),
                                      {k_row_head - 12, y + panel / 2 + 9}, Anchor::end, Role::plain,
                                      k_hall_size));
        for (int64_t h = c.first; h < std::min(c.last, reading.heads(layer)); ++h) {
          const auto weights = pattern_of(reading, layer, h);
          if (!weights) continue;
          const auto most = static_cast<int64_t>(panel / k_small_cell);
          SceneGrid grid = grid_of(*weights, &*weights, most, most);
          grid.name = join("layer ", layer, ", head ", h);
          grid.role = Role::weights;
          grid.low = 0;
          if (weights->columns <= k_most_in_words && grid.high <= 1) grid.high = 1;  // heads are compared
          grid.rect = {k_row_head + pitch * static_cast<double>(h - c.first), y, panel, panel};
          if (layer == o.layer && h == o.head)
            scene.bars.push_back({"the head of these pages",
                                  {grid.rect.x - 5, y - 5, panel + 10, panel + 10},
                                  Role::weights,
                                  1,
                                  std::nullopt});
          if (grid.columns > 0 && panel / static_cast<double>(grid.columns) >= k_number_cell)
            write_numbers(grid, *weights);
          pooled = pooled || grid.pooled();
          scene.grids.push_back(std::move(grid));
          mark_cut(scene, SceneGrid(scene.grids.back()), edits, layer, h, k_hall_cell_size);
        }
      }
      PageWords said = words;  // the foot's last line has room for it
      if (pooled) said.foot += " Cells are means of several.";
      scene.width = k_row_head + pitch * static_cast<double>(c.last - c.first);
      scene.height = k_column_head + pitch * static_cast<double>(r.last - r.first);
      scene.steps.push_back(
          {join("Each head as a small map of its weights, layers from top to bottom, heads from "
                "left to right; the more a cell stands out, the larger its weight. ",
                said.foot),
           0, false, false});
      scene.description = told(scene.steps);
      pages.push_back(page_of(said, scene));
    }
}

// ---- one of them ---------------------------------------------------------------------------------

// The places whose words have the room to be written, the most important first.
std::vector<bool> labelled(int64_t places, double pitch, const std::vector<int64_t>& first) {
  std::vector<bool> out(static_cast<size_t>(places), false);
  const auto apart = static_cast<int64_t>(std::ceil(34 / pitch));
  const auto take = [&](int64_t i) {
    for (int64_t k = std::max<int64_t>(0, i - apart + 1); k < std::min(places, i + apart); ++k)
      if (out[static_cast<size_t>(k)]) return;
    out[static_cast<size_t>(i)] = true;
  };
  for (int64_t i : first) take(i);
  for (int64_t i = 0; i < places; ++i) take(i);
  return out;
}

void one_head(std::vector<Slide>& pages, const Reading& reading, const FigureOptions& o) {
  const auto weights = pattern_of(reading, o.layer, o.head);
  if (!weights || weights->source.stage.ends_with("@map") || weights->rows > k_most_places ||
      o.token >= weights->rows || weights->rows != weights->columns)
    return;
  const int64_t places = weights->rows;
  const std::string query = word_of(reading, Axis::T, o.token, 26, 240);
  PageWords words = {
      join("One head: who looks at whom (layer ", o.layer, ", head ", o.head, ")"),
      join("On the left the one that looks, on the right what it looks at; the stronger a line, the "
           "larger the weight. \"",
           query, "\" stands out."),
      "", ""};
  const Rect area = figure_area(words);
  const double pitch = std::min(110.0, (area.height - 4) / static_cast<double>(places)),
               size = pitch < 34 ? 24 : 28;
  const double left = 300, right = area.width - 300;
  std::vector<int64_t> by_weight(static_cast<size_t>(places));
  for (int64_t i = 0; i < places; ++i) by_weight[static_cast<size_t>(i)] = i;
  std::stable_sort(by_weight.begin(), by_weight.end(),
                   [&](int64_t a, int64_t b) { return weights->at(o.token, a) > weights->at(o.token, b); });
  const std::vector<bool> queries = labelled(places, pitch, {o.token}),
                          keys = labelled(places, pitch, by_weight);
  Scene scene;
  const auto y_of = [&](int64_t i) { return pitch * (static_cast<double>(i) + 0.5) + 2; };
  for (bool looks : {true, false})
    for (int64_t i = 0; i < places; ++i) {
      SceneBox box;
      const bool named = (looks ? queries : keys)[static_cast<size_t>(i)];
      const double height = named ? 1.3 * size : std::min(pitch, 8.0), y = y_of(i);
      const std::string word = word_of(reading, Axis::T, i, size, 270);
      const double width = named ? text_width(word, size) + 16 : 8;
      box.name = join(looks ? "query " : "key ", i);
      box.look = SceneBox::Look::bare;
      box.role = looks ? Role::query : Role::key;
      box.rect = {looks ? left - width : right, y - height / 2, width, height};
      if (named)
        box.texts.push_back(text_at(TextKind::token, word, {looks ? left - 8 : right + 8, y + 0.36 * size},
                                    looks ? Anchor::end : Anchor::start,
                                    looks && i == o.token ? Role::weights : Role::plain, size));
      scene.boxes.push_back(std::move(box));
    }
  const int64_t each = std::clamp<int64_t>(600 / places, 2, 14);
  for (int64_t t = 0; t < places; ++t) {
    std::vector<int64_t> order;
    for (int64_t s = 0; s < places; ++s)
      if (weights->at(t, s) >= 0.01) order.push_back(s);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return weights->at(t, a) > weights->at(t, b); });
    if (static_cast<int64_t>(order.size()) > each) order.resize(static_cast<size_t>(each));
    for (int64_t s : order) {
      const double w = weights->at(t, s);
      SceneLine line;
      line.name = join(word_of(reading, Axis::T, t, size, 270), " looks at ",
                       word_of(reading, Axis::T, s, size, 270));
      line.points = {{left, y_of(t)}, {right, y_of(s)}};
      line.role = t == o.token ? Role::weights : Role::plain;
      line.width = 1 + (t == o.token ? 8 : 4) * w;
      line.opacity = t == o.token ? std::clamp(w + 0.25, 0.3, 1.0) : std::clamp(0.45 * w, 0.05, 0.45);
      line.source = weights->source_at(t, s);
      line.from = {LineEnd::On::box, static_cast<int>(t)};
      line.to = {LineEnd::On::box, static_cast<int>(places + s)};
      scene.lines.push_back(std::move(line));
    }
  }
  std::stable_sort(scene.lines.begin(), scene.lines.end(), [](const SceneLine& a, const SceneLine& b) {
    return a.role == Role::plain && b.role != Role::plain;
  });
  scene.width = area.width;
  scene.height = pitch * static_cast<double>(places) + 4;
  scene.steps.push_back({words.foot, 0, false, false});
  for (int64_t t = 0; t < std::min<int64_t>(places, 12); ++t) {
    int64_t best = 0;
    for (int64_t s = 1; s < places; ++s)
      if (weights->at(t, s) > weights->at(t, best)) best = s;
    scene.steps.push_back({join("\"", word_of(reading, Axis::T, t, size, 270), "\" looks most at \"",
                                word_of(reading, Axis::T, best, size, 270), "\" (",
                                written(weights->source_at(t, best), weights->at(t, best)), ")."),
                           0, false, true});
  }
  scene.description = told(scene.steps);
  pages.push_back(page_of(words, scene));
}

}  // namespace

void add_heads(std::vector<Slide>& pages, const Reading& reading, const FigureOptions& o) {
  all_heads(pages, reading, o);
  one_head(pages, reading, o);
}

}  // namespace limpid::draw

// One head in detail: its lines from token to token beside its map.
#include <algorithm>
#include <cmath>

#include "draw/figures/canvas.h"
#include "draw/figures/edits.h"
#include "draw/figures/legend.h"
#include "draw/figures/weight_maps.h"
#include "draw/layout/layout.h"

namespace limpid {

using namespace draw;

namespace {

constexpr double k_column = 92, k_lines = 190, k_narrow_lines = 120;

struct Thread {
  int64_t query = 0, key = 0;
  double weight = 0;
  Source source;
};

// The lines worth drawing: of each query the largest weights, so many that all together stay readable.
std::vector<Thread> threads_of(const Matrix& m, bool& thinned) {
  const int64_t each = std::clamp<int64_t>(1200 / std::max<int64_t>(m.rows, 1), 2, 24);
  std::vector<Thread> out;
  for (int64_t t = 0; t < m.rows; ++t) {
    std::vector<Thread> row;
    for (int64_t s = 0; s < m.columns; ++s)
      if (const double w = m.at(t, s); w >= 0.01) row.push_back({t, s, w, m.source_at(t, s)});
    std::stable_sort(row.begin(), row.end(),
                     [](const Thread& a, const Thread& b) { return a.weight > b.weight; });
    if (static_cast<int64_t>(row.size()) > each) row.resize(static_cast<size_t>(each)), thinned = true;
    out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

// The same of a long text, whose whole weights were not kept: from the largest of each row (NAME@topN), for
// so many queries, evenly spaced, that the lines stay readable.
std::vector<Thread> threads_of_top(const Trace& trace, const Source& map, int64_t head) {
  constexpr int64_t k_most = 1200;
  const std::string pattern = map.stage.substr(0, map.stage.find('@'));
  const auto weights = std::find_if(trace.values.begin(), trace.values.end(), [&](const auto& named) {
    return named.first.starts_with(pattern + "@top") && named.first.ends_with(".weight");
  });
  if (weights == trace.values.end()) return {};
  const std::string stage =
      weights->first.substr(0, weights->first.size() - std::string_view(".weight").size());
  const auto keys = trace.values.find(stage + ".index");
  if (keys == trace.values.end()) return {};
  const Shape& shape = weights->second.shape();  // [B,H,T,N]
  const int64_t rows = shape[2].size, each = std::min<int64_t>(shape[3].size, 2);
  const std::vector<int64_t> parts = even_bins(rows, k_most / each);
  std::vector<Thread> out;
  for (size_t i = 0; i + 1 < parts.size(); ++i)
    for (int64_t j = 0; j < each; ++j) {
      const Index at = {0, head, parts[i], j};
      const auto key = static_cast<int64_t>(keys->second.at(at));
      const double weight = weights->second.at(at);
      if (key >= 0 && weight >= 0.01)
        out.push_back({parts[i], key, weight, {stage + ".weight", at, format_of(1), Source::Of::cell, {}}});
    }
  return out;
}

constexpr double k_beside_word = 8;
constexpr int64_t k_most_boxes = 300;

// A box for each place, whose side at `x` the lines join, with its word where there is the room.  Of very
// many places only those with a word have one.  Returns the boxes by place.
std::vector<LineEnd> write_column(Scene& scene, const std::vector<std::string>& labels, int64_t places,
                                  double x, double top, double pitch, bool looks) {
  const auto stride = static_cast<int64_t>(std::ceil(15 / pitch));
  std::vector<LineEnd> ends(static_cast<size_t>(places));
  for (int64_t i = 0; i < places; ++i) {
    const bool named = i % stride == 0 && i < static_cast<int64_t>(labels.size());
    if (!named && places > k_most_boxes) continue;
    const double y = top + pitch * (static_cast<double>(i) + 0.5), height = named ? 15 : std::min(pitch, 6.0);
    const std::string word = named ? elided(labels[static_cast<size_t>(i)], k_small_size, k_column) : "";
    const double width = k_beside_word + text_width(word, k_small_size);
    SceneBox box;
    box.name = join(looks ? "looks: place " : "is looked at: place ", i);
    box.look = SceneBox::Look::bare;
    box.role = looks ? Role::query : Role::key;
    box.rect = {looks ? x - width : x, y - height / 2, width, height};
    if (named)
      box.texts.push_back(text_at(TextKind::token, word,
                                  {looks ? x - k_beside_word : x + k_beside_word, y + 0.36 * k_small_size},
                                  looks ? Anchor::end : Anchor::start));
    ends[static_cast<size_t>(i)] = {LineEnd::On::box, static_cast<int>(scene.boxes.size())};
    scene.boxes.push_back(std::move(box));
  }
  return ends;
}

Scene scene_of(const WeightMaps& maps, const FigureOptions& o) {
  maps.require(o.layer, o.head);
  const auto weights = maps.weights(o.layer, o.head);
  if (!weights)
    fail_call("heads: the trace does not hold the weights of layer ", o.layer,
              "; trace with --observe blocks.", o.layer,
              ".attn.pattern, or of a long text with :map:128 and :top:8");
  const bool pooled = weights->source.stage.ends_with("@map");
  const std::vector<std::string>&rows = maps.rows(), &columns = maps.columns();
  Scene scene;
  scene.title = join("Layer ", o.layer, ", head ", o.head, ": ", maps.title());
  const double top = k_margin + 58, tall = o.height > 0 ? o.height - 190 : 560;
  const int64_t queries = pooled ? static_cast<int64_t>(rows.size()) : weights->rows,
                keys = pooled ? static_cast<int64_t>(columns.size()) : weights->columns;
  const int64_t places = std::max(queries, keys);
  const double pitch = std::min(tall / static_cast<double>(places), 30.0);
  double column = 0;
  for (const auto* labels : {&rows, &columns})
    for (const std::string& label : *labels) column = std::max(column, text_width(label, k_small_size));
  column = std::clamp(column, 60.0, k_column);
  const bool narrow = o.width < 720;  // the map stands below the lines
  const double left = k_margin + column + 8, right = left + (narrow ? k_narrow_lines : k_lines);
  const std::string mark = maps.edited(o.layer, o.head) ? k_pencil : "";
  scene.texts.push_back(text_at(TextKind::index, join(mark, "Layer ", o.layer, ", head ", o.head),
                                {k_margin, k_margin + 12}, Anchor::start, Role::plain, k_title_size));
  scene.texts.push_back(text_at(TextKind::name, "looks", {left - 8, top - 12}, Anchor::end, Role::query));
  scene.texts.push_back(
      text_at(TextKind::name, "is looked at", {right + 8, top - 12}, Anchor::start, Role::key));
  const std::vector<LineEnd> looking = write_column(scene, rows, queries, left, top, pitch, true),
                             looked_at = write_column(scene, columns, keys, right, top, pitch, false);
  bool thinned = false;
  const auto label = [&](const std::vector<std::string>& labels, int64_t i) {
    return i < static_cast<int64_t>(labels.size())
               ? elided(labels[static_cast<size_t>(i)], k_small_size, k_column)
               : join("#", i);
  };
  const std::vector<Thread> threads =
      pooled ? threads_of_top(*maps.trace(), weights->source, o.head) : threads_of(*weights, thinned);
  for (const Thread& t : threads) {
    SceneLine line;
    line.name = join(label(rows, t.query), " looks at ", label(columns, t.key));
    line.points = {{left, top + pitch * (static_cast<double>(t.query) + 0.5)},
                   {right, top + pitch * (static_cast<double>(t.key) + 0.5)}};
    line.role = Role::weights;
    line.width = places > 64 ? 0.8 : 1 + 3 * std::min(t.weight, 1.0);
    line.opacity = std::clamp(t.weight, 0.04, 1.0);
    line.source = t.source;
    line.from = looking[static_cast<size_t>(t.query)];
    line.to = looked_at[static_cast<size_t>(t.key)];
    scene.lines.push_back(std::move(line));
  }
  GridForm form;
  form.name = scene.title;
  form.role = Role::weights;
  form.shares = true;
  if (!pooled) form.rows = {rows}, form.columns = {columns};
  const double bottom_of_lines = top + pitch * static_cast<double>(places);
  const double size = std::clamp(pitch * static_cast<double>(places), 182.0, tall);
  form.most_height = size;
  form.most_width = places <= k_most_in_words ? std::max(size, form.cell_width * static_cast<double>(places))
                                              : size;  // room for numbers
  if (narrow) {
    const double most = o.width - 2 * k_margin - column - 8;
    form.most_width = std::min(form.most_width, most);
    if (places > k_most_in_words) form.most_height = std::min(form.most_height, most);
  }
  const Point room = label_room(*weights, form);
  const Point at = narrow ? Point{k_margin + room.x, bottom_of_lines + 30 + room.y}
                          : Point{right + 8 + column + 40 + room.x, std::max(top, k_margin + 30 + room.y)};
  const auto mask = maps.mask(o.layer, o.head);
  const SceneGrid grid = add_grid(scene, *weights, mask ? &*mask : nullptr, form, at);
  if (maps.edits()) mark_cut(scene, grid, *maps.edits(), o.layer, o.head);
  std::string words =
      join("The wider a line and the more it stands out, the larger the weight. In the map a row is a ",
           maps.thing(), " that looks, a column one that is looked at.");
  if (grid.texts.empty()) {
    add_scale(scene, grid, {grid.rect.x, grid.rect.bottom() + 8});
    words += " " + scale_words(grid);
  }
  if (std::find(grid.masked.begin(), grid.masked.end(), true) != grid.masked.end())
    words += " Grey cells are masked.";
  words += maps.note();
  if (thinned) words += join(" Lines are thinned: of each ", maps.thing(), " the largest weights.");
  if (pooled)
    words += join(" Lines stand for some ", maps.thing(), "s alone: of each the two it looks at most.");
  if (pooled || grid.pooled()) words += " The map is pooled: a cell is the mean of several.";
  if (pitch < 15) words += join(" Not every ", maps.thing(), " is named.");
  const double bottom = std::max(bottom_of_lines, grid.rect.bottom() + 28) + 16;
  add_paragraph(scene, TextKind::note, words, {k_margin, bottom},
                std::max(grid.rect.right() - k_margin, std::min(560.0, o.width - 2 * k_margin)));
  fit_page(scene);
  scene.steps.push_back({join("Layer ", o.layer, ", head ", o.head, ", ", maps.title(),
                              ": the sentence stands twice, on the left as the one that looks, on the right "
                              "as the one that is looked at. ",
                              words),
                         0, false, false});
  for (int64_t t = 0; !pooled && t < std::min<int64_t>(weights->rows, 12); ++t) {
    int64_t best = 0;
    for (int64_t s = 1; s < weights->columns; ++s)
      if (weights->at(t, s) > weights->at(t, best)) best = s;
    scene.steps.push_back({join("\"", label(rows, t), "\" looks most at \"", label(columns, best), "\" (",
                                written(weights->source_at(t, best), weights->at(t, best)), ")."),
                           0, false, true});
  }
  scene.description = told(scene.steps);
  if (maps.edits()) add_edits(scene, *maps.edits());
  return scene;
}

}  // namespace

Scene head_scene(const Trace& trace, const FigureOptions& o) { return scene_of(WeightMaps(trace), o); }

Scene head_scene(const OwnWeights& own, const FigureOptions& o) { return scene_of(WeightMaps(own), o); }

}  // namespace limpid

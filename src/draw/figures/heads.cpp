// The heads figure: every layer and head as a small map of its weights; and one head in detail, its lines
// from token to token beside its map.
#include <algorithm>
#include <cmath>
#include <set>

#include "draw/figures/canvas.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"

namespace limpid {

using namespace draw;

namespace {

// ---- all of them ---------------------------------------------------------------------------------

constexpr double k_most_panel = 132, k_least_panel = 44, k_panel_gap = 12;
constexpr double k_small_cell = 2.5;  // of a map that is looked at as a whole

std::optional<Matrix> pattern_of(const Reading& reading, int64_t layer, int64_t head,
                                 const char* name = "pattern") {
  return matrix_of(reading.trace(), join("blocks.", layer, ".attn.", name), Axis::T, Axis::S, head,
                   reading.heads(layer));
}

struct PageOfHeads {
  std::vector<int64_t> layers;
  int64_t first_head = 0, heads = 0;
};

// Layers whose weights were kept, and pages of them.
std::vector<PageOfHeads> pages_of(const std::vector<int64_t>& layers, int64_t heads, double width,
                                  double height, double& panel) {
  const double across = width - 2 * k_margin - 70;
  const auto fits = [&](double room) {
    return std::max<int64_t>(1, static_cast<int64_t>((room + k_panel_gap) / (k_least_panel + k_panel_gap)));
  };
  const auto parts = [](int64_t count, int64_t most) { return (count + most - 1) / most; };
  const auto count = static_cast<int64_t>(layers.size());
  const std::vector<int64_t> rows = even_bins(count, parts(count, fits(height))),
                             columns = even_bins(heads, parts(heads, fits(across)));
  std::vector<PageOfHeads> pages;
  int64_t tallest = 1, widest = 1;
  for (size_t r = 0; r + 1 < rows.size(); ++r)
    for (size_t c = 0; c + 1 < columns.size(); ++c) {
      PageOfHeads page;
      page.layers.assign(layers.begin() + rows[r], layers.begin() + rows[r + 1]);
      page.first_head = columns[c];
      page.heads = columns[c + 1] - columns[c];
      tallest = std::max<int64_t>(tallest, static_cast<int64_t>(page.layers.size()));
      widest = std::max(widest, page.heads);
      pages.push_back(page);
    }
  panel = std::min({k_most_panel, across / static_cast<double>(widest) - k_panel_gap,
                    (height + k_panel_gap) / static_cast<double>(tallest) - k_panel_gap});
  return pages;
}

std::string span_words(const char* word, int64_t first, int64_t last) {
  return first == last ? join(word, " ", first) : join(word, "s ", first, " to ", last);
}

Scene page_scene(const Reading& reading, const PageOfHeads& page, double panel, const std::string& of_pages) {
  Scene scene;
  scene.title = "Every head: " + reading.sentence();
  const double left = k_margin + 66, top = k_margin + 56;
  const std::string which = join(span_words("layer", page.layers.front(), page.layers.back()), ", ",
                                 span_words("head", page.first_head, page.first_head + page.heads - 1));
  scene.texts.push_back(text_at(TextKind::title, "Who looks at whom, in every head",
                                {k_margin, k_margin + 12}, Anchor::start, Role::plain, k_title_size));
  if (!of_pages.empty()) {
    const std::string words = join(of_pages, ": ", which);
    scene.texts.push_back(text_at(TextKind::index, words, {k_margin + 260, k_margin + 12}, Anchor::start));
  }
  std::set<int64_t> named;
  bool pooled = false;
  for (size_t r = 0; r < page.layers.size(); ++r) {
    const int64_t layer = page.layers[r];
    const double y = top + static_cast<double>(r) * (panel + k_panel_gap);
    scene.texts.push_back(
        text_at(TextKind::index, join("layer ", layer), {left - 10, y + panel / 2 + 4}, Anchor::end));
    for (int64_t h = page.first_head; h < std::min(page.first_head + page.heads, reading.heads(layer)); ++h) {
      const auto weights = pattern_of(reading, layer, h);
      if (!weights) continue;
      const double x = left + static_cast<double>(h - page.first_head) * (panel + k_panel_gap);
      const auto most = static_cast<int64_t>(panel / k_small_cell);
      SceneGrid grid = grid_of(*weights, &*weights, most, most);
      grid.name = join("layer ", layer, ", head ", h);
      grid.role = Role::weights;
      grid.low = 0;
      grid.rect = {x, y, panel, panel};
      pooled = pooled || grid.pooled();
      scene.grids.push_back(std::move(grid));
      if (named.insert(h).second)
        scene.texts.push_back(text_at(TextKind::index, panel < 52 ? std::to_string(h) : join("head ", h),
                                      {x + panel / 2, top - 8}, Anchor::middle));
    }
  }
  if (panel < 52) scene.texts.push_back(text_at(TextKind::index, "head", {left - 10, top - 8}, Anchor::end));
  const std::string token = reading.thing(Axis::T);
  std::string words =
      join("A row is a ", token,
           " that looks, a column one that is looked at, both in the order of the sentence; ",
           "the more a cell stands out, the larger its weight (each map up to its own largest weight).");
  if (pooled) words += " Maps are pooled: a cell is the mean of several.";
  const double y = top + static_cast<double>(page.layers.size()) * (panel + k_panel_gap) + 6;
  const double width = std::max(static_cast<double>(page.heads) * (panel + k_panel_gap) + 66, 520.0);
  add_paragraph(scene, TextKind::note, words, {k_margin, y}, width);
  fit_page(scene);
  scene.steps.push_back({join("Every head of ", which, " as a small map, ", reading.sentence(), ". ", words,
                              " Layers stand from top to bottom, heads from left to right."),
                         0, false, false});
  scene.description = told(scene.steps);
  return scene;
}

// ---- one of them ---------------------------------------------------------------------------------

constexpr double k_column = 92, k_lines = 190;

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
std::vector<Thread> threads_of_top(const Trace& trace, const std::string& pattern, int64_t head) {
  constexpr int64_t k_most = 1200;
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

}  // namespace

std::vector<Slide> heads_pages(const Trace& trace, const FigureOptions& o) {
  const Reading reading(trace);
  std::vector<int64_t> layers;
  int64_t heads = 0;
  for (int64_t layer = 0; layer < reading.layers(); ++layer)
    if (pattern_of(reading, layer, 0)) {
      layers.push_back(layer);
      heads = std::max(heads, reading.heads(layer));
    }
  if (layers.empty())
    fail_call("heads: the trace holds no attention weights; trace with --observe \"blocks.*.attn.pattern\"");
  double panel = 0;
  const std::vector<PageOfHeads> pages =
      pages_of(layers, heads, o.width, o.height > 0 ? o.height - 168 : 730, panel);
  std::vector<Slide> out;
  for (size_t i = 0; i < pages.size(); ++i) {
    const std::string number = pages.size() > 1 ? join("Page ", i + 1, " of ", pages.size()) : "";
    Slide slide;
    slide.scene = page_scene(reading, pages[i], panel, number);
    slide.title = slide.scene.title;
    slide.notes = slide.scene.description;
    out.push_back(std::move(slide));
  }
  return out;
}

Scene head_scene(const Trace& trace, const FigureOptions& o) {
  const Reading reading(trace);
  reading.require_layer(o.layer);
  reading.require_head(o.layer, o.head);
  const auto weights = pattern_of(reading, o.layer, o.head),
             scores = pattern_of(reading, o.layer, o.head, "scores");
  if (!weights)
    fail_call("heads: the trace does not hold the weights of layer ", o.layer,
              "; trace with --observe blocks.", o.layer,
              ".attn.pattern, or of a long text with :map:128 and :top:8");
  const bool pooled = weights->source.stage.ends_with("@map");
  const std::vector<std::string> labels = token_labels(reading);
  const std::string token = reading.thing(Axis::T);
  Scene scene;
  scene.title = join("Layer ", o.layer, ", head ", o.head, ": ", reading.sentence());
  const double top = k_margin + 58;
  const double tall = o.height > 0 ? o.height - 190 : 560;
  const int64_t queries = pooled ? reading.length() : weights->rows,
                keys = pooled ? queries : weights->columns;
  const int64_t places = std::max(queries, keys);
  const double pitch = std::min(tall / static_cast<double>(places), 30.0);
  double column = 0;
  for (const std::string& label : labels) column = std::max(column, text_width(label, k_small_size));
  column = std::clamp(column, 60.0, k_column);
  const double left = k_margin + column + 8, right = left + k_lines;
  scene.texts.push_back(text_at(TextKind::index, join("Layer ", o.layer, ", head ", o.head),
                                {k_margin, k_margin + 12}, Anchor::start, Role::plain, k_title_size));
  scene.texts.push_back(text_at(TextKind::name, "looks", {left - 8, top - 12}, Anchor::end, Role::query));
  scene.texts.push_back(
      text_at(TextKind::name, "is looked at", {right + 8, top - 12}, Anchor::start, Role::key));
  const std::vector<LineEnd> looking = write_column(scene, labels, queries, left, top, pitch, true),
                             looked_at = write_column(scene, labels, keys, right, top, pitch, false);
  bool thinned = false;
  const auto label = [&](int64_t i) {
    return i < static_cast<int64_t>(labels.size())
               ? elided(labels[static_cast<size_t>(i)], k_small_size, k_column)
               : join("#", i);
  };
  const std::vector<Thread> threads =
      pooled ? threads_of_top(trace, join("blocks.", o.layer, ".attn.pattern"), o.head)
             : threads_of(*weights, thinned);
  for (const Thread& t : threads) {
    SceneLine line;
    line.name = join(label(t.query), " looks at ", label(t.key));
    line.points = {{left, top + pitch * (static_cast<double>(t.query) + 0.5)},
                   {right, top + pitch * (static_cast<double>(t.key) + 0.5)}};
    line.role = Role::weights;
    line.width = places > 64 ? 0.8 : 1 + 3 * t.weight;
    line.opacity = std::clamp(t.weight, 0.04, 1.0);
    line.source = t.source;
    line.from = looking[static_cast<size_t>(t.query)];
    line.to = looked_at[static_cast<size_t>(t.key)];
    scene.lines.push_back(std::move(line));
  }
  GridForm form;
  form.name = scene.title;
  form.role = Role::weights;
  form.most_width = form.most_height = std::clamp(pitch * static_cast<double>(places), 182.0, tall);
  form.shares = true;
  if (!pooled) form.rows = {labels}, form.columns = {labels};
  const Point room = label_room(*weights, form);
  const Point at = {right + 8 + column + 40 + room.x, std::max(top, k_margin + 30 + room.y)};
  const SceneGrid grid = add_grid(scene, *weights, scores ? &*scores : nullptr, form, at);
  if (grid.texts.empty()) add_scale(scene, grid, {grid.rect.x, grid.rect.bottom() + 8});
  std::string words =
      join("The wider a line and the more it stands out, the larger the weight. In the map a row is a ",
           token, " that looks, a column one that is looked at.");
  if (thinned) words += join(" Lines are thinned: of each ", token, " the largest weights.");
  if (pooled) words += join(" Lines stand for some ", token, "s alone: of each the two it looks at most.");
  if (pooled || grid.pooled()) words += " The map is pooled: a cell is the mean of several.";
  if (pitch < 15) words += join(" Not every ", token, " is named.");
  const double bottom = std::max(top + pitch * static_cast<double>(places), grid.rect.bottom() + 28) + 16;
  add_paragraph(scene, TextKind::note, words, {k_margin, bottom},
                std::max(grid.rect.right() - k_margin, 560.0));
  fit_page(scene);
  scene.steps.push_back({join("Layer ", o.layer, ", head ", o.head, ", ", reading.sentence(),
                              ": the sentence stands twice, on the left as the one that looks, on the right "
                              "as the one that is looked at. ",
                              words),
                         0, false, false});
  for (int64_t t = 0; !pooled && t < std::min<int64_t>(weights->rows, 12); ++t) {
    int64_t best = 0;
    for (int64_t s = 1; s < weights->columns; ++s)
      if (weights->at(t, s) > weights->at(t, best)) best = s;
    scene.steps.push_back({join("\"", label(t), "\" looks most at \"", label(best), "\" (",
                                written(weights->source_at(t, best), weights->at(t, best)), ")."),
                           0, false, true});
  }
  scene.description = told(scene.steps);
  return scene;
}

}  // namespace limpid

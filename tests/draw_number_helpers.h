// What the tests of the figures of numbers share: runs to draw, and what can be wrong with such a figure.
#pragma once

#include <numeric>

#include "draw_helpers.h"
#include "limpid/model.h"

namespace limpid {

// A run of an untrained GPT over `length` tokens, all of it kept.
inline Trace run_of(GptConfig c, int64_t length, std::vector<Observation> observe = {}) {
  c.vocabulary = 11;
  c.context = std::max<int64_t>(length, 4);
  Model model = Model::fresh(c, nullptr, 7);
  std::vector<int64_t> tokens(static_cast<size_t>(length));
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int64_t>(i * 7 % 11);
  TraceOptions options;
  options.parameters = true;
  options.observe = std::move(observe);
  return model.trace(tokens, options);
}

/// Every textbook network: each optional part on and off.
template <class Visit>
void each_textbook(Visit visit) {
  for (Positions positions : {Positions::none, Positions::learned, Positions::sinusoidal, Positions::rotary})
    for (Head head : {Head::next_word, Head::classes, Head::regression})
      for (int options = 0; options < 8; ++options) {
        TextbookConfig c = textbook();
        c.positions = positions;
        c.head = head;
        c.outputs = head == Head::next_word ? 0 : 2;
        c.heads = options & 1 ? 2 : 1;
        c.add_norm = options & 2;
        c.mask = options & 4 ? Mask::causal : Mask::none;
        visit(c);
      }
}

inline Trace textbook_run(TextbookConfig c = textbook(), const std::string& text = "Life is short") {
  TraceOptions options;
  options.parameters = true;
  return Model::textbook_walk(text, c, 7).trace(text, options);
}

inline void rename_tokens(Trace& trace, const std::vector<std::string>& labels) {
  for (size_t i = 0; i < trace.tokens.size(); ++i) trace.tokens[i].label = labels[i % labels.size()];
}

// Whether the straight line from a to b enters the rectangle.
inline bool enters(Point a, Point b, const Rect& r) {
  double from = 0, to = 1;
  const double dx = b.x - a.x, dy = b.y - a.y;
  for (const auto& [p, q] :
       {std::pair{-dx, a.x - r.x}, {dx, r.right() - a.x}, {-dy, a.y - r.y}, {dy, r.bottom() - a.y}}) {
    if (p == 0 && q < 0) return false;
    if (p < 0) from = std::max(from, q / p);
    if (p > 0) to = std::min(to, q / p);
  }
  return from < to;
}

inline Rect shrunk(const Rect& r, double by) {
  return {r.x + by, r.y + by, std::max(0.0, r.width - 2 * by), std::max(0.0, r.height - 2 * by)};
}

// Nothing leaves the page, no two texts meet, a cell's number keeps to its cell, no text lies on somebody
// else's grid, bar or box, no line runs through a text.
inline std::string number_faults(const Scene& scene) {
  std::string out;
  const auto fault = [&](const std::string& words) { out += words + "\n"; };
  const Rect page = {0, 0, scene.width, scene.height};
  std::vector<Labelled> texts = all_texts(scene);
  std::set<std::string> names;
  for (const SceneGrid& grid : scene.grids) {
    if (!names.insert(grid.name).second) fault("two grids are called " + grid.name);
    if (!page.holds(grid.rect, -4)) fault("grid " + grid.name + " leaves the page");
    if (grid.rows * grid.columns != static_cast<int64_t>(grid.values.size()))
      fault("grid " + grid.name + " has holes");
    for (const SceneGrid& other : scene.grids)
      if (&other != &grid && grid.rect.meets(other.rect))
        fault("grids " + grid.name + " and " + other.name + " meet");
    for (const SceneText& text : grid.texts) {
      bool kept = false;
      for (int64_t i = 0; !kept && i < grid.rows * grid.columns; ++i)
        kept = grid.cell(i / grid.columns, i % grid.columns).holds(text.bounds(), -1);
      if (!kept) fault(told(text) + " leaves its cell of " + grid.name);
    }
  }
  for (const SceneBar& bar : scene.bars)
    if (!page.holds(bar.rect, -4)) fault("bar " + bar.name + " leaves the page");
  for (const SceneBox& box : scene.boxes)
    for (const SceneText& text : box.texts)
      if (!box.rect.holds(text.bounds(), 0.01)) fault(told(text) + " leaves box " + box.name);
  std::sort(texts.begin(), texts.end(),
            [](const Labelled& a, const Labelled& b) { return a.text.bounds().y < b.text.bounds().y; });
  for (size_t i = 0; i < texts.size(); ++i) {
    const Rect bounds = texts[i].text.bounds();
    if (!page.holds(bounds, -4)) fault(told(texts[i].text) + " leaves the page");
    if (texts[i].text.text.empty()) fault("an empty text");
    for (size_t k = i + 1; k < texts.size() && texts[k].text.bounds().y < bounds.bottom(); ++k)
      if (bounds.meets(texts[k].text.bounds())) fault(told(texts[i].text) + " meets " + told(texts[k].text));
  }
  for (const SceneText& text : scene.texts) {
    const Rect bounds = text.bounds();
    for (const SceneGrid& grid : scene.grids)
      if (grid.rect.meets(bounds)) fault(told(text) + " lies on grid " + grid.name);
    for (const SceneBar& bar : scene.bars)
      if (bar.rect.meets(bounds)) fault(told(text) + " lies on bar " + bar.name);
    for (const SceneBox& box : scene.boxes)
      if (box.look != SceneBox::Look::bare && box.rect.meets(bounds))
        fault(told(text) + " lies on box " + box.name);
    for (const SceneLine& line : scene.lines)
      for (size_t p = 0; p + 1 < line.points.size(); ++p)
        if (enters(line.points[p], line.points[p + 1], shrunk(bounds, 1)))
          fault(told(text) + " is struck through by " + line.name);
  }
  for (const SceneLine& line : scene.lines)
    for (const Point& p : line.points)
      if (!page.holds({p.x, p.y, 0, 0}, -4)) fault("line " + line.name + " leaves the page");
  return out;
}

}  // namespace limpid

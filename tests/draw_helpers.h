// What the tests of figures share: networks to draw, and what can be wrong with a scene.
#pragma once

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "limpid/draw.h"
#include "limpid/network.h"

namespace limpid {

inline Scene scene_of(const NetworkConfig& config, const SceneOptions& options = {},
                      Purpose purpose = Purpose::predict) {
  Graph graph(operations());
  build(graph, config, purpose);
  return network_scene(graph, options);
}

inline SceneOptions sentence(const std::vector<std::string>& words) {
  SceneOptions options;
  for (const std::string& word : words) options.tokens.push_back({0, word, 0, 0});
  options.sizes = {{Axis::T, static_cast<int64_t>(words.size())},
                   {Axis::S, static_cast<int64_t>(words.size())}};
  options.token_word = "word";
  return options;
}

inline GptConfig gpt(int64_t layers, int64_t heads = 12, int64_t width = 768) {
  GptConfig c;
  c.vocabulary = 50257;
  c.context = 1024;
  c.layers = layers;
  c.heads = heads;
  c.width = width;
  return c;
}

inline TextbookConfig textbook() {
  TextbookConfig c;
  c.vocabulary = 3;
  return c;
}

// ---- geometry ------------------------------------------------------------------------------------

struct Labelled {
  SceneText text;
  const SceneBox* box;  // that it belongs to
};

inline std::vector<Labelled> all_texts(const Scene& scene) {
  std::vector<Labelled> all;
  for (const SceneBox& box : scene.boxes)
    for (const SceneText& text : box.texts) all.push_back({text, &box});
  for (const SceneFrame& frame : scene.frames) all.push_back({frame.title, nullptr});
  for (const SceneGrid& grid : scene.grids)
    for (const SceneText& text : grid.texts) all.push_back({text, nullptr});
  for (const SceneText& text : scene.texts) all.push_back({text, nullptr});
  return all;
}

// The piece from a to b, as a rectangle without width.
inline Rect piece(const Point& a, const Point& b) {
  return {std::min(a.x, b.x), std::min(a.y, b.y), std::abs(a.x - b.x), std::abs(a.y - b.y)};
}

inline bool on_border(const Point& p, const Port& port, const Rect& r) {
  if (!(port.at == p)) return false;
  switch (port.side) {
    case Side::left:
      return p.x == r.x && p.y > r.y && p.y < r.bottom();
    case Side::right:
      return p.x == r.right() && p.y > r.y && p.y < r.bottom();
    case Side::top:
      return p.y == r.y && p.x > r.x && p.x < r.right();
    case Side::bottom:
      return p.y == r.bottom() && p.x > r.x && p.x < r.right();
  }
  return false;
}

// Whether two pieces, one horizontal and one vertical, cross in the inside of both.
inline bool cross(const Point& a, const Point& b, const Point& c, const Point& d) {
  if ((a.x == b.x) == (c.x == d.x)) return false;
  const Rect r = piece(a, b), s = piece(c, d);
  const Rect &h = r.height == 0 ? r : s, &v = r.height == 0 ? s : r;
  return v.x > h.x + 0.01 && v.x < h.right() - 0.01 && h.y > v.y + 0.01 && h.y < v.bottom() - 0.01;
}

// Whether two parallel pieces lie on one another for more than a point.
inline bool overlap(const Point& a, const Point& b, const Point& c, const Point& d) {
  const Rect r = piece(a, b), s = piece(c, d);
  const double width = std::min(r.right(), s.right()) - std::max(r.x, s.x);
  const double height = std::min(r.bottom(), s.bottom()) - std::max(r.y, s.y);
  return (width > 0.01 && height >= -3) || (height > 0.01 && width >= -3) ? (r.width == 0) == (s.width == 0)
                                                                          : false;
}

inline std::string told(const SceneText& text) {
  return join("'", text.text, "' at ", text.at.x, ",", text.at.y);
}

inline std::vector<std::string> box_faults(const Scene& scene) {
  std::vector<std::string> faults;
  const Rect page = {0, 0, scene.width, scene.height};
  std::set<std::string> names;
  for (size_t i = 0; i < scene.boxes.size(); ++i) {
    const SceneBox& box = scene.boxes[i];
    if (!names.insert(box.name).second) faults.push_back("two boxes are called " + box.name);
    if (!page.holds(box.rect, -10)) faults.push_back("box " + box.name + " leaves the page");
    if (box.texts.empty()) faults.push_back("box " + box.name + " says nothing");
    for (size_t k = 0; k < i; ++k)
      if (box.rect.meets(scene.boxes[k].rect, -8))
        faults.push_back("boxes " + box.name + " and " + scene.boxes[k].name + " meet");
    for (const SceneText& text : box.texts)
      if (!box.rect.holds(text.bounds(), box.look == SceneBox::Look::stage ? -4 : 0.01))
        faults.push_back(told(text) + " leaves box " + box.name);
  }
  return faults;
}

inline std::vector<std::string> frame_faults(const Scene& scene) {
  std::vector<std::string> faults;
  const Rect page = {0, 0, scene.width, scene.height};
  for (const SceneFrame& frame : scene.frames) {
    if (!page.holds(frame.rect)) faults.push_back("frame " + frame.name + " leaves the page");
    if (!frame.rect.holds(frame.title.bounds())) faults.push_back("the title leaves frame " + frame.name);
    const std::set<int> inside(frame.boxes.begin(), frame.boxes.end());
    for (size_t i = 0; i < scene.boxes.size(); ++i) {
      const bool member = inside.count(static_cast<int>(i)) > 0;
      if (member && !frame.rect.holds(scene.boxes[i].rect, -6))
        faults.push_back("box " + scene.boxes[i].name + " leaves frame " + frame.name);
      if (!member && frame.rect.meets(scene.boxes[i].rect))
        faults.push_back("box " + scene.boxes[i].name + " meets frame " + frame.name);
    }
    for (const SceneFrame& other : scene.frames)
      if (&other != &frame && frame.rect.meets(other.rect) && !frame.rect.holds(other.rect) &&
          !other.rect.holds(frame.rect))
        faults.push_back("frames " + frame.name + " and " + other.name + " overlap");
  }
  return faults;
}

inline std::vector<std::string> line_faults(const Scene& scene) {
  std::vector<std::string> faults;
  const Rect page = {0, 0, scene.width, scene.height};
  for (const SceneConnector& c : scene.connectors) {
    const SceneBox &from = scene.boxes[static_cast<size_t>(c.from)],
                   &to = scene.boxes[static_cast<size_t>(c.to)];
    const std::string way = from.name + " -> " + to.name;
    if (!on_border(c.points.front(), from.ports[static_cast<size_t>(c.from_port)], from.rect))
      faults.push_back(way + " starts off its box");
    if (!on_border(c.points.back(), to.ports[static_cast<size_t>(c.to_port)], to.rect))
      faults.push_back(way + " ends off its box");
    for (size_t i = 0; i + 1 < c.points.size(); ++i) {
      const Point &a = c.points[i], &b = c.points[i + 1];
      if (a.x != b.x && a.y != b.y) faults.push_back(way + " is slanted");
      if (a == b) faults.push_back(way + " stands still");
      const Rect line = piece(a, b);
      if (!page.holds(line, -4)) faults.push_back(way + " leaves the page");
      for (const SceneBox& box : scene.boxes) {
        const bool own = &box == &from || &box == &to;
        const Rect wide = {line.x - 3, line.y - 3, line.width + 6, line.height + 6};
        if (own ? box.rect.meets(line, 0.01) && line.x < box.rect.right() - 0.01 &&
                      line.right() > box.rect.x + 0.01 && line.y < box.rect.bottom() - 0.01 &&
                      line.bottom() > box.rect.y + 0.01
                : box.rect.meets(wide))
          faults.push_back(way + " crosses box " + box.name);
      }
    }
    if (c.points.size() > 1) {
      const Rect last = piece(c.points[c.points.size() - 2], c.points.back());
      if (last.width + last.height < 12) faults.push_back(way + " has no room for its arrow");
    }
  }
  return faults;
}

// Lines of different values neither cross nor run along one another.
inline std::vector<std::string> crossing_faults(const Scene& scene) {
  std::vector<std::string> faults;
  for (size_t i = 0; i < scene.connectors.size(); ++i)
    for (size_t k = 0; k < i; ++k) {
      const SceneConnector &x = scene.connectors[i], &y = scene.connectors[k];
      const std::string both = join(scene.boxes[static_cast<size_t>(x.from)].name, " -> ",
                                    scene.boxes[static_cast<size_t>(x.to)].name, " and ",
                                    scene.boxes[static_cast<size_t>(y.from)].name, " -> ",
                                    scene.boxes[static_cast<size_t>(y.to)].name);
      for (size_t a = 0; a + 1 < x.points.size(); ++a)
        for (size_t b = 0; b + 1 < y.points.size(); ++b) {
          if (cross(x.points[a], x.points[a + 1], y.points[b], y.points[b + 1]))
            faults.push_back(both + " cross");
          if (x.from != y.from && overlap(x.points[a], x.points[a + 1], y.points[b], y.points[b + 1]))
            faults.push_back(both + " run along one another");
        }
    }
  return faults;
}

inline std::vector<std::string> text_faults(const Scene& scene) {
  std::vector<std::string> faults;
  const Rect page = {0, 0, scene.width, scene.height};
  const std::vector<Labelled> texts = all_texts(scene);
  for (size_t i = 0; i < texts.size(); ++i) {
    const SceneText& text = texts[i].text;
    const Rect bounds = text.bounds();
    if (!page.holds(bounds, -4)) faults.push_back(told(text) + " leaves the page");
    if (text.text.empty()) faults.push_back("an empty text");
    for (size_t k = 0; k < i; ++k)
      if (bounds.meets(texts[k].text.bounds()))
        faults.push_back(told(text) + " meets " + told(texts[k].text));
    for (const SceneBox& box : scene.boxes)
      if (&box != texts[i].box && box.look == SceneBox::Look::stage && box.rect.meets(bounds))
        faults.push_back(told(text) + " meets box " + box.name);
    for (const SceneConnector& c : scene.connectors)
      for (size_t p = 0; p + 1 < c.points.size(); ++p) {
        const Rect line = piece(c.points[p], c.points[p + 1]);
        const Rect inner = {bounds.x + 0.5, bounds.y + 0.5, bounds.width - 1, bounds.height - 1};
        if (line.x < inner.right() && line.right() > inner.x && line.y < inner.bottom() &&
            line.bottom() > inner.y)
          faults.push_back(told(text) + " is struck through by a line to " +
                           scene.boxes[static_cast<size_t>(c.to)].name);
      }
  }
  return faults;
}

inline std::string faults(const Scene& scene) {
  std::string all;
  for (auto* check : {box_faults, frame_faults, line_faults, crossing_faults, text_faults})
    for (const std::string& fault : check(scene)) all += fault + "\n";
  return all;
}

// The smallest text, in points, when the figure is printed as wide as an A4 sheet in landscape between 10 mm
// margins, or as high as it is in portrait: whichever a reader would choose.
inline double printed_size(const Scene& scene) {
  double least = 1000;
  for (const Labelled& each : all_texts(scene)) least = std::min(least, each.text.size);
  const double landscape = std::min(785 / scene.width, 538 / scene.height),
               portrait = std::min(538 / scene.width, 785 / scene.height);
  return least * std::max(landscape, portrait);
}

}  // namespace limpid

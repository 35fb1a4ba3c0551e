// The network one step a page.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "draw/figures/deck.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"

namespace limpid::draw {

namespace {

constexpr double k_label = 28, k_column = 300, k_between = 150, k_row = 84, k_box = 68;
constexpr double k_most_map = 230, k_least_map = 40, k_map_gap = 24;
constexpr size_t k_most_rows = 4;

// What a box says, in one line: a sentence's words as they follow one another.
std::string label_of(const SceneBox& box) {
  std::string label, words;
  for (const SceneText& text : box.texts) {
    if (text.text.rfind("X\xe2\x82", 0) == 0) continue;  // a word's place
    std::string& to = text.kind == TextKind::label ? label : words;
    if (text.kind == TextKind::label || text.kind == TextKind::token)
      to += (to.empty() ? "" : " ") + text.text;
  }
  return label.empty() ? words.empty() ? box.name : words : label;
}

bool bare(const SceneBox& box) { return box.look == SceneBox::Look::bare; }

// What stands beside the edges of a box's value.
std::string shape_of(const Scene& scene, int box) {
  for (const SceneText& text : scene.texts)
    if (text.kind == TextKind::shape && text.box == box) return text.text;
  return "";
}

// One end of a step's edges.
struct Neighbour {
  int box = 0;
  bool residual = false;
  Role role = Role::plain;
  std::string value;
};

class StepPage {
 public:
  StepPage(const Scene& network, int box) : network_(network), box_(box) {}

  // What it reads on the left, the step lit in the middle, where its result goes on the right: straight
  // edges, each at the height of what it joins.
  Scene local() {
    std::vector<Neighbour> sources, next;
    for (const SceneConnector& c : network_.connectors) {
      if (c.to == box_) add(sources, {c.from, c.residual, c.role, c.value});
      if (c.from == box_) add(next, {c.to, c.residual, c.role, c.value});
    }
    const size_t rows = std::max<size_t>({sources.size(), next.size(), 1});
    const double height = std::max(static_cast<double>(rows) * k_row - (k_row - k_box), 120.0);
    const SceneBox& self = network_.boxes[static_cast<size_t>(box_)];
    SceneBox main = box_of(self, {k_column + k_between, 0, k_column, height}, 30);
    main.lit = true;
    main.look = SceneBox::Look::stage;
    main.equation = self.equation;
    main.caption = self.caption;
    scene_.boxes.push_back(main);
    join_side(sources, true, height);
    join_side(next, false, height);
    scene_.width = 3 * k_column + 2 * k_between;
    scene_.height = height;
    return std::move(scene_);
  }

 private:
  void add(std::vector<Neighbour>& list, const Neighbour& neighbour) const {
    for (const Neighbour& known : list)
      if (known.box == neighbour.box) return;  // a sentence's words are one box or many
    if (list.size() < k_most_rows) list.push_back(neighbour);
  }

  static SceneBox box_of(const SceneBox& from, const Rect& rect, double size) {
    SceneBox box;
    box.name = from.name;
    box.look = from.look;
    box.role = from.role;
    box.rect = rect;
    const auto most = static_cast<size_t>(std::max(1.0, rect.height / (1.2 * size)));
    std::vector<std::string> lines = wrapped(clean(label_of(from)), size, rect.width - 24);
    if (lines.size() > most) {
      lines.resize(most);
      lines.back() = elided(lines.back() + " \xe2\x80\xa6", size, rect.width - 24);
    }
    const double first =
        rect.centre().y - 1.15 * size * (static_cast<double>(lines.size()) - 1) / 2 + 0.36 * size;
    for (size_t i = 0; i < lines.size(); ++i)
      box.texts.push_back(text_at(bare(from) ? TextKind::token : TextKind::label, lines[i],
                                  {rect.centre().x, first + 1.15 * size * static_cast<double>(i)},
                                  Anchor::middle, Role::plain, size));
    return box;
  }

  void join_side(const std::vector<Neighbour>& list, bool left, double height) {
    const auto count = static_cast<double>(list.size());
    for (size_t i = 0; i < list.size(); ++i) {
      const double y = height / 2 + k_row * (static_cast<double>(i) - (count - 1) / 2);
      const Rect rect = {left ? 0 : 2 * (k_column + k_between), y - k_box / 2, k_column, k_box};
      SceneBox box = box_of(network_.boxes[static_cast<size_t>(list[i].box)], rect, k_label - 2);
      if (!left) box.look = SceneBox::Look::bare;  // not built yet
      const auto other = static_cast<int>(scene_.boxes.size());
      SceneConnector c;
      c.role = list[i].role;
      c.residual = list[i].residual;
      c.value = list[i].value;
      c.width = 2.4;
      c.from = left ? other : 0;
      c.to = left ? 0 : other;
      SceneBox& main = scene_.boxes[0];
      const Point here = {left ? rect.right() : rect.x, y},
                  there = {left ? main.rect.x : main.rect.right(), y};
      box.ports.push_back({left ? Side::right : Side::left, here});
      (left ? c.to_port : c.from_port) = static_cast<int>(main.ports.size());
      main.ports.push_back({left ? Side::left : Side::right, there});
      c.points = left ? std::vector<Point>{here, there} : std::vector<Point>{there, here};
      scene_.boxes.push_back(std::move(box));
      scene_.connectors.push_back(std::move(c));
      const std::string shape = shape_of(network_, left ? list[i].box : box_);
      if (!shape.empty() && (left || i == 0))
        scene_.texts.push_back(text_at(TextKind::shape, elided(shape, k_hall_size, k_between - 12),
                                       {k_column + k_between / 2 + (left ? 0 : k_column + k_between), y - 12},
                                       Anchor::middle, list[i].role, k_hall_size));
    }
  }

  const Scene& network_;
  int box_;
  Scene scene_;
};

// The network as far as these boxes, without a word: small, so that one sees where the step stands.
Scene map_of(const Scene& network, const std::set<int>& shown, int lit, Point room) {
  Scene map;
  std::map<int, int> place;
  for (int i : shown) {
    SceneBox box = network.boxes[static_cast<size_t>(i)];
    place[i] = static_cast<int>(map.boxes.size());
    box.name = "map: " + box.name;
    box.texts.clear();
    box.lit = i == lit;
    if (bare(box)) box.look = SceneBox::Look::filled;
    map.boxes.push_back(std::move(box));
  }
  for (SceneConnector c : network.connectors) {
    if (place.count(c.from) == 0 || place.count(c.to) == 0) continue;
    c.from = place[c.from];
    c.to = place[c.to];
    c.fork = 0;
    c.arrow = false;
    c.width = 2.6;
    map.connectors.push_back(std::move(c));
  }
  double right = 1, top = INFINITY, bottom = -INFINITY;  // of the whole, so that the map stands still
  for (const SceneBox& box : network.boxes) {
    right = std::max(right, box.rect.right() + k_margin);
    top = std::min(top, box.rect.y - k_margin), bottom = std::max(bottom, box.rect.bottom() + k_margin);
  }
  for (const SceneConnector& c : network.connectors)
    for (const Point& p : c.points) top = std::min(top, p.y - 6), bottom = std::max(bottom, p.y + 6);
  const double scale = std::min({1.0, room.x / right, room.y / (bottom - top)});
  transform(map, scale, {(room.x - scale * right) / 2, -scale * top});
  map.width = room.x;
  map.height = scale * (bottom - top);
  return map;
}

}  // namespace

void add_steps(std::vector<Slide>& pages, const Scene& network, const std::string& title) {
  std::set<int> named, shown;
  std::vector<const SceneStep*> steps;
  for (const SceneStep& step : network.steps) {
    if (step.box < 0) continue;
    named.insert(step.box);
    // A result comes with the step before it, the sentence with the first.
    if (!bare(network.boxes[static_cast<size_t>(step.box)])) steps.push_back(&step);
  }
  for (size_t i = 0; i < network.boxes.size(); ++i)
    if (named.count(static_cast<int>(i)) == 0 || bare(network.boxes[i])) shown.insert(static_cast<int>(i));
  for (const SceneStep& step : network.steps)  // a result is no start
    if (step.box >= 0 && steps.size() > 1 && bare(network.boxes[static_cast<size_t>(step.box)]) &&
        std::any_of(network.connectors.begin(), network.connectors.end(),
                    [&](const SceneConnector& c) { return c.to == step.box; }))
      shown.erase(step.box);
  for (size_t number = 1; number <= steps.size(); ++number) {
    const int lit = steps[number - 1]->box;
    shown.insert(lit);
    const SceneBox& box = network.boxes[static_cast<size_t>(lit)];
    if (number == steps.size())
      for (size_t i = 0; i < network.boxes.size(); ++i) shown.insert(static_cast<int>(i));
    PageWords words = {join(title, ": ", label_of(box)), box.caption, box.equation, ""};
    words.notes = join("Step ", number, " of ", steps.size(), ": ", steps[number - 1]->text);
    const Rect area = figure_area(words);
    Scene scene = StepPage(network, lit).local();
    const double map_room = std::min(k_most_map, area.height - scene.height - k_map_gap);
    Scene map;
    if (map_room >= k_least_map) map = map_of(network, shown, lit, {area.width, map_room});
    const double room = area.height - (map.boxes.empty() ? 0 : map.height + k_map_gap);
    transform(scene, 1, {(area.width - scene.width) / 2, std::max(0.0, (room - scene.height) / 2)});
    transform(map, 1, {0, area.height - map.height});
    append(scene, map);
    scene.width = area.width;
    scene.height = area.height;
    scene.description = words.notes;
    pages.push_back(page_of(words, scene));
  }
}

}  // namespace limpid::draw

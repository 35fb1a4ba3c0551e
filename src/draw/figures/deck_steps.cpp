// The network one step a page.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "draw/figures/deck.h"
#include "draw/figures/edits.h"
#include "draw/figures/legend.h"
#include "draw/layout/layout.h"

namespace limpid::draw {

namespace {

constexpr double k_label = 25, k_column = 284, k_between = 174, k_row = 88, k_box = 74;
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
  bool residual = false, severed = false;
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
      if (c.to == box_) add(sources, {c.from, c.residual, c.severed, c.role, c.value});
      if (c.from == box_) add(next, {c.to, c.residual, c.severed, c.role, c.value});
    }
    const size_t rows = std::max<size_t>({sources.size(), next.size(), 1});
    const SceneBox& self = network_.boxes[static_cast<size_t>(box_)];
    const double height =
        std::max(static_cast<double>(rows) * k_row - (k_row - k_box), self.edit.empty() ? 120.0 : 190.0);
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
    box.edit = from.edit;
    // "✎ set to 0" below the name where there is room; the pencil alone where there is not.
    const double room = rect.width - 24;
    const bool roomy = rect.height > 2 * k_box;
    const std::string pencil = from.edit.empty() || roomy ? "" : k_pencil;
    std::vector<std::string> edit;
    if (roomy && !from.edit.empty()) edit = lines_of(k_pencil + from.edit, k_hall_size, room, 2);
    const double below = 1.15 * k_hall_size * static_cast<double>(edit.size());
    const auto most = static_cast<size_t>(std::max(1.0, (rect.height - below) / (1.2 * size)));
    const std::vector<std::string> lines = lines_of(pencil + clean(label_of(from)), size, room, most);
    const double pitch = 1.15 * size, all = pitch * static_cast<double>(lines.size()) + below;
    double y = rect.centre().y - all / 2 + pitch / 2 + 0.36 * size;
    for (const std::string& line : lines) {
      box.texts.push_back(text_at(bare(from) ? TextKind::token : TextKind::label, line, {rect.centre().x, y},
                                  Anchor::middle, Role::plain, size));
      y += pitch;
    }
    for (const std::string& line : edit) {
      box.texts.push_back(
          text_at(TextKind::count, line, {rect.centre().x, y}, Anchor::middle, Role::plain, k_hall_size));
      y += 1.15 * k_hall_size;
    }
    return box;
  }

  static std::vector<std::string> lines_of(const std::string& words, double size, double width, size_t most) {
    std::vector<std::string> lines = wrapped(words, size, width);
    if (lines.size() > most) {
      lines.resize(most);
      lines.back() = elided(lines.back() + " \xe2\x80\xa6", size, width);
    }
    return lines;
  }

  // A word or a result has no border: its place is no wider than itself, so that the arrow reaches it.
  static void close_up(SceneBox& box, bool left) {
    double width = 0;
    for (const SceneText& text : box.texts) width = std::max(width, text_width(text.text, text.size));
    const double x = box.rect.x;
    width = std::min(box.rect.width, width + 24);
    if (left) box.rect.x = box.rect.right() - width;
    box.rect.width = width;
    const double by = box.rect.centre().x - (x + k_column / 2);
    for (SceneText& text : box.texts) text.at.x += by;
  }

  void join_side(const std::vector<Neighbour>& list, bool left, double height) {
    const auto count = static_cast<double>(list.size());
    for (size_t i = 0; i < list.size(); ++i) {
      const double y = height / 2 + k_row * (static_cast<double>(i) - (count - 1) / 2);
      const Rect rect = {left ? 0 : 2 * (k_column + k_between), y - k_box / 2, k_column, k_box};
      SceneBox box = box_of(network_.boxes[static_cast<size_t>(list[i].box)], rect, k_label);
      if (bare(box)) close_up(box, left);
      const auto other = static_cast<int>(scene_.boxes.size());
      SceneConnector c;
      c.role = list[i].role;
      c.residual = list[i].residual;
      c.severed = list[i].severed;
      c.value = list[i].value;
      c.width = 2.4;
      c.from = left ? other : 0;
      c.to = left ? 0 : other;
      SceneBox& main = scene_.boxes[0];
      const Point here = {left ? box.rect.right() : box.rect.x, y},
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

// The network as far as these boxes, without a word: small, so that one sees where the step stands.  What is
// still to come is a pale place without an edge.
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
  for (size_t i = 0; i < network.boxes.size(); ++i) {
    if (shown.count(static_cast<int>(i)) > 0) continue;
    SceneBox box;
    box.name = "to come: " + network.boxes[i].name;
    box.look = SceneBox::Look::filled;
    box.rect = network.boxes[i].rect;
    map.boxes.push_back(std::move(box));
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

// An equation is not claimed of an edited value, and a dotted line says what it is.
void say_edits(PageWords& words, const Scene& network, int lit) {
  const bool edited = !network.boxes[static_cast<size_t>(lit)].edit.empty();
  if (edited && !words.equation.empty()) words.equation = k_unedited + words.equation;
  for (const SceneConnector& c : network.connectors)
    if (c.severed && (c.from == lit || c.to == lit)) {
      words.foot +=
          join(words.foot.empty() ? "" : " ",
               "A dotted line leads to an edited value, which is not computed from what stands before it.");
      return;
    }
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
    say_edits(words, network, lit);
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

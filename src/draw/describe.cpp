#include "draw/describe.h"

#include <algorithm>
#include <map>
#include <set>

#include "draw/text.h"

namespace limpid::draw {

namespace {

// ---- the legend ----------------------------------------------------------------------------------

struct Entry {
  std::string text;
  Role role = Role::plain;
};

// What an axis letter means, in words (tensor.h).
std::string meaning(Axis axis, const std::string& token) {
  static const std::map<Axis, std::string> words = {{Axis::H, "heads"},
                                                    {Axis::G, "key/value heads"},
                                                    {Axis::D, "head width"},
                                                    {Axis::C, "model width"},
                                                    {Axis::F, "feed-forward width"},
                                                    {Axis::P, "rows of positions"},
                                                    {Axis::N, "buckets of distance"},
                                                    {Axis::R, "hops"}};
  if (axis == Axis::T) return token + "s";
  if (axis == Axis::S) return token + "s attended to";
  const auto known = words.find(axis);
  return known == words.end() ? "" : known->second;
}

std::string role_words(Role role) {
  return role == Role::weights ? "scores and weights" : std::string(name(role));
}

std::vector<Entry> colour_entries(const Outline& outline) {
  std::vector<Entry> entries;
  for (Role role : {Role::query, Role::key, Role::value, Role::weights})
    if (std::any_of(outline.nodes.begin(), outline.nodes.end(),
                    [&](const Node& n) { return n.role == role; }))
      entries.push_back({role_words(role), role});
  return entries;
}

// One entry for each axis of the values that are drawn.
std::vector<Entry> axis_entries(const Graph& graph, const Outline& outline, const SceneOptions& o) {
  std::map<Axis, std::set<int64_t>> sizes;
  bool next_word = false;
  for (const Edge& e : outline.edges)
    for (const Dim& dim : graph.value(e.value).shape) {
      next_word = next_word || (dim.axis == Axis::V && graph.value(e.value).shape.find(Axis::T) >= 0);
      const auto bound = o.sizes.find(dim.axis);
      sizes[dim.axis].insert(dim.size == k_symbolic && bound != o.sizes.end() ? bound->second : dim.size);
    }
  std::vector<Entry> entries;
  for (Axis axis : {Axis::T, Axis::S, Axis::C, Axis::H, Axis::G, Axis::D, Axis::F, Axis::R, Axis::V}) {
    const auto found = sizes.find(axis);
    if (found == sizes.end()) continue;
    const std::set<int64_t>& known = found->second;
    if ((axis == Axis::H || axis == Axis::G) && known == std::set<int64_t>{1}) continue;
    std::string text(1, static_cast<char>(axis));
    text += " " + (axis == Axis::V ? std::string(next_word ? "vocabulary" : "outputs")
                                   : meaning(axis, o.token_word));
    if (known.size() == 1 && *known.begin() != k_symbolic) text += join(" (", *known.begin(), ")");
    entries.push_back({text, Role::plain});
  }
  return entries;
}

// Entries side by side, in as many lines as they need.
void write_entries(Scene& scene, const std::vector<Entry>& entries, double width) {
  if (entries.empty()) return;
  double x = k_margin;
  scene.height += 22;
  for (const Entry& entry : entries) {
    const double mark = entry.role == Role::plain ? 0 : 14, text = text_width(entry.text, k_small_size);
    if (x > k_margin && x + mark + text > width) {
      x = k_margin;
      scene.height += 20;
    }
    if (mark > 0) scene.marks.push_back({{x + 4, scene.height - 4.5}, entry.role});
    scene.texts.push_back({SceneText::Kind::legend,
                           entry.text,
                           {x + mark, scene.height},
                           SceneText::Anchor::start,
                           k_small_size,
                           entry.role});
    x += mark + text + 22;
    scene.width = std::max(scene.width, x - 22);
  }
}

}  // namespace

void add_legend(Scene& scene, const Graph& graph, const Outline& outline, const SceneOptions& options) {
  const double width = std::max(scene.width, 420.0);
  scene.height += 14;
  write_entries(scene, colour_entries(outline), width);
  write_entries(scene, axis_entries(graph, outline, options), width);
}

// ---- in words ------------------------------------------------------------------------------------

namespace {

constexpr std::string_view k_order = " From left to right:";

std::string sentence(const SceneOptions& o) {
  if (o.tokens.empty()) return join("The input is a sequence of ", o.token_word, "s.", k_order);
  std::string text =
      join("The input is ", o.tokens.size(), " ", o.token_word, o.tokens.size() == 1 ? "" : "s", ":");
  const size_t shown = std::min<size_t>(o.tokens.size(), 12);
  for (size_t i = 0; i < shown; ++i)
    text += (i ? ", " : " ") + elided(clean(o.tokens[i].label), k_small_size, 200);
  return text + (shown < o.tokens.size() ? " and so on." : ".") + std::string(k_order);
}

// Reading order: by column, in a column from top to bottom.
std::vector<int> reading_order(const Layout& l) {
  std::vector<int> order;
  for (const std::vector<int>& layer : l.layers)
    for (int i : layer)
      if (l.item(i).node >= 0 && l.node(i).kind != Node::Kind::words) order.push_back(i);
  return order;
}

std::string list_of_sources(const Outline& outline, int node) {
  std::vector<std::string> from;
  for (const Edge& e : outline.edges)
    if (e.to == node) {
      const Node& source = outline.nodes[static_cast<size_t>(e.from)];
      from.push_back((source.kind == Node::Kind::words ? "the sequence" : source.label) +
                     (e.residual ? " (residual path)" : ""));
    }
  std::string text;
  for (size_t i = 0; i < from.size(); ++i)
    text += (i == 0 ? "" : i + 1 == from.size() ? " and " : ", ") + from[i];
  return text;
}

}  // namespace

std::string told(const std::vector<SceneStep>& steps) {
  std::string text;
  std::vector<int> open;  // depths of headings
  int number = 0;
  for (const SceneStep& step : steps) {
    for (; !open.empty() && open.back() >= step.depth; open.pop_back()) text += "] ";
    if (step.heading) {
      text += "[" + step.text + ": ";
      open.push_back(step.depth);
    } else {
      text += step.numbered ? join(++number, ". ", step.text, " ") : step.text + " ";
    }
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text + std::string(open.size(), ']');
}

void say(Scene& scene, const Outline& outline, const Layout& l, const SceneOptions& options) {
  scene.steps.push_back({sentence(options), 0, false, false});
  std::vector<const SceneFrame*> open;
  for (int i : reading_order(l)) {
    const Node& node = l.node(i);
    const auto inside = [&](const SceneFrame& frame) {
      return std::find(frame.boxes.begin(), frame.boxes.end(), i) != frame.boxes.end();
    };
    std::erase_if(open, [&](const SceneFrame* frame) { return !inside(*frame); });
    for (const SceneFrame& frame : scene.frames)
      if (inside(frame) && std::find(open.begin(), open.end(), &frame) == open.end()) {
        scene.steps.push_back({frame.title.text, static_cast<int>(open.size()), true, false});
        open.push_back(&frame);
      }
    const int depth = static_cast<int>(open.size());
    if (node.kind == Node::Kind::result) {
      scene.steps.push_back({join("The result is ", node.label, "."), depth, false, false, i});
      continue;
    }
    std::string text = node.label;
    const std::string from = list_of_sources(outline, i), &shape = l.words[static_cast<size_t>(i)].shape;
    if (!from.empty()) text += ", from " + from;
    if (!shape.empty()) text += ", gives " + shape;
    text += node.caption.empty() ? "." : ". " + node.caption;
    scene.steps.push_back({text, depth, false, true, i});
  }
  scene.description = told(scene.steps);
}

}  // namespace limpid::draw

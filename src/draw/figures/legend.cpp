#include "draw/figures/legend.h"

#include <algorithm>
#include <map>
#include <set>

#include "draw/scene/text.h"
#include "trace/figures.h"

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
                                                    {Axis::M, "experts"},
                                                    {Axis::J, "experts for a token"},
                                                    {Axis::P, "rows of positions"},
                                                    {Axis::N, "buckets of distance"},
                                                    {Axis::R, "hops"}};
  if (axis == Axis::T) return plural(token);
  if (axis == Axis::S) return plural(token) + " attended to";
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
  for (Axis axis : {Axis::T, Axis::S, Axis::C, Axis::H, Axis::G, Axis::D, Axis::F, Axis::M, Axis::J, Axis::N,
                    Axis::R, Axis::V}) {
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

constexpr double k_between_entries = 22;  // from one entry to the next
constexpr double k_narrowest = 260;       // legend worth a corner

double mark_width(const Entry& entry) { return entry.role == Role::plain ? 0 : 14; }

// Entries side by side, in lines of at most `width`.
struct Lines {
  std::vector<std::vector<Entry>> lines;
  double width = 0;  // of the longest

  void add(const std::vector<Entry>& entries, double most, double size) {
    double x = 0;
    for (const Entry& entry : entries) {
      const double wide = mark_width(entry) + text_width(entry.text, size);
      if (x == 0 || x + wide > most) {
        lines.emplace_back();
        x = 0;
      }
      lines.back().push_back(entry);
      width = std::max(width, x + wide);
      x += wide + k_between_entries;
    }
  }
};

void write(Scene& scene, const Lines& legend, Point at, const Spacing& spacing) {
  for (const std::vector<Entry>& line : legend.lines) {
    double x = at.x;
    for (const Entry& entry : line) {
      const double mark = mark_width(entry);
      if (mark > 0) scene.marks.push_back({{x + 4, at.y - 0.375 * spacing.small}, entry.role});
      scene.texts.push_back({SceneText::Kind::legend,
                             entry.text,
                             {x + mark, at.y},
                             SceneText::Anchor::start,
                             spacing.small,
                             entry.role});
      x += mark + text_width(entry.text, spacing.small) + k_between_entries;
    }
    at.y += spacing.small + 8;
  }
}

}  // namespace

void add_legend(Scene& scene, const Graph& graph, const Outline& outline, const SceneOptions& options,
                const Spacing& spacing, const Rect& corner) {
  const std::vector<Entry> colours = colour_entries(outline), axes = axis_entries(graph, outline, options);
  const auto within = [&](double width) {
    Lines legend;
    legend.add(colours, width, spacing.small);
    legend.add(axes, width, spacing.small);
    return legend;
  };
  const double line = spacing.small + 8;
  for (double most : {4.0, corner.height / line})  // lines: few and long read better
    for (double width = k_narrowest; width <= corner.width; width += 20)
      if (const Lines legend = within(width);
          legend.width <= corner.width && static_cast<double>(legend.lines.size()) <= most &&
          line * static_cast<double>(legend.lines.size()) <= corner.height)
        return write(scene, legend, {corner.right() - legend.width, corner.y + spacing.small}, spacing);
  const Lines legend = within(std::max(scene.width, 420.0) - k_margin);
  if (legend.lines.empty()) return;
  write(scene, legend, {k_margin, scene.height + 36}, spacing);
  scene.width = std::max(scene.width, k_margin + legend.width);
  scene.height += 36 + line * static_cast<double>(legend.lines.size() - 1);
}

// ---- in words ------------------------------------------------------------------------------------

namespace {

constexpr std::string_view k_order = " From left to right:";

std::string sentence(const SceneOptions& o) {
  if (o.tokens.empty()) return join("The input is a sequence of ", plural(o.token_word), ".", k_order);
  std::string text = join("The input is ", o.tokens.size(), " ",
                          o.tokens.size() == 1 ? o.token_word : plural(o.token_word), ":");
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
    if (!from.empty()) text += (node.edit.empty() ? ", from " : ", which reads ") + from;
    if (!node.edit.empty()) text += ", was edited (" + node.edit + ")";
    if (!shape.empty()) text += ", gives " + shape;
    text += node.caption.empty() ? "." : ". " + node.caption;
    scene.steps.push_back({text, depth, false, true, i});
  }
  scene.description = told(scene.steps);
}

}  // namespace limpid::draw

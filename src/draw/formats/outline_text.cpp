#include "draw/formats/outline_text.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace limpid::draw {

namespace {

// How near a text stands to the line that it belongs to; a name may have a second line.
constexpr double k_beside = 12, k_second = 26;

double distance(const Rect& r, const Point& a, const Point& b) {
  const double left = std::min(a.x, b.x), right = std::max(a.x, b.x), top = std::min(a.y, b.y),
               bottom = std::max(a.y, b.y);
  return std::hypot(std::max({0.0, left - r.right(), r.x - right}),
                    std::max({0.0, top - r.bottom(), r.y - bottom}));
}

// A word at the end of an arrow between grids is no node: the arrow goes on to the grid beside it.
bool only_holds_lines(const Scene& scene, int box) {
  const auto holds = [&](const LineEnd& end) { return end.on == LineEnd::On::box && end.index == box; };
  return std::any_of(scene.lines.begin(), scene.lines.end(),
                     [&](const SceneLine& line) { return holds(line.from) || holds(line.to); }) &&
         std::none_of(scene.connectors.begin(), scene.connectors.end(),
                      [&](const SceneConnector& c) { return c.from == box || c.to == box; });
}

// The node of each box; -1: none.
std::vector<int> add_boxes(const Scene& scene, StructureOutline& out) {
  std::vector<int> node_of;
  for (size_t i = 0; i < scene.boxes.size(); ++i) {
    const SceneBox& box = scene.boxes[i];
    const bool node_less = only_holds_lines(scene, static_cast<int>(i));
    node_of.push_back(node_less ? -1 : static_cast<int>(out.nodes.size()));
    if (node_less) continue;
    OutlineNode node;
    node.name = box.name;
    node.role = box.role;
    node.bare = box.look == SceneBox::Look::bare;
    node.frame = out.nesting.box[i];
    node.hint = box.caption;
    if (!box.equation.empty()) node.hint += (node.hint.empty() ? "" : "  ") + box.equation;
    double baseline = std::numeric_limits<double>::quiet_NaN();
    for (const SceneText& text : box.texts) {  // texts on one line are one line
      if (text.at.y == baseline && !node.lines.empty())
        node.lines.back() += " " + text.text;
      else
        node.lines.push_back(text.text);
      baseline = text.at.y;
      if (!text.sources.empty()) node.hint += (node.hint.empty() ? "" : "; ") + source_name(text);
    }
    out.nodes.push_back(std::move(node));
  }
  return node_of;
}

void add_edges(const Scene& scene, const std::vector<int>& node_of, StructureOutline& out) {
  const auto same = [&](const SceneConnector& c, const OutlineEdge& e) {
    return e.from == node_of[static_cast<size_t>(c.from)] && e.to == node_of[static_cast<size_t>(c.to)] &&
           e.dashed == c.residual;
  };
  for (const SceneConnector& c :
       scene.connectors) {  // several between two boxes (a sentence's words) are one
    const bool known =
        std::any_of(out.edges.begin(), out.edges.end(), [&](const OutlineEdge& e) { return same(c, e); });
    if (!known)
      out.edges.push_back({node_of[static_cast<size_t>(c.from)], node_of[static_cast<size_t>(c.to)], "",
                           c.role, c.residual, c.severed});
  }
  std::map<int, SceneText::Kind> last_kind;
  for (const SceneText& text : scene.texts) {
    const int beside = connector_beside(scene, text);
    if (beside < 0) continue;
    const SceneConnector& c = scene.connectors[static_cast<size_t>(beside)];
    OutlineEdge& edge =
        *std::find_if(out.edges.begin(), out.edges.end(), [&](const OutlineEdge& e) { return same(c, e); });
    const bool more = text.kind == SceneText::Kind::name && last_kind[beside] == SceneText::Kind::name;
    last_kind[beside] = text.kind;
    edge.label += (edge.label.empty() ? "" : more ? " " : ", ") + text.text;
  }
}

void add_grids(const Scene& scene, StructureOutline& out) {
  for (const SceneGrid& grid : scene.grids) {
    if (grid.source.stage.empty()) continue;  // a key of colours
    OutlineNode node;
    node.name = grid.name;
    node.role = grid.role;
    const int64_t rows = grid.row_at.empty() || grid.of_patches() ? grid.rows
                                                                  : grid.row_at.back() - grid.row_at.front(),
                  columns = grid.column_at.empty() || grid.of_patches()
                                ? grid.columns
                                : grid.column_at.back() - grid.column_at.front();
    node.lines = {grid.name, join(rows, " \xc3\x97 ", columns)};
    node.hint = source_name(grid);
    out.nodes.push_back(std::move(node));
  }
}

// An arrow from one grid to another, with the number that its width shows where the figure writes it.
void add_arrows(const Scene& scene, int first_grid, StructureOutline& out) {
  constexpr double k_near = 120;  // a word may stand between the arrow and its grid
  std::vector<std::pair<const SceneGrid*, int>> nodes;
  for (const SceneGrid& grid : scene.grids)
    if (!grid.source.stage.empty()) nodes.emplace_back(&grid, first_grid + static_cast<int>(nodes.size()));
  const auto at = [&](const Point& p) {
    double least = k_near;
    int found = -1;
    for (const auto& [grid, node] : nodes)
      if (const double d = distance(grid->rect, p, p); d < least) least = d, found = node;
    return found;
  };
  for (const SceneLine& line : scene.lines) {
    if (!line.arrow || line.points.size() < 2) continue;
    OutlineEdge edge = {at(line.points.front()), at(line.points.back()), "", line.role};
    if (edge.from < 0 || edge.to < 0 || edge.from == edge.to) continue;
    for (const SceneText& text : scene.texts)
      if (line.source && text.sources.size() == 1 && to_string(text.sources[0]) == to_string(*line.source))
        edge.label = text.text;
    edge.hint = line.name + (line.source ? ": " + to_string(*line.source) : "");
    out.edges.push_back(std::move(edge));
  }
}

}  // namespace

int connector_beside(const Scene& scene, const SceneText& text) {
  if (text.kind != SceneText::Kind::shape && text.kind != SceneText::Kind::name) return -1;
  const Rect r = text.bounds();
  double least = text.kind == SceneText::Kind::name ? k_second : k_beside;
  int found = -1;
  for (size_t i = 0; i < scene.connectors.size(); ++i) {
    const std::vector<Point>& p = scene.connectors[i].points;
    for (size_t k = 0; k + 1 < p.size(); ++k)
      if (const double d = distance(r, p[k], p[k + 1]); d < least) {
        least = d;
        found = static_cast<int>(i);
      }
  }
  return found;
}

StructureOutline outlined(const Scene& scene) {
  StructureOutline out;
  out.nesting = nesting_of(scene);
  const std::vector<int> node_of = add_boxes(scene, out);
  add_edges(scene, node_of, out);
  const auto first_grid = static_cast<int>(out.nodes.size());
  add_grids(scene, out);
  add_arrows(scene, first_grid, out);
  return out;
}

}  // namespace limpid::draw

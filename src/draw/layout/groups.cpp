#include "draw/layout/groups.h"

#include <algorithm>
#include <set>

#include "draw/scene/text.h"
#include "limpid/trace.h"

namespace limpid::draw {

std::string capitalized(std::string text) {
  std::replace(text.begin(), text.end(), '_', ' ');
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

namespace {

bool has(const Framed& frame, int node) {
  return std::find(frame.nodes.begin(), frame.nodes.end(), node) != frame.nodes.end();
}

void take(Framed& frame, const Outline& outline, int stage) {
  for (size_t i = 0; i < outline.nodes.size(); ++i)
    if (outline.nodes[i].kind == Node::Kind::stage && outline.nodes[i].order == stage)
      frame.nodes.push_back(static_cast<int>(i));
}

// Inputs that only these nodes take stand beside them; of a group those that say how long texts are, not what
// it attends to.
void take_feeders(Framed& frame, const Outline& outline, const Graph* lengths_of = nullptr) {
  const std::vector<int> inside = frame.nodes;
  for (size_t i = 0; i < outline.nodes.size(); ++i) {
    const int input = static_cast<int>(i);
    if (outline.nodes[i].kind != Node::Kind::input) continue;
    const auto elsewhere = [&](const Edge& e) {
      return e.to == input ||
             (e.from == input && std::find(inside.begin(), inside.end(), e.to) == inside.end());
    };
    if (std::any_of(outline.edges.begin(), outline.edges.end(), elsewhere)) continue;
    const auto said = std::find_if(outline.edges.begin(), outline.edges.end(),
                                   [&](const Edge& e) { return e.from == input && e.value >= 0; });
    const bool counts =
        said != outline.edges.end() && lengths_of && !is_floating(lengths_of->value(said->value).dtype);
    if (!lengths_of || counts) frame.nodes.push_back(input);
  }
}

}  // namespace

std::string title_of(const Graph& graph, const Repeat& repeat) {
  const size_t dot = repeat.family.rfind('.');
  std::string word = dot == std::string::npos ? repeat.family : repeat.family.substr(dot + 1);
  if (has_encoder(graph)) word = (repeat.family.starts_with("encoder.") ? "encoder " : "decoder ") + word;
  if (graph.find("image.unit_embedding") >= 0)
    word = (repeat.family.starts_with("image.") ? "image " : "text ") + word;
  word = clean(capitalized(word));
  if (repeat.count == 1 && word.size() > 1 && word.back() == 's') word.pop_back();
  if (repeat.repeats == 1) return join(word, " ", repeat.first);
  return join(repeat.count > 1 ? join(repeat.count, " ") : "", word, " \xc3\x97 ", repeat.repeats);
}

namespace {

Framed frame_of(const Graph& graph, const Repeat& repeat, const Outline& outline) {
  Framed frame;
  frame.name = join(repeat.family, ".", repeat.first);
  frame.title = title_of(graph, repeat);
  frame.repeats = repeat.repeats;
  for (int stage : repeat.stages) take(frame, outline, stage);
  take_feeders(frame, outline);
  return frame;
}

bool feeds(const Graph& graph, int from, const std::set<int>& stages) {
  for (int to : stages)
    for (int id : graph.stage(to).inputs)
      if (graph.value(id).stage == from) return true;
  return false;
}

// The group's stages, and those that bear its name and lead to it: the projections of queries, keys and
// values.
std::set<int> stages_of(const Graph& graph, int group, const std::vector<bool>& shown) {
  const std::string prefix = graph.groups()[static_cast<size_t>(group)].name + ".";
  std::set<int> stages;
  for (int i = static_cast<int>(graph.stages().size()) - 1; i >= 0; --i) {
    const StageInfo& stage = graph.stage(i);
    if (shown[static_cast<size_t>(i)] &&
        (stage.group == group || (stage.name.starts_with(prefix) && feeds(graph, i, stages))))
      stages.insert(i);
  }
  return stages;
}

// What a group's values tell: how many heads there are, and whether places are looked at (these have the axis
// S).
struct Heads {
  int64_t queries = 0, keys = 0;
  bool attends = false;
};

Heads heads_of(const Graph& graph, const GroupInfo& info) {
  Heads heads;
  for (const auto* list : {&info.inputs, &info.outputs})
    for (int id : *list)
      for (const Dim& dim : graph.value(id).shape) {
        heads.attends = heads.attends || dim.axis == Axis::S;
        if (dim.axis == Axis::H) heads.queries = dim.size;
        if (dim.axis == Axis::G) heads.keys = dim.size;
      }
  return heads;
}

std::string counted(int64_t count, const std::string& word) {
  return join(", ", count, " ", word, count == 1 ? "" : "s");
}

// "Self-Attention, 12 heads, 4 key/value heads"; what attends to values from elsewhere is cross-attention.
std::string title_of(const Graph& graph, const GroupInfo& info, const Framed& frame, const Outline& outline) {
  const auto has_places = [&](int value) {  // the rows of distances are no place to attend to
    const Shape& shape = graph.value(value).shape;
    return shape.find(Axis::T) >= 0 || shape.find(Axis::S) >= 0;
  };
  std::set<int> sources;
  for (const Edge& e : outline.edges)
    if (e.value >= 0 && has_places(e.value) &&
        is_floating(graph.value(e.value).dtype) &&  // the lengths of texts are no place to attend to
        has(frame, e.to) && !has(frame, e.from) && !outline.nodes[static_cast<size_t>(e.from)].constant)
      sources.insert(e.from);
  const Heads heads = heads_of(graph, info);
  std::string title = clean(capitalized(info.kind));
  if (heads.attends) title = (sources.size() > 1 ? "Cross-" : "Self-") + title;
  if (heads.queries > 0) title += counted(heads.queries, "head");
  if (heads.keys > 0 && heads.keys != heads.queries) title += counted(heads.keys, "key/value head");
  return title;
}

}  // namespace

void add_frames(Outline& outline, const Graph& graph, const Blocks& blocks, const std::vector<bool>& shown) {
  for (const Repeat& repeat : blocks.repeats)
    if (!repeat.open)
      continue;
    else if (Framed frame = frame_of(graph, repeat, outline); !frame.nodes.empty())
      outline.blocks.push_back(std::move(frame));
  for (size_t g = 0; g < graph.groups().size(); ++g) {
    const GroupInfo& info = graph.groups()[g];
    Framed frame;
    frame.name = info.name;
    for (int stage : stages_of(graph, static_cast<int>(g), shown)) take(frame, outline, stage);
    if (frame.nodes.empty()) continue;
    frame.title = title_of(graph, info, frame, outline);
    take_feeders(frame, outline, &graph);
    outline.groups.push_back(std::move(frame));
  }
}

}  // namespace limpid::draw

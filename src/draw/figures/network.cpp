// The network figure: outline, sizes of boxes, layout, words, legend, and the figure said in words.
#include <algorithm>
#include <cmath>
#include <set>

#include "draw/figures/edits.h"
#include "draw/figures/legend.h"
#include "draw/layout/boxes.h"
#include "draw/layout/layout.h"
#include "draw/layout/route.h"
#include "draw/scene/text.h"
#include "trace/edits.h"

namespace limpid {

using namespace draw;

namespace {

// Boxes in the outline's order, and frames; their texts come later.
void add_shapes(const Page& page, Scene& scene) {
  const Layout& l = page.layout();
  for (size_t i = 0; i < l.outline->nodes.size(); ++i) {
    const Node& node = l.outline->nodes[i];
    const Item& item = l.items[i];
    SceneBox& box = scene.boxes.emplace_back();
    const bool bare = node.kind == Node::Kind::words || node.kind == Node::Kind::result;
    box.name = node.name;
    box.look = bare ? SceneBox::Look::bare : SceneBox::Look::stage;
    box.role = node.role;
    box.rect = {item.x - item.width / 2, page.y_of(static_cast<int>(i)) - item.height / 2, item.width,
                item.height};
    box.equation = node.equation;
    box.caption = node.caption;
  }
  for (const PlacedFrame& placed : page.frames()) {
    if (!placed.whole_rows && !placed.one_row) continue;
    SceneFrame& frame = scene.frames.emplace_back();
    frame.name = placed.frame->name;
    frame.rect = placed.rect;
    frame.repeats = placed.frame->repeats;
    frame.depth = placed.depth;
    frame.boxes = placed.frame->nodes;
    // Clear of the lines that come down at the margin.
    const double x = placed.whole_rows ? k_margin + 40 + k_track : frame.rect.x + 14;
    frame.title = {SceneText::Kind::title,   placed.frame->title,         {x, frame.rect.y + 20},
                   SceneText::Anchor::start, page.layout().spacing.title, Role::plain};
  }
}

// ---- words beside edges --------------------------------------------------------------------------

// The value's axes, joined by a cross: letters, or sizes where all are known from the run.  One sentence is
// drawn, so its axis B is left out, and so are heads where there is but one.
std::string shape_words(const Value& value, const SceneOptions& o) {
  std::string letters, numbers;
  bool known = !o.sizes.empty();
  for (const Dim& dim : value.shape) {
    if (dim.axis == Axis::B || ((dim.axis == Axis::H || dim.axis == Axis::G) && dim.size == 1)) continue;
    const auto bound = o.sizes.find(dim.axis);
    const int64_t size = dim.size != k_symbolic   ? dim.size
                         : bound != o.sizes.end() ? bound->second
                                                  : k_symbolic;
    known = known && size != k_symbolic;
    const std::string cross = letters.empty() ? "" : "\xc3\x97";
    letters += cross + (dim.axis == Axis::none ? std::to_string(dim.size)
                                               : std::string(1, static_cast<char>(dim.axis)));
    numbers += cross + std::to_string(size);
  }
  return known && !o.letters ? numbers : letters;
}

std::string symbol(Role role) {
  return role == Role::query   ? "Q"
         : role == Role::key   ? "K"
         : role == Role::value ? "V"
                               : std::string(name(role));
}

const Framed* group_of(const Outline& outline, int node) {
  for (const Framed& group : outline.groups)
    if (std::find(group.nodes.begin(), group.nodes.end(), node) != group.nodes.end()) return &group;
  return nullptr;
}

// What stands beside the edges that leave a node: a name where the value changes its part.
EdgeWords words_of(const Graph& graph, const Outline& outline, int node, const SceneOptions& o) {
  EdgeWords words;
  const Role role = outline.nodes[static_cast<size_t>(node)].role;
  const Framed* group = group_of(outline, node);
  bool leaves = false, changes = false, enters = false, any = false;
  for (const Edge& e : outline.edges) {
    if (e.from != node || e.residual) continue;
    if (!any) words.shape = shape_words(graph.value(e.value), o);
    any = true;
    leaves = leaves || (group && group_of(outline, e.to) != group);
    for (const GroupInfo& info : graph.groups())
      enters = enters || std::find(info.inputs.begin(), info.inputs.end(), e.value) != info.inputs.end();
    changes = changes || outline.nodes[static_cast<size_t>(e.to)].role != role;
  }
  if (!any || outline.nodes[static_cast<size_t>(node)].kind == Node::Kind::words) return {};
  words.above = words.shape;
  if (leaves) {
    words.below = "Output of " + group->title.substr(0, group->title.find(','));
    return words;
  }
  words.role = role;
  if ((!changes && !enters) || role == Role::plain) return words;
  const std::string name = symbol(role);
  if (name.size() == 1)
    words.above = name + (words.shape.empty() ? "" : " ") + words.shape;
  else
    words.below = name;
  return words;
}

// What the first row leaves free at its right, down to where the way to the next row runs.
Rect corner_of(const Page& page, const Scene& scene) {
  if (page.rows() < 2) return {};
  const double left = page.exit_x(0) + 48, top = k_margin - 4;
  const Rect corner = {left, top, scene.width - left, page.gutter_y(0) - top};
  const auto meets = [&](const auto& placed) { return placed.rect.meets(corner); };
  const bool taken = std::any_of(scene.frames.begin(), scene.frames.end(), meets) ||
                     std::any_of(scene.boxes.begin(), scene.boxes.end(), meets);
  return taken ? Rect{} : corner;
}

Scene laid_out(const Graph& graph, const SceneOptions& options, const Outline& outline,
               const Spacing& spacing) {
  const std::vector<Word> words = sentence(options, spacing);
  Layout layout;
  layout.outline = &outline;
  layout.spacing = spacing;
  layout.word_heights = word_heights(words, spacing);
  for (size_t i = 0; i < outline.nodes.size(); ++i)
    layout.words.push_back(words_of(graph, outline, static_cast<int>(i), options));
  place_layers(layout, sizes_of(outline, words, options.parameters, spacing));
  even_columns(layout);
  place_rows(layout, options.width);

  Scene scene;
  scene.title = options.title.empty() ? "Network" : clean(options.title);
  const Page page(layout);
  scene.height = page.bottom();
  add_shapes(page, scene);
  add_connectors(page, scene);
  find_forks(scene);
  add_captions(page, scene);
  for (SceneConnector& c : scene.connectors) c.value = graph.value(std::stoi(c.value)).name;
  write_labels(scene, layout, options.parameters);
  write_words(scene, layout, words);
  for (const SceneBox& box : scene.boxes) scene.width = std::max(scene.width, box.rect.right());
  for (const SceneFrame& frame : scene.frames)
    scene.width = std::max(scene.width, frame.rect.right() + (frame.repeats > 1 ? 8 : 0));
  for (const SceneConnector& c : scene.connectors)
    for (const Point& p : c.points) scene.width = std::max(scene.width, p.x);
  if (options.legend) add_legend(scene, graph, outline, options, spacing, corner_of(page, scene));
  scene.width = std::ceil(scene.width + k_margin);
  scene.height = std::ceil(scene.height + k_margin);
  say(scene, outline, layout, options);
  return scene;
}

// ---- an A4 sheet ---------------------------------------------------------------------------------

// Inside margins of 10 mm, in points.
constexpr double k_sheet_long = 785, k_sheet_short = 538, k_least_print = 7;

// What a unit is on the sheet, in points, turned as the figure prints larger.
double print_scale(const Scene& scene) {
  return std::max(std::min(k_sheet_long / scene.width, k_sheet_short / scene.height),
                  std::min(k_sheet_short / scene.width, k_sheet_long / scene.height));
}

// How wide rows may be, as a share of what the sheet takes in landscape and in portrait: a row may be 8%
// wider than asked, so the smaller shares are the safer ones.
struct Width {
  double sheet, share;
};
constexpr Width k_widths[] = {{k_sheet_long, 0.92},
                              {k_sheet_long, 1},
                              {k_sheet_short, 0.98},
                              {k_sheet_short, 0.95},
                              {k_sheet_short, 0.92}};

// The first that prints with no text too small, else what prints largest.  Liked best is landscape, roomy,
// with sizes on the edges; letters, whose sizes the legend tells, are the last resort.
Scene for_a_sheet(const Graph& graph, SceneOptions options, const Outline& outline) {
  Scene best;
  double largest = 0;
  for (bool letters : {options.letters, true})
    for (const Spacing& spacing : {k_roomy, k_dense})
      for (const Width& width : k_widths) {
        options.letters = letters;
        options.width = std::floor(width.share * width.sheet * spacing.small / k_least_print);
        Scene scene = laid_out(graph, options, outline, spacing);
        const double text = spacing.small * print_scale(scene);
        if (text >= k_least_print) return scene;
        if (text > largest) largest = text, best = std::move(scene);
      }
  return best;
}

}  // namespace

Scene network_scene(const Graph& graph, const SceneOptions& asked) {
  if (graph.stages().empty()) fail_call("network_scene: the graph has no stages; nothing can be drawn");
  SceneOptions options = asked;
  options.token_word = elided(clean(asked.token_word), k_small_size, k_word_text);
  const Outline outline = outline_of(graph, options.open, options.edited);
  return options.width > 0 ? laid_out(graph, options, outline, k_roomy)
                           : for_a_sheet(graph, options, outline);
}

SceneOptions draw::of_run(const Trace& trace, SceneOptions options) {
  if (!trace.words_of_pieces) {  // else the network read other places than those that the trace shows
    // An encoder-decoder's words are those that it reads; T and S count two texts.
    const bool two_texts = !trace.source.empty() || !trace.keys.empty();
    const bool reads = trace.graph && has_encoder(*trace.graph);
    options.tokens = reads ? trace.source : trace.tokens;
    options.token_word = trace.token_word;
    const auto count = static_cast<int64_t>(trace.tokens.size());
    if (!two_texts) options.sizes.try_emplace(Axis::T, count);
    if (!two_texts) options.sizes.try_emplace(Axis::S, count);
  }
  const Edits edits(trace);
  if (!edits.empty() && trace.graph)
    for (size_t i = 0; i < trace.graph->values().size(); ++i)
      if (std::string words = edits.of(static_cast<int>(i)); !words.empty())
        options.edited[trace.graph->value(static_cast<int>(i)).name] = std::move(words);
  return options;
}

Scene network_scene(const Trace& trace, SceneOptions options) {
  if (!trace.graph) fail_call("network_scene: the trace holds no graph");
  if (options.title.empty()) options.title = trace.title;
  Scene scene = network_scene(*trace.graph, of_run(trace, options));
  add_edits(scene, Edits(trace), options.legend);
  return scene;
}

}  // namespace limpid

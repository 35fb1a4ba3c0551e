// The figure's structure in the DOT language of Graphviz: boxes, edges with what flows, frames as clusters,
// grids as boxes of their own.  Graphviz lays it out; positions are not said.
#include "core/number_text.h"
#include "draw/formats/outline_text.h"
#include "draw/scene/palette.h"
#include "draw/scene/text.h"

namespace limpid {

using namespace draw;

namespace {

// Between quotes a backslash escapes, and a label reads HTML's entities.
std::string literal(std::string_view text) {
  std::string out = "\"";
  for (char c : clean(text)) {
    if (c == '"' || c == '\\')
      out += join("\\", c);
    else if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out + "\"";
}

class Painter {
 public:
  Painter(const Scene& scene, Theme theme) : scene_(scene), outline_(outlined(scene)), theme_(theme) {}

  std::string paint() {
    out_ = join("digraph ", literal(scene_.title.empty() ? "Figure" : scene_.title), " {\n");
    out_ += "  rankdir=LR; compound=true; fontname=\"DejaVu Sans,Verdana,Arial,sans-serif\"; fontsize=13;\n";
    out_ += join("  bgcolor=", hex("page"), "; fontcolor=", hex("soft"),
                 "; tooltip=", literal(scene_.description), ";\n");
    out_ += join("  node [shape=box, style=\"rounded,filled\", fillcolor=", hex("box"),
                 ", fontcolor=", hex("ink"),
                 ", fontname=\"DejaVu Sans,Verdana,Arial,sans-serif\", fontsize=14];\n");
    out_ += join("  edge [fontcolor=", hex("soft"),
                 ", fontname=\"DejaVu Sans,Verdana,Arial,sans-serif\", fontsize=12, arrowsize=0.7];\n");
    inside(-1, 1);
    for (const OutlineEdge& edge : outline_.edges) {
      out_ +=
          join("  n", edge.from, " -> n", edge.to, " [color=\"", colour(paint_of(edge.role), theme_), "\"");
      if (!edge.label.empty()) out_ += ", label=" + literal(edge.label);
      if (!edge.hint.empty()) out_ += ", tooltip=" + literal(edge.hint);
      if (edge.dashed) out_ += ", style=dashed, constraint=false";
      if (edge.severed) out_ += ", style=dotted, dir=none";
      out_ += "];\n";
    }
    return out_ + "}\n";
  }

 private:
  std::string hex(std::string_view name) const { return join("\"", colour(paint_named(name), theme_), "\""); }

  void inside(int frame, int depth) {
    const std::string indent(static_cast<size_t>(2 * depth), ' ');
    for (size_t f = 0; f < scene_.frames.size(); ++f) {
      if (outline_.nesting.frame[f] != frame) continue;
      const SceneFrame& each = scene_.frames[f];
      out_ += join(
          indent, "subgraph cluster_", f, " {\n", indent, "  label=", literal(each.title.text),
          "; labeljust=l; style=\"rounded,filled\"; fillcolor=", hex(each.repeats > 1 ? "block" : "group"),
          "; color=", hex("edge"), "; fontcolor=", hex("soft"), "; tooltip=", literal(each.name), ";\n");
      inside(static_cast<int>(f), depth + 1);
      out_ += indent + "}\n";
    }
    for (size_t i = 0; i < outline_.nodes.size(); ++i)
      if (outline_.nodes[i].frame == frame) node(i, indent);
  }

  void node(size_t i, const std::string& indent) {
    const OutlineNode& node = outline_.nodes[i];
    std::string label;
    for (const std::string& line : node.lines) {
      const std::string text = literal(line);
      label += (label.empty() ? "" : "\\n") + text.substr(1, text.size() - 2);
    }
    out_ +=
        join(indent, "n", i, " [label=\"", label, "\", color=\"", colour(paint_of(node.role), theme_), "\"");
    if (node.bare) out_ += ", style=\"\", shape=plaintext";
    out_ += join(", id=", literal(node.name), ", tooltip=", literal(node.hint), "];\n");
  }

  const Scene& scene_;
  const StructureOutline outline_;
  Theme theme_;
  std::string out_;
};

std::string paint_pages(const std::vector<Slide>& pages, const PaintOptions& options) {
  return Painter(pages.at(0).scene, options.theme == Theme::dark ? Theme::dark : Theme::light).paint();
}

}  // namespace

Format dot_format() {
  return {"dot", "DOT", "structure and labels, for Graphviz", false, paint_pages, "gv", true};
}

}  // namespace limpid

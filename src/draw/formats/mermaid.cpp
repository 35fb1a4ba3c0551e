// The figure's structure as a Mermaid flowchart, for READMEs: boxes, edges with what flows, frames as
// subgraphs, grids as boxes of their own.  Mermaid lays it out; positions are not said.
#include <map>

#include "draw/formats/outline_text.h"
#include "draw/scene/palette.h"
#include "draw/scene/text.h"

namespace limpid {

using namespace draw;

namespace {

// As Mermaid reads text between quotes: its own entity codes, and nothing that Markdown would turn into a
// list.
std::string literal(std::string_view text) {
  std::string out = "\"";
  const std::string line = clean(text);
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool list = i > 0 && (c == '.' || c == ')') && line.find_first_not_of("0123456789") == i;
    const bool bullet = i == 0 && (c == '-' || c == '+');
    if (c == '"')
      out += "#quot;";
    else if (c == '&')
      out += "#amp;";
    else if (c == '<')
      out += "#lt;";
    else if (c == '>')
      out += "#gt;";
    else if (list || bullet || std::string_view("#`\\*_~[]{}|;%$@").find(c) != std::string_view::npos)
      out += join("#", static_cast<int>(static_cast<unsigned char>(c)), ";");
    else
      out += c;
  }
  return out + "\"";
}

class Painter {
 public:
  Painter(const Scene& scene, Theme theme) : scene_(scene), outline_(outlined(scene)), theme_(theme) {}

  std::string paint() {
    out_ = "flowchart LR\n";
    const std::string title = clean(scene_.title);
    if (!title.empty()) out_ += "  accTitle: " + accessible(title) + "\n";
    if (!scene_.description.empty()) out_ += "  accDescr: " + accessible(clean(scene_.description)) + "\n";
    inside(-1, 1);
    std::string styles;
    int number = 0;
    for (const OutlineEdge& edge : outline_.edges) {
      out_ += join("  n", edge.from, edge.severed ? " -.-" : edge.dashed ? " -.->" : " -->");
      if (!edge.label.empty()) out_ += "|" + literal(edge.label) + "|";
      out_ += join(" n", edge.to, "\n");
      if (edge.role != Role::plain)
        styles += join("  linkStyle ", number, " stroke:", colour(paint_of(edge.role), theme_), "\n");
      ++number;
    }
    for (Role role : {Role::plain, Role::query, Role::key, Role::value, Role::weights}) class_of(role);
    return out_ + styles;
  }

 private:
  // Mermaid ends these at the line's end, and reads ; and # and braces of its own in them.
  static std::string accessible(std::string_view text) {
    std::string out;
    for (char c : text) out += c == ';' ? ',' : c == '#' || c == '{' || c == '}' || c == '%' ? ' ' : c;
    return out;
  }

  void inside(int frame, int depth) {
    const std::string indent(static_cast<size_t>(2 * depth), ' ');
    for (size_t f = 0; f < scene_.frames.size(); ++f) {
      if (outline_.nesting.frame[f] != frame) continue;
      const std::string& title = scene_.frames[f].title.text;
      out_ += join(indent, "subgraph f", f, "[", literal(title.empty() ? " " : title), "]\n");
      inside(static_cast<int>(f), depth + 1);
      out_ += indent + "end\n";
    }
    for (size_t i = 0; i < outline_.nodes.size(); ++i) {
      const OutlineNode& node = outline_.nodes[i];
      if (node.frame != frame) continue;
      std::string label;
      for (const std::string& line : node.lines) {
        const std::string text = literal(line);
        label += (label.empty() ? "" : "<br/>") + text.substr(1, text.size() - 2);
      }
      if (label.empty()) label = " ";
      out_ += join(indent, "n", i, node.bare ? "(\"" : "[\"", label, node.bare ? "\")" : "\"]",
                   ":::", name(node.role), node.bare ? "Bare" : "", "\n");
    }
  }

  void class_of(Role role) {
    bool used = false, bare = false;
    for (const OutlineNode& node : outline_.nodes) {
      used = used || (node.role == role && !node.bare);
      bare = bare || (node.role == role && node.bare);
    }
    const std::string looks = join("color:", colour(paint_named("ink"), theme_));
    if (used)
      out_ += join("  classDef ", name(role), " fill:", colour(paint_named("box"), theme_),
                   ",stroke:", colour(paint_of(role), theme_), ",", looks, "\n");
    if (bare) out_ += join("  classDef ", name(role), "Bare fill:none,stroke:none,", looks, "\n");
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

Format mermaid_format() {
  return {"mmd", "Mermaid", "structure and labels, for READMEs", false, paint_pages, "", true};
}

}  // namespace limpid

#include "draw/formats/tex/picture.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "core/number_text.h"
#include "draw/formats/native.h"
#include "draw/formats/tex/tex_text.h"
#include "draw/formats/words.h"
#include "draw/scene/palette.h"

namespace limpid::draw {

namespace {

constexpr double k_point = 0.75;               // of a unit of the scene
constexpr double k_off_middle = 3;             // of a label, from its box's
constexpr int64_t k_most_single_cells = 1200;  // more are drawn in runs of one colour

std::string number(double value) { return number_text(std::round(value * 100) / 100); }
std::string points(double units) { return number(k_point * units) + "pt"; }
std::string upper(std::string hex) {
  for (char& c : hex) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
  return hex;
}
std::string place(const Point& p) { return join("(", number(p.x), ",", number(p.y), ")"); }

class Painter {
 public:
  Painter(const Scene& scene, Theme theme)
      : scene_(scene), theme_(theme == Theme::dark ? Theme::dark : Theme::light) {}

  TikzPicture paint() {
    for (const SceneBox& box : scene_.boxes) box_names_.push_back(node_name(box.name));
    for (const SceneGrid& grid : scene_.grids) grid_names_.push_back(node_name(grid.name));
    const Rect page = {0, 0, scene_.width, scene_.height};
    line(join("\\path[use as bounding box] ", corners(page), ";"), "");
    if (theme_ == Theme::dark) line(join("\\fill[", named("page"), "] ", corners(page), ";"), "");
    for (const SceneFrame& frame : scene_.frames) paint_frame(frame);
    for (const SceneBar& bar : scene_.bars)
      line(join("\\fill[", heat_name(bar.role, bar.shade), "] ", corners(bar.rect), ";"),
           bar.source ? "source " + to_string(*bar.source) : "bar " + bar.name);
    for (size_t i = 0; i < scene_.grids.size(); ++i) paint_grid(i);
    // Edges go from node to node, so nodes come first; nothing of an edge lies on a box.
    for (size_t i = 0; i < scene_.boxes.size(); ++i) paint_box(i);
    for (const SceneLine& each : scene_.lines) paint_line(each);
    for (bool residual : {true, false})
      for (const SceneConnector& c : scene_.connectors)
        if (c.residual == residual) paint_connector(c);
    for (const SceneMark& mark : scene_.marks)
      line(join("\\fill[", named(paint_of(mark.role)), "] ", place(mark.at), " circle [radius=", points(3),
                "];"),
           "");
    for (const SceneText& text : scene_.texts) paint_text(text);
    TikzPicture out;
    out.drawing =
        join("\\begin{tikzpicture}[x=", points(1), ",y=-", points(1), "]\n", body_, "\\end{tikzpicture}\n");
    out.colours.assign(colours_.begin(), colours_.end());
    return out;
  }

 private:
  void line(const std::string& drawing, const std::string& comment) {
    body_ += "  " + drawing + (comment.empty() ? "" : " % " + tex_comment(comment)) + "\n";
  }

  static std::string corners(const Rect& r) {
    return join(place({r.x, r.y}), " rectangle ", place({r.right(), r.bottom()}));
  }

  // ---- names

  // Letters and digits of it; TikZ takes points, commas and brackets for its own.
  std::string node_name(const std::string& name) {
    std::string out;
    for (char c : name) {
      const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      if (plain)
        out += c;
      else if (!out.empty() && out.back() != '-')
        out += '-';
    }
    while (!out.empty() && out.back() == '-') out.pop_back();
    if (out.empty()) out = "node";
    std::string unique = out;
    for (int i = 2; !names_.insert(unique).second; ++i) unique = join(out, "-", i);
    return unique;
  }

  // ---- colours

  std::string defined(const std::string& name, std::string_view hex) {
    colours_[name] = std::string(hex.substr(1));
    return name;
  }
  std::string named(const Paint& paint) {
    return defined(join("limpid-", paint.name), colour(paint, theme_));
  }
  std::string named(std::string_view paint) { return named(paint_named(paint)); }
  std::string heat_name(Role role, double shade) {
    const int level = heat_level(shade);
    return defined(join("limpid-", name(role), "-", level), heat(role, level, theme_));
  }
  std::string tint_name(Role role) {
    return defined(join("limpid-", name(role), "-tint"), tint(role, theme_));
  }
  std::string text_name(const SceneText& text) {
    if (!text.ground) return named(text_paint(text));
    const std::string ink = text_colour(text, theme_);
    return defined(luminance(ink) > 0.5 ? "limpid-light" : "limpid-dark", ink);
  }

  // ---- texts

  static std::string font(double size) {
    return join("font=\\sffamily\\fontsize{", points(size), "}{", points(1.2 * size), "}\\selectfont");
  }

  void paint_text(const SceneText& text) {
    const std::string_view anchor = text.anchor == SceneText::Anchor::start ? "base west"
                                    : text.anchor == SceneText::Anchor::end ? "base east"
                                                                            : "base";
    line(join("\\node[anchor=", anchor, ",inner sep=0,", text.upright ? "rotate=90," : "", font(text.size),
              ",text=", text_name(text), "] at ", place(text.at), " {", tex_text(text), "};"),
         text.sources.empty() ? "kind " + std::string(name(text.kind)) : "source " + source_name(text));
  }

  // ---- shapes

  std::string node(const std::string& name, const Rect& r, const std::string& looks,
                   const std::string& words) {
    return join("\\node[inner sep=0,outer sep=0,minimum width=", points(r.width),
                ",minimum height=", points(r.height), looks, "] (", name, ") at ", place(r.centre()), " {",
                words, "};");
  }

  void paint_frame(const SceneFrame& frame) {
    const bool stack = frame.repeats > 1;
    for (int sheet = stack ? 2 : 0; sheet >= 0; --sheet) {
      Rect r = frame.rect;
      r.x += 4 * sheet;
      r.y += 4 * sheet;
      line(join("\\filldraw[fill=", named(stack ? "block" : "group"), ",draw=", named("edge"),
                ",rounded corners=", points(12), "] ", corners(r), ";"),
           "frame " + frame.name);
    }
    paint_text(frame.title);
  }

  void paint_box(size_t i) {
    const SceneBox& box = scene_.boxes[i];
    const BoxLabel label = label_of(box);
    std::string looks, words;
    if (box.look != SceneBox::Look::bare) looks += ",rounded corners=" + points(7);
    if (box.look == SceneBox::Look::stage)
      looks += join(",draw=", named(paint_of(box.role)), ",line width=", points(box.lit ? 2.6 : 1.6),
                    ",fill=", box.lit ? tint_name(box.role) : named("box"));
    if (box.look == SceneBox::Look::stage && !box.edit.empty()) looks += ",dashed";
    if (box.look == SceneBox::Look::filled) looks += ",fill=" + tint_name(box.role);
    // A node writes its text in its middle; what stands above something else is written where it stands.
    const bool apart = std::abs(label.lower) > k_off_middle;
    if (!label.lines.empty() && !apart) {
      looks += join(",align=center,", font(label.lines[0]->size), ",text=", text_name(*label.lines[0]));
      for (const SceneText* each : label.lines) words += (words.empty() ? "" : "\\\\") + tex_text(*each);
    }
    line(node(box_names_[i], box.rect, looks, words),
         words.empty() ? "box " + box.name : "kind " + std::string(name(label.lines[0]->kind)));
    if (apart)
      for (const SceneText* text : label.lines) paint_text(*text);
    for (const SceneText* text : beside_label(box, label)) paint_text(*text);
  }

  void paint_grid(size_t i) {
    const SceneGrid& grid = scene_.grids[i];
    const std::string whole = source_name(grid);
    line(node(grid_names_[i], grid.rect, ",fill=" + named("hole"), ""),
         whole.empty() ? grid.name : "grid " + whole);
    const bool single = grid.rows * grid.columns <= k_most_single_cells;
    const bool apart = cells_apart(grid);
    const auto colour_of = [&](int64_t row, int64_t column) -> std::string {
      if (const auto over = pictured(grid, row, column))
        return defined("limpid-picture-" + over->substr(1), *over);
      const auto shade = grid.shade(row, column);
      return shade ? heat_name(grid.role, *shade) : "";
    };
    for (int64_t row = 0; row < grid.rows; ++row)
      for (int64_t column = 0; column < grid.columns;) {
        const std::string own = colour_of(row, column);
        int64_t end = column + 1;
        while (!own.empty() && !single && end < grid.columns && colour_of(row, end) == own) ++end;
        if (!own.empty()) {
          const Rect first = grid.cell(row, column), last = grid.cell(row, end - 1);
          const Rect cells = {first.x, first.y, last.right() - first.x, first.height};
          const std::string rim = apart ? join(",draw=", named("page"), ",line width=", points(1)) : "";
          line(join(apart ? "\\filldraw[fill=" : "\\fill[", own, rim, "] ", corners(cells), ";"),
               single && !whole.empty() ? "cell " + to_string(grid.source_of(row, column)) : "");
        }
        column = end;
      }
    for (const SceneText& text : grid.texts) paint_text(text);
  }

  // ---- edges

  // A place on a node's border: the middle of a side, moved along it.
  static std::string on_border(const std::string& node, const Rect& r, const Point& p, Side side) {
    const Point c = r.centre();
    const char* anchor = side == Side::left    ? "west"
                         : side == Side::right ? "east"
                         : side == Side::top   ? "north"
                                               : "south";
    const bool level = side == Side::left || side == Side::right;
    const double off = level ? c.y - p.y : p.x - c.x;  // TikZ's own y points up
    if (std::abs(off) < 0.01) return join("(", node, ".", anchor, ")");
    return join("([", level ? "yshift=" : "xshift=", points(off), "]", node, ".", anchor, ")");
  }

  void paint_connector(const SceneConnector& c) {
    const auto from = static_cast<size_t>(c.from), to = static_cast<size_t>(c.to);
    const SceneBox &a = scene_.boxes[from], &b = scene_.boxes[to];
    std::string way =
        on_border(box_names_[from], a.rect, c.points.front(), a.ports[static_cast<size_t>(c.from_port)].side);
    for (size_t i = 1; i + 1 < c.points.size(); ++i) way += " -- " + place(c.points[i]);
    way += " -- " +
           on_border(box_names_[to], b.rect, c.points.back(), b.ports[static_cast<size_t>(c.to_port)].side);
    line(join("\\draw[", c.arrow && !c.severed ? "-latex," : "", named(paint_of(c.role)),
              ",line width=", points(c.width), ",rounded corners=", points(5),
              c.severed    ? ",dotted"
              : c.residual ? ",dashed"
                           : "",
              "] ", way, ";"),
         "value " + c.value);
  }

  std::string end_of(const LineEnd& end, const Point& p) const {
    if (end.on == LineEnd::On::nothing) return place(p);
    const auto i = static_cast<size_t>(end.index);
    const bool box = end.on == LineEnd::On::box;
    const Rect& r = box ? scene_.boxes[i].rect : scene_.grids[i].rect;
    const std::pair<double, Side> sides[] = {{std::abs(p.x - r.x), Side::left},
                                             {std::abs(p.x - r.right()), Side::right},
                                             {std::abs(p.y - r.y), Side::top},
                                             {std::abs(p.y - r.bottom()), Side::bottom}};
    const auto nearest = std::min_element(std::begin(sides), std::end(sides),
                                          [](const auto& a, const auto& b) { return a.first < b.first; });
    return on_border(box ? box_names_[i] : grid_names_[i], r, p, nearest->second);
  }

  void paint_line(const SceneLine& each) {
    if (each.points.size() < 2) return;
    std::string way = end_of(each.from, each.points.front());
    for (size_t i = 1; i + 1 < each.points.size(); ++i) way += " -- " + place(each.points[i]);
    way += " -- " + end_of(each.to, each.points.back());
    line(join("\\draw[", each.arrow ? "-latex," : "",
              named(each.faint ? paint_named("faint") : paint_of(each.role)),
              ",line width=", points(each.width), each.dashed ? ",dashed" : "",
              each.opacity < 1 ? ",opacity=" + number(each.opacity) : "", "] ", way, ";"),
         each.source ? "source " + to_string(*each.source) : each.name);
  }

  const Scene& scene_;
  Theme theme_;
  std::vector<std::string> box_names_, grid_names_;
  std::set<std::string> names_;
  std::map<std::string, std::string> colours_;
  std::string body_;
};

}  // namespace

TikzPicture tikz_picture(const Scene& scene, Theme theme) { return Painter(scene, theme).paint(); }

std::string tikz_definitions(const std::vector<TikzPicture>& pictures) {
  std::map<std::string, std::string> all;
  for (const TikzPicture& picture : pictures) all.insert(picture.colours.begin(), picture.colours.end());
  std::string out =
      "% A letter beyond the fonts of pdfTeX: its code there, itself where the engine has Unicode.\n"
      "\\providecommand{\\limpidletter}[2]{\\ifdefined\\Umathcode#2\\else\\texttt{\\scriptsize #1}\\fi}\n";
  for (const auto& [name, hex] : all) out += join("\\definecolor{", name, "}{HTML}{", upper(hex), "}\n");
  return out;
}

std::string tikz_words(const Slide& page) {
  std::string out;
  const auto say = [&](const std::string& words) {
    std::string lines = filled(words, 110, 2);
    for (std::string_view rest = lines; !rest.empty();) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      out += join("% ", rest.substr(0, end), "\n");
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  };
  if (const std::string title = tex_comment(page.title.empty() ? page.scene.title : page.title);
      !title.empty())
    say(title);
  const std::vector<std::string> steps = steps_in_lines(page.scene);
  for (const std::string& step : steps) say(step);
  if (steps.empty() && !page.scene.description.empty()) say(tex_comment(page.scene.description));
  return out;
}

}  // namespace limpid::draw

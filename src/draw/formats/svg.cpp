// The scene as SVG: real text, a title and a description, no scripts, nothing from outside.  It only paints.
#include <cmath>
#include <map>

#include "core/number_text.h"
#include "draw/formats/xml.h"
#include "draw/scene/palette.h"
#include "draw/scene/text.h"
#include "limpid/draw.h"

namespace limpid {

namespace {

using draw::Paint;

std::string number(double value) { return number_text(std::round(value * 100) / 100); }

std::string attribute(std::string_view name, std::string_view value) {
  return value.empty() ? "" : join(" ", name, "=\"", draw::xml_escaped(draw::clean(value)), "\"");
}

std::string sources_of(const std::vector<Source>& sources) {
  std::string list;
  for (const Source& source : sources) list += (list.empty() ? "" : "; ") + to_string(source);
  return attribute("data-source", list);
}

std::string source_of(const std::optional<Source>& source) { return source ? sources_of({*source}) : ""; }

class Painter {
 public:
  Painter(const Scene& scene, Theme theme) : scene_(scene), theme_(theme) {}

  std::string paint() {
    for (const SceneFrame& frame : scene_.frames) paint_frame(frame);
    for (const SceneBar& bar : scene_.bars) paint_bar(bar);
    for (const SceneGrid& grid : scene_.grids) paint_grid(grid);
    for (const SceneLine& line : scene_.lines) paint_line(line);
    // Residual paths lie below the streams that they branch from.
    for (bool residual : {true, false})
      for (const SceneConnector& c : scene_.connectors)
        if (c.residual == residual) paint_connector(c);
    for (const SceneMark& mark : scene_.marks)
      out_ += join("<circle cx=\"", number(mark.at.x), "\" cy=\"", number(mark.at.y), "\" r=\"3\"",
                   fill(draw::paint_of(mark.role)), "/>\n");
    for (const SceneBox& box : scene_.boxes) paint_box(box);
    for (const SceneText& text : scene_.texts) paint_text(text);
    return head() + out_ + "</svg>\n";
  }

 private:
  // ---- colours: an attribute for whoever reads no style sheets, and a class where the theme is the reader's

  std::string painted(std::string_view property, std::string_view light, std::string_view dark,
                      const std::string& class_name) {
    if (theme_ == Theme::automatic) classes_[class_name] = join(property, ":", dark);
    return join(theme_ == Theme::automatic ? join(" class=\"", class_name, "\"") : "", " ", property, "=\"",
                theme_ == Theme::dark ? dark : light, "\"");
  }
  std::string fill(const Paint& p) { return painted("fill", p.light, p.dark, "f-" + std::string(p.name)); }
  std::string stroke(const Paint& p) {
    return painted("stroke", p.light, p.dark, "s-" + std::string(p.name));
  }
  std::string fill(std::string_view p) { return fill(draw::paint_named(p)); }

  // A shape has one class attribute, so its border's colour is a class of the two together.
  std::string bordered(const Paint& inside, const Paint& border) {
    if (theme_ != Theme::automatic)
      return join(" fill=\"", colour(inside, theme_), "\" stroke=\"", colour(border, theme_), "\"");
    const std::string both = join("b-", inside.name, "-", border.name);
    classes_[both] = join("fill:", inside.dark, ";stroke:", border.dark);
    return join(" class=\"", both, "\" fill=\"", inside.light, "\" stroke=\"", border.light, "\"");
  }

  std::string heat(Role role, double shade) {
    const int level = draw::heat_level(shade);
    return painted("fill", draw::heat(role, level, Theme::light), draw::heat(role, level, Theme::dark),
                   join("h-", name(role), level));
  }

  std::string text_fill(const SceneText& text) {
    if (!text.ground) return fill(draw::text_paint(text));
    return painted("fill", draw::heat_ink(text.role, *text.ground, Theme::light),
                   draw::heat_ink(text.role, *text.ground, Theme::dark),
                   join("t-", name(text.role), draw::heat_level(*text.ground)));
  }

  // ---- the document

  std::string head() {
    const std::string w = number(scene_.width), h = number(scene_.height), page = fill("page");
    std::string out =
        join("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", w, " ", h, "\" width=\"", w,
             "\" height=\"", h,
             "\" role=\"img\" aria-labelledby=\"title desc\" "
             "font-family=\"'DejaVu Sans', Verdana, 'Noto Sans', Arial, sans-serif\">\n",
             "<title id=\"title\">", draw::xml_escaped(draw::clean(scene_.title)),
             "</title>\n<desc id=\"desc\">", draw::xml_escaped(draw::clean(scene_.description)), "</desc>\n");
    if (theme_ == Theme::automatic) {
      out += "<style>@media (prefers-color-scheme: dark) {";
      for (const auto& [name, dark] : classes_) out += join(" .", name, "{", dark, "}");
      out += " }</style>\n";
    }
    return out + join("<rect width=\"", w, "\" height=\"", h, "\"", page, "/>\n");
  }

  void rectangle(const Rect& r, double radius, const std::string& looks) {
    out_ += join("<rect x=\"", number(r.x), "\" y=\"", number(r.y), "\" width=\"", number(r.width),
                 "\" height=\"", number(r.height), "\"",
                 radius > 0 ? join(" rx=\"", number(radius), "\"") : "", looks, "/>\n");
  }

  // Repeated blocks look like a stack of sheets.
  void paint_frame(const SceneFrame& frame) {
    out_ += join("<g", attribute("data-name", frame.name), ">\n");
    const bool outer = frame.repeats > 1;
    for (int sheet = outer ? 2 : 0; sheet >= 0; --sheet) {
      Rect r = frame.rect;
      r.x += 4 * sheet;
      r.y += 4 * sheet;
      rectangle(r, 12, bordered(draw::paint_named(outer ? "block" : "group"), draw::paint_named("edge")));
    }
    paint_text(frame.title);
    out_ += "</g>\n";
  }

  void paint_box(const SceneBox& box) {
    out_ += join("<g", attribute("data-name", box.name), ">\n");
    std::string hint = box.caption;
    if (!box.equation.empty()) hint += (hint.empty() ? "" : "  ") + box.equation;
    if (!hint.empty()) out_ += join("<title>", draw::xml_escaped(draw::clean(hint)), "</title>\n");
    const std::string tint =
        painted("fill", draw::tint(box.role, Theme::light), draw::tint(box.role, Theme::dark),
                "tint-" + std::string(name(box.role)));
    const std::string dashes = box.edit.empty() ? "" : " stroke-dasharray=\"4 3\"";
    if (box.look == SceneBox::Look::stage && box.lit) {
      rectangle(box.rect, 7, tint);
      rectangle(box.rect, 7,
                " fill=\"none\"" + stroke(draw::paint_of(box.role)) + " stroke-width=\"2.6\"" + dashes);
    } else if (box.look == SceneBox::Look::stage)
      rectangle(
          box.rect, 7,
          bordered(draw::paint_named("box"), draw::paint_of(box.role)) + " stroke-width=\"1.6\"" + dashes);
    if (box.look == SceneBox::Look::filled) rectangle(box.rect, 7, tint);
    for (const SceneText& text : box.texts) paint_text(text);
    out_ += "</g>\n";
  }

  void paint_text(const SceneText& text) {
    const std::string_view anchor = text.anchor == SceneText::Anchor::start ? ""
                                    : text.anchor == SceneText::Anchor::end ? " text-anchor=\"end\""
                                                                            : " text-anchor=\"middle\"";
    const std::string turn =
        text.upright ? join(" transform=\"rotate(-90 ", number(text.at.x), " ", number(text.at.y), ")\"")
                     : "";
    out_ += join("<text x=\"", number(text.at.x), "\" y=\"", number(text.at.y), "\" font-size=\"",
                 number(text.size), "\"", anchor, turn, text_fill(text), " data-kind=\"", name(text.kind),
                 "\"", sources_of(text.sources), text.runs.empty() ? "" : " xml:space=\"preserve\"", ">",
                 text.runs.empty() ? draw::xml_escaped(draw::clean(text.text)) : runs_of(text), "</text>\n");
  }

  // A raised or lowered run moves the baseline, and the next one moves it back.
  static std::string runs_of(const SceneText& text) {
    std::string out;
    double baseline = 0;
    for (const SceneRun& run : text.runs) {
      const bool small = run.level != SceneRun::Level::line;
      const double to = run.level == SceneRun::Level::sub     ? k_sub_drop * text.size
                        : run.level == SceneRun::Level::super ? -k_super_rise * text.size
                                                              : 0;
      out += join("<tspan", to != baseline ? join(" dy=\"", number(to - baseline), "\"") : "",
                  small ? join(" font-size=\"", number(k_script_size * text.size), "\"") : "",
                  run.italic ? " font-style=\"italic\"" : "", ">",
                  draw::xml_escaped(draw::clean_piece(run.text)), "</tspan>");
      baseline = to;
    }
    return out;
  }

  // ---- numbers as pictures

  void paint_bar(const SceneBar& bar) {
    rectangle(bar.rect, 0,
              heat(bar.role, bar.shade) + attribute("data-name", bar.name) + source_of(bar.source));
  }

  // Cells of one colour are one path: a grid of thousands stays a file of kilobytes.
  void paint_grid(const SceneGrid& grid) {
    out_ += join("<g", attribute("data-name", grid.name),
                 grid.source.stage.empty() ? "" : attribute("data-grid", to_string(grid.source)), ">\n");
    rectangle(grid.rect, 0, fill("hole"));
    // A level of the scale, or over a picture a colour.
    using Look = std::pair<int, std::string>;
    const auto look = [&](int64_t row, int64_t column) -> std::optional<Look> {
      if (auto over = draw::pictured(grid, row, column)) return Look{0, std::move(*over)};
      const auto shade = grid.shade(row, column);
      return shade ? std::optional<Look>({draw::heat_level(*shade), ""}) : std::nullopt;
    };
    std::map<Look, std::string> paths;
    for (int64_t row = 0; row < grid.rows; ++row)
      for (int64_t column = 0; column < grid.columns;) {
        const auto own = look(row, column);
        int64_t end = column + 1;
        if (own) {
          while (end < grid.columns && look(row, end) == own) ++end;
          const Rect from = grid.cell(row, column), to = grid.cell(row, end - 1);
          paths[*own] += join("M", number(from.x), " ", number(from.y), "H", number(to.right()), "V",
                              number(from.bottom()), "H", number(from.x), "z");
        }
        column = end;
      }
    for (const auto& [own, path] : paths)
      out_ += join("<path d=\"", path, "\"",
                   own.second.empty() ? heat(grid.role, static_cast<double>(own.first) / draw::k_heat_levels)
                                      : join(" fill=\"", own.second, "\""),
                   "/>\n");
    // Cells that are large enough to be looked at one by one stand apart.
    if (draw::cells_apart(grid)) paint_cell_borders(grid);
    for (const SceneText& text : grid.texts) paint_text(text);
    out_ += "</g>\n";
  }

  void paint_cell_borders(const SceneGrid& grid) {
    std::string path;
    for (int64_t row = 1; row < grid.rows; ++row)
      path +=
          join("M", number(grid.rect.x), " ", number(grid.cell(row, 0).y), "H", number(grid.rect.right()));
    for (int64_t column = 1; column < grid.columns; ++column)
      path += join("M", number(grid.cell(0, column).x), " ", number(grid.rect.y), "V",
                   number(grid.rect.bottom()));
    if (!path.empty()) out_ += join("<path d=\"", path, "\"", stroke(draw::paint_named("page")), "/>\n");
  }

  void paint_line(const SceneLine& line) {
    std::vector<Point> p = line.points;
    if (p.size() < 2) return;
    const Paint& paint = line.faint ? draw::paint_named("faint") : draw::paint_of(line.role);
    const Point end = p.back(), before = p[p.size() - 2];
    const double length = std::hypot(end.x - before.x, end.y - before.y), head = 6 + 1.2 * line.width;
    const Point d = length > 0 ? Point{(end.x - before.x) / length, (end.y - before.y) / length} : Point{};
    if (line.arrow) p.back() = {end.x - head * d.x, end.y - head * d.y};
    std::string way;
    for (const Point& point : p) way += join(way.empty() ? "M" : "L", number(point.x), " ", number(point.y));
    const std::string opacity = line.opacity < 1 ? join(" opacity=\"", number(line.opacity), "\"") : "";
    out_ += join("<path d=\"", way, "\"", stroke(paint), " fill=\"none\" stroke-width=\"", number(line.width),
                 "\"", line.dashed ? " stroke-dasharray=\"5 4\"" : "", opacity,
                 attribute("data-name", line.name), source_of(line.source), "/>\n");
    if (!line.arrow) return;
    const double half = head / 2, x = end.x - head * d.x, y = end.y - head * d.y;
    out_ += join("<path d=\"M", number(end.x), " ", number(end.y), "L", number(x - half * d.y), " ",
                 number(y + half * d.x), "L", number(x + half * d.y), " ", number(y - half * d.x), "z\"",
                 fill(paint), opacity, "/>\n");
  }

  // ---- connectors

  void paint_connector(const SceneConnector& c) {
    const std::vector<Point>& p = c.points;
    const Point end = p.back(), before = p[p.size() - 2];
    const double dx = (end.x > before.x) - (end.x < before.x), dy = (end.y > before.y) - (end.y < before.y);
    const double head = c.arrow ? 5 * c.width : 0, half = head / 2;
    const Point neck = {end.x - head * dx, end.y - head * dy};
    const auto fork = static_cast<size_t>(c.fork);
    std::string way = join("M", number(p[fork].x), " ", number(p[fork].y));
    for (size_t i = fork + 1; i + 1 < p.size(); ++i)
      way +=
          marked(p[i]) ? join("L", number(p[i].x), " ", number(p[i].y)) : rounded(p[i - 1], p[i], p[i + 1]);
    way += join("L", number(neck.x), " ", number(neck.y));
    out_ += join("<path", attribute("data-value", c.value), " d=\"", way, "\"",
                 stroke(draw::paint_of(c.role)), " fill=\"none\" stroke-width=\"", number(c.width), "\"",
                 c.severed    ? " stroke-dasharray=\"1.6 4\""
                 : c.residual ? " stroke-dasharray=\"5 4\""
                              : "",
                 "/>\n");
    if (!c.arrow || c.severed) return;
    out_ += join("<path d=\"M", number(end.x), " ", number(end.y), "L", number(neck.x - half * dy), " ",
                 number(neck.y - half * dx), "L", number(neck.x + half * dy), " ", number(neck.y + half * dx),
                 "z\"", fill(draw::paint_of(c.role)), "/>\n");
  }

  // Corners where ways part stay sharp.
  bool marked(const Point& p) const {
    for (const SceneMark& mark : scene_.marks)
      if (mark.at == p) return true;
    return false;
  }

  // A corner with a small round.
  static std::string rounded(const Point& a, const Point& corner, const Point& b) {
    const auto toward = [&](const Point& p) {
      const double length = std::abs(p.x - corner.x) + std::abs(p.y - corner.y),
                   step = std::min(6.0, length / 2);
      return length == 0 ? corner
                         : Point{corner.x + (p.x - corner.x) / length * step,
                                 corner.y + (p.y - corner.y) / length * step};
    };
    const Point in = toward(a), out = toward(b);
    return join("L", number(in.x), " ", number(in.y), "Q", number(corner.x), " ", number(corner.y), " ",
                number(out.x), " ", number(out.y));
  }

  const Scene& scene_;
  Theme theme_;
  std::map<std::string, std::string> classes_;  // what each is on a dark page
  std::string out_;
};

std::string paint_pages(const std::vector<Slide>& pages, const PaintOptions& options) {
  return Painter(pages.at(0).scene, options.theme).paint();
}

}  // namespace

std::string to_svg(const Scene& scene, const PaintOptions& options) {
  return Painter(scene, options.theme).paint();
}

Format svg_format() {
  return {"svg", "SVG", "a vector figure for pages, papers and editors", false, paint_pages};
}

}  // namespace limpid

// The scene as a .drawio file (mxGraph's XML): native shapes, connectors glued to them where they meet,
// frames as containers that fold, grids as groups of cells.  draw.io and Lucidchart open it.
//
// A number's cell carries its source as an attribute (source="..."), every other text its kind.  It only
// paints.
#include <algorithm>
#include <cmath>

#include "core/number_text.h"
#include "draw/formats/native.h"
#include "draw/formats/package.h"
#include "draw/formats/xml.h"
#include "draw/scene/text.h"
#include "files/deflate.h"

namespace limpid {

using namespace draw;

namespace {

constexpr std::string_view k_fonts = "DejaVu Sans,Verdana,Noto Sans,Arial,sans-serif";
constexpr double k_title_height = 30;  // of a frame that is folded, and of what holds its title

std::string number(double value) { return number_text(std::round(value * 100) / 100); }

class Painter {
 public:
  Painter(const Scene& scene, Theme theme) : scene_(scene), theme_(theme), nesting_(nesting_of(scene)) {}

  std::string paint() {
    xml_.open("mxGraphModel").set("dx", 0).set("dy", 0).set("grid", 0).set("gridSize", 10).set("guides", 1);
    xml_.set("tooltips", 1)
        .set("connect", 1)
        .set("arrows", 1)
        .set("fold", 1)
        .set("page", 1)
        .set("pageScale", 1);
    xml_.set("pageWidth", scene_.width).set("pageHeight", scene_.height);
    xml_.set("background", colour(paint_named("page"), theme_)).set("math", 0).set("shadow", 0).open("root");
    xml_.open("mxCell").set("id", "0").close();
    xml_.open("mxCell").set("id", "1").set("parent", "0").close();
    for (size_t f = 0; f < scene_.frames.size(); ++f) paint_frame(f);
    for (const SceneBar& bar : scene_.bars) paint_bar(bar);
    const std::vector<bool> pictured = pictured_grids(scene_);
    for (size_t i = 0; i < scene_.grids.size(); ++i) paint_grid(i, pictured[i]);
    for (const SceneLine& line : scene_.lines) paint_line(line);
    for (bool residual : {true, false})
      for (size_t i = 0; i < scene_.connectors.size(); ++i)
        if (scene_.connectors[i].residual == residual) paint_connector(i);
    for (const SceneMark& mark : scene_.marks) paint_mark(mark);
    for (size_t i = 0; i < scene_.boxes.size(); ++i) paint_box(i);
    for (const SceneText& text : scene_.texts) paint_text(text, "1", {});
    return xml_.take();
  }

 private:
  // ---- pieces of a cell

  static std::string box_id(size_t i) { return join("box-", i + 1); }
  static std::string frame_id(int f) { return f < 0 ? "1" : join("frame-", f + 1); }
  std::string next_id(std::string_view kind) { return join(kind, "-", ++last_id_); }
  Point origin(int f) const {
    return f < 0 ? Point{}
                 : Point{scene_.frames[static_cast<size_t>(f)].rect.x,
                         scene_.frames[static_cast<size_t>(f)].rect.y};
  }

  // An object holds the label and whatever else is to be said; the cell in it the looks.
  Xml& open_object(const std::string& id, std::string_view label) {
    xml_.open("object");
    xml_.set_lines("label", label).set("id", id);
    return xml_;
  }

  void vertex(const std::string& style, const std::string& parent, const Rect& r, const Point& origin_of,
              bool connectable = false) {
    xml_.open("mxCell").set("style", style).set("vertex", 1).set("parent", parent);
    if (!connectable) xml_.set("connectable", 0);
    geometry(r, origin_of);
    xml_.close().close();
  }

  void geometry(const Rect& r, const Point& origin_of) {
    xml_.open("mxGeometry").set("x", r.x - origin_of.x).set("y", r.y - origin_of.y);
    xml_.set("width", r.width).set("height", r.height).set("as", "geometry").close();
  }

  std::string words(const SceneText& text) const {
    return join("fontFamily=", k_fonts, ";fontSize=", number(text.size),
                ";fontColor=", text_colour(text, theme_), ";");
  }

  // Typeset, as the HTML that a label may be.
  static std::string runs_of(const SceneText& text) {
    std::string out;
    for (const SceneRun& run : text.runs) {
      const std::string_view script = run.level == SceneRun::Level::sub     ? "sub"
                                      : run.level == SceneRun::Level::super ? "sup"
                                                                            : "";
      std::string piece = xml_escaped(clean_piece(run.text));
      if (run.italic) piece = "<i>" + piece + "</i>";
      out += script.empty() ? piece : join("<", script, ">", piece, "</", script, ">");
    }
    return out;
  }

  void paint_text(const SceneText& text, const std::string& parent, const Point& origin_of) {
    open_object(next_id("text"), text.runs.empty() ? text.text : runs_of(text)).set("kind", name(text.kind));
    if (!text.sources.empty()) xml_.set("source", source_name(text));
    const std::string_view align = text.anchor == SceneText::Anchor::start ? "left"
                                   : text.anchor == SceneText::Anchor::end ? "right"
                                                                           : "center";
    Rect r = line_box(text);
    // draw.io turns a shape about its middle.
    if (text.upright) r = {r.centre().x - r.height / 2, r.centre().y - r.width / 2, r.height, r.width};
    vertex(join("text;html=", text.runs.empty() ? "0" : "1",
                ";strokeColor=none;fillColor=none;spacing=0;verticalAlign=middle;align=", align, ";",
                text.upright ? "rotation=-90;" : "", words(text)),
           parent, r, origin_of);
  }

  // ---- frames

  // A swimlane without a line under its title folds to that title.
  void paint_frame(size_t f) {
    const SceneFrame& frame = scene_.frames[f];
    const int outer = nesting_.frame[f];
    const bool stack = frame.repeats > 1;
    const std::string fill(colour(paint_named(stack ? "block" : "group"), theme_)),
        rim(colour(paint_named("edge"), theme_));
    for (int sheet = stack ? 2 : 0; sheet > 0; --sheet) {
      open_object(next_id("sheet"), "");
      Rect r = frame.rect;
      r.x += 4 * sheet;
      r.y += 4 * sheet;
      vertex(join("rounded=1;absoluteArcSize=1;arcSize=24;fillColor=", fill, ";strokeColor=", rim, ";"),
             frame_id(outer), r, origin(outer));
    }
    open_object(frame_id(static_cast<int>(f)), frame.title.text)
        .set("frame", frame.name)
        .set("kind", name(frame.title.kind));
    const double lower = line_box(frame.title).centre().y - frame.rect.y - k_title_height / 2;
    xml_.open("mxCell")
        .set("style",
             join("swimlane;html=0;rounded=1;absoluteArcSize=1;arcSize=24;swimlaneLine=0;collapsible=1;"
                  "container=1;recursiveResize=0;startSize=",
                  number(k_title_height), ";fillColor=", fill, ";swimlaneFillColor=", fill,
                  ";strokeColor=", rim, ";align=left;verticalAlign=middle;fontStyle=0;spacing=0;spacingLeft=",
                  number(frame.title.bounds().x - frame.rect.x), ";spacingTop=", number(2 * lower), ";",
                  words(frame.title)))
        .set("vertex", 1)
        .set("parent", frame_id(outer))
        .set("connectable", 0);
    xml_.open("mxGeometry").set("x", frame.rect.x - origin(outer).x).set("y", frame.rect.y - origin(outer).y);
    xml_.set("width", frame.rect.width).set("height", frame.rect.height).set("as", "geometry");
    const double folded = frame.title.bounds().right() - frame.rect.x + 14;
    xml_.open("mxRectangle")
        .set("x", frame.rect.x - origin(outer).x)
        .set("y", frame.rect.y - origin(outer).y);
    xml_.set("width", folded).set("height", k_title_height).set("as", "alternateBounds").close();
    xml_.close().close().close();
  }

  // ---- boxes and connectors

  void paint_box(size_t i) {
    const SceneBox& box = scene_.boxes[i];
    const BoxLabel label = label_of(box);
    std::string lines, looks;
    for (const SceneText* line : label.lines) lines += (lines.empty() ? "" : "\n") + line->text;
    open_object(box_id(i), lines).set("name", box.name);
    if (!label.lines.empty()) xml_.set("kind", name(label.lines[0]->kind));
    if (!box.equation.empty()) xml_.set("equation", box.equation);
    std::string hint = box.caption;
    if (!box.equation.empty()) hint += (hint.empty() ? "" : "  ") + box.equation;
    if (!hint.empty()) xml_.set("tooltip", hint);
    if (box.look == SceneBox::Look::stage)
      looks = join(
          "rounded=1;absoluteArcSize=1;arcSize=14;strokeWidth=", box.lit ? "2.6" : "1.6",
          ";fillColor=", box.lit ? tint(box.role, theme_) : std::string(colour(paint_named("box"), theme_)),
          ";strokeColor=", colour(paint_of(box.role), theme_), ";",
          box.edit.empty() ? "" : "dashed=1;dashPattern=3 2;");
    else if (box.look == SceneBox::Look::filled)
      looks = join(
          "rounded=1;absoluteArcSize=1;arcSize=14;strokeColor=none;fillColor=", tint(box.role, theme_), ";");
    else
      looks = "rounded=0;strokeColor=none;fillColor=none;";
    looks += "html=0;spacing=0;align=center;verticalAlign=middle;";
    if (!label.lines.empty()) {
      if (std::abs(label.lower) > 0.5)
        looks +=
            join(label.lower > 0 ? "spacingTop=" : "spacingBottom=", number(2 * std::abs(label.lower)), ";");
      looks += words(*label.lines[0]);
    }
    const int parent = nesting_.box[i];
    vertex(looks, frame_id(parent), box.rect, origin(parent), true);
    for (const SceneText* text : beside_label(box, label))
      paint_text(*text, box_id(i), {box.rect.x, box.rect.y});
  }

  // Where on a box, as shares of its sides.
  static std::string at(std::string_view which, const Point& p, const Rect& r) {
    return join(which, "X=", number_text(std::round((p.x - r.x) / r.width * 1e4) / 1e4), ";", which,
                "Y=", number_text(std::round((p.y - r.y) / r.height * 1e4) / 1e4), ";", which, "Dx=0;", which,
                "Dy=0;", which, "Perimeter=0;");
  }

  void paint_connector(size_t i) {
    const SceneConnector& c = scene_.connectors[i];
    const auto from = static_cast<size_t>(c.from), to = static_cast<size_t>(c.to);
    const int parent = nesting_.common(c.from, c.to);
    open_object(next_id("edge"), "").set("value", c.value);
    xml_.open("mxCell")
        .set(
            "style",
            join("edgeStyle=orthogonalEdgeStyle;rounded=1;arcSize=12;html=0;jettySize=auto;orthogonalLoop=1;",
                 at("exit", c.points.front(), scene_.boxes[from].rect),
                 at("entry", c.points.back(), scene_.boxes[to].rect), "strokeWidth=", number(c.width),
                 ";endArrow=", c.arrow && !c.severed ? "block;endFill=1;endSize=5" : "none",
                 ";strokeColor=", colour(paint_of(c.role), theme_), ";",
                 c.severed    ? "dashed=1;dashPattern=1 2.5;"
                 : c.residual ? "dashed=1;dashPattern=3 2.5;"
                              : ""))
        .set("edge", 1)
        .set("parent", frame_id(parent))
        .set("source", box_id(from))
        .set("target", box_id(to));
    xml_.open("mxGeometry").set("relative", 1).set("as", "geometry");
    if (c.points.size() > 2) {
      xml_.open("Array").set("as", "points");
      for (size_t k = 1; k + 1 < c.points.size(); ++k)
        xml_.open("mxPoint")
            .set("x", c.points[k].x - origin(parent).x)
            .set("y", c.points[k].y - origin(parent).y)
            .close();
      xml_.close();
    }
    xml_.close().close().close();
  }

  void paint_mark(const SceneMark& mark) {
    open_object(next_id("mark"), "");
    vertex(join("ellipse;strokeColor=none;fillColor=", colour(paint_of(mark.role), theme_), ";"), "1",
           {mark.at.x - 3, mark.at.y - 3, 6, 6}, {});
  }

  // ---- numbers as pictures

  void paint_bar(const SceneBar& bar) {
    open_object(next_id("bar"), "").set("name", bar.name);
    if (bar.source) xml_.set("source", to_string(*bar.source));
    vertex(join("strokeColor=none;fillColor=", heat(bar.role, bar.shade, theme_), ";"), "1", bar.rect, {});
  }

  void paint_grid(size_t i, bool pictured) {
    const SceneGrid& grid = scene_.grids[i];
    const std::string id = join("grid-", i + 1);
    open_object(id, "").set("name", grid.name);
    if (!source_name(grid).empty()) xml_.set("grid", source_name(grid));
    // A style's parts end at a semicolon, so the data URI of a picture leaves its own out.
    const std::string style = pictured ? join("shape=image;imageAspect=0;aspect=fixed;image=data:image/png,",
                                              base64(picture_of(grid, theme_)), ";")
                                       : std::string("group;");
    const bool held = std::any_of(scene_.lines.begin(), scene_.lines.end(), [&](const SceneLine& line) {
      return holds_grid(line.from, i) || holds_grid(line.to, i);
    });
    vertex(style, "1", grid.rect, {}, held);
    const Point corner = {grid.rect.x, grid.rect.y};
    if (!pictured) {
      const bool apart = cells_apart(grid);
      const std::string rim(apart ? colour(paint_named("page"), theme_) : std::string_view("none"));
      for (int64_t row = 0; row < grid.rows; ++row)
        for (int64_t column = 0; column < grid.columns; ++column) {
          open_object(join(id, "-", row, "-", column), "");
          if (!grid.source.stage.empty()) xml_.set("cell", to_string(grid.source_of(row, column)));
          vertex(join("fillColor=", cell_colour(grid, row, column, theme_), ";strokeColor=", rim, ";"), id,
                 grid.cell(row, column), corner);
        }
    }
    for (const SceneText& text : grid.texts)
      paint_text(text, pictured ? "1" : id, pictured ? Point{} : corner);
  }

  static bool holds_grid(const LineEnd& end, size_t grid) {
    return end.on == LineEnd::On::grid && end.index == static_cast<int>(grid);
  }

  static bool joins(const LineEnd& end) { return end.on != LineEnd::On::nothing; }

  const Rect& rect_of(const LineEnd& end) const {
    const auto i = static_cast<size_t>(end.index);
    return end.on == LineEnd::On::box ? scene_.boxes[i].rect : scene_.grids[i].rect;
  }
  static std::string id_of(const LineEnd& end) {
    return end.on == LineEnd::On::box ? box_id(static_cast<size_t>(end.index)) : join("grid-", end.index + 1);
  }

  // Glued where it joins shapes; its other ends are points.
  void paint_line(const SceneLine& line) {
    if (line.points.size() < 2) return;
    open_object(next_id("line"), "").set("name", line.name);
    if (line.source) xml_.set("source", to_string(*line.source));
    const auto percent = static_cast<int64_t>(std::lround(100 * line.opacity));
    xml_.open("mxCell")
        .set("style", join("edgeStyle=none;html=0;strokeWidth=", number(line.width), ";strokeColor=",
                           colour(line.faint ? paint_named("faint") : paint_of(line.role), theme_),
                           ";endArrow=", line.arrow ? "block;endFill=1" : "none", ";",
                           line.dashed ? "dashed=1;dashPattern=3 2.5;" : "",
                           line.opacity < 1 ? join("opacity=", percent, ";") : "",
                           joins(line.from) ? at("exit", line.points.front(), rect_of(line.from)) : "",
                           joins(line.to) ? at("entry", line.points.back(), rect_of(line.to)) : ""))
        .set("edge", 1)
        .set("parent", "1");
    if (joins(line.from)) xml_.set("source", id_of(line.from));
    if (joins(line.to)) xml_.set("target", id_of(line.to));
    xml_.open("mxGeometry").set("relative", 1).set("as", "geometry");
    const auto end = [&](const Point& p, const char* which) {
      xml_.open("mxPoint").set("x", p.x).set("y", p.y).set("as", which).close();
    };
    if (!joins(line.from)) end(line.points.front(), "sourcePoint");
    if (!joins(line.to)) end(line.points.back(), "targetPoint");
    if (line.points.size() > 2) {
      xml_.open("Array").set("as", "points");
      for (size_t k = 1; k + 1 < line.points.size(); ++k)
        xml_.open("mxPoint").set("x", line.points[k].x).set("y", line.points[k].y).close();
      xml_.close();
    }
    xml_.close().close().close();
  }

  const Scene& scene_;
  Theme theme_;
  Nesting nesting_;
  Xml xml_;
  int last_id_ = 0;
};

// As JavaScript's encodeURIComponent, which the compressed form expects inside.
std::string uri_encoded(std::string_view text) {
  constexpr std::string_view k_plain = "-_.!~*'()", k_digits = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter =
        (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
    if (letter || k_plain.find(c) != k_plain.npos) {
      out += c;
    } else {
      out += '%';
      out += k_digits[byte >> 4];
      out += k_digits[byte & 15];
    }
  }
  return out;
}

std::string paint_pages(const std::vector<Slide>& pages, const PaintOptions& options) {
  Xml xml;
  xml.open("mxfile")
      .set("host", "limpid")
      .set("type", "device")
      .set("pages", static_cast<int64_t>(pages.size()));
  if (!options.compressed) xml.set("compressed", "false");
  for (size_t i = 0; i < pages.size(); ++i) {
    const std::string title = pages[i].title.empty() ? pages[i].scene.title : pages[i].title;
    xml.open("diagram").set("id", join("page-", i + 1)).set("name", title.empty() ? "Figure" : title);
    if (!pages[i].scene.description.empty()) xml.set("description", pages[i].scene.description);
    const std::string model =
        Painter(pages[i].scene, options.theme == Theme::dark ? Theme::dark : Theme::light).paint();
    xml.raw(options.compressed ? base64(deflated(uri_encoded(model))) : model).close();
  }
  return xml.take() + "\n";
}

}  // namespace

Format drawio_format() {
  return {"drawio", "draw.io",
          "native shapes, glued connectors and groups that fold; Lucidchart opens it too", true, paint_pages};
}

}  // namespace limpid

// The scene as a slide of native shapes (ECMA-376): boxes that hold their words, connectors glued to them,
// grids as groups of cells; PowerPoint, Google Slides, Keynote and LibreOffice open it.
//
// A number's shape is called by its source, a cell's too; every other text's by its kind.  Colours are the
// theme's, so that a deck can be recoloured in one place.  It only paints: a unit of the scene is 1/96 inch.
#include <algorithm>
#include <cmath>

#include "draw/formats/native.h"
#include "draw/formats/pptx/connector.h"
#include "draw/formats/pptx/parts.h"
#include "draw/formats/pptx/shapes.h"
#include "draw/formats/words.h"
#include "draw/scene/text.h"
#include "draw/scene/transform.h"

namespace limpid {

using namespace draw;

namespace {

constexpr double k_mark = 3;                                  // half a dot
constexpr double k_slide_width = 1280, k_slide_height = 720;  // 13.333 by 7.5 inches
constexpr double k_slide_margin = 16;                         // round a figure that is no page of a deck

class Painter : private PptxShapes {
 public:
  Painter(const Slide& slide, Theme theme) : PptxShapes({}, theme), slide_(slide), scene_(slide.scene) {}

  PptxSlide paint() {
    out_.title = slide_.title.empty() ? scene_.title : slide_.title;
    for (size_t i = 0; i < scene_.boxes.size(); ++i) box_ids_.push_back(++last_id_);
    for (size_t i = 0; i < scene_.marks.size(); ++i) mark_ids_.push_back(++last_id_);
    for (const SceneBox& box : scene_.boxes) sites_.push_back(sites_of(box));
    paint_title();
    paint_page();
    for (const SceneFrame& frame : scene_.frames) paint_frame(frame);
    for (const SceneBar& bar : scene_.bars) paint_bar(bar);
    const std::vector<bool> pictured = pictured_grids(scene_);
    for (size_t i = 0; i < scene_.grids.size(); ++i)
      pictured[i] ? paint_picture(scene_.grids[i]) : paint_grid(scene_.grids[i]);
    for (const SceneLine& line : scene_.lines) paint_line(line, pictured);
    for (bool residual : {true, false})
      for (const SceneConnector& c : scene_.connectors)
        if (c.residual == residual) paint_connector(c);
    for (size_t i = 0; i < scene_.marks.size(); ++i) paint_mark(i);
    for (size_t i = 0; i < scene_.boxes.size(); ++i) paint_box(i);
    for (const SceneText& text : scene_.texts)
      if (std::find(heading_.begin(), heading_.end(), &text) == heading_.end()) paint_text(text);
    out_.shapes = xml_.take();
    out_.notes = notes();
    return std::move(out_);
  }

 private:
  // ---- words

  void paint_text(const SceneText& text) {
    open_shape(source_name(text), {}, 0, true);
    Rect r = line_box(text);
    if (text.upright) r = {r.centre().x - r.height / 2, r.centre().y - r.width / 2, r.height, r.width};
    place(r, text.upright ? 16200000 : 0);
    shape("rect");
    xml_.raw("<a:noFill/>").close();
    open_text("ctr");
    paragraph(text);
    xml_.close().close();
  }

  // ---- the page

  // The heading is the slide's title; where there is none, the title waits above the slide, as "hidden slide
  // title" has it, for outlines and for who listens.
  void paint_title() {
    for (const SceneText& text : scene_.texts)
      if (text.kind == SceneText::Kind::heading && !text.upright) heading_.push_back(&text);
    const std::string_view title = "<p:nvPr><p:ph type=\"title\"/></p:nvPr>";
    xml_.open("p:sp").open("p:nvSpPr");
    head(0, "Title", {});
    xml_.raw("<p:cNvSpPr><a:spLocks noGrp=\"1\"/></p:cNvSpPr>").raw(title).close().open("p:spPr");
    SceneText hidden;
    hidden.text = out_.title.empty() ? "Figure" : out_.title;
    hidden.at = {0, -40};
    hidden.size = 24;
    const SceneText &text = heading_.empty() ? hidden : *heading_.front(),
                    &last = heading_.empty() ? hidden : *heading_.back();
    // Some programs break a title's lines whatever the box asks for: it gets the room up to the other margin.
    Rect r = line_box(text);
    const double left = std::max(0.0, std::min(r.x, scene_.width - r.right()));
    const double right = std::max(r.right(), scene_.width - left);
    if (text.anchor == SceneText::Anchor::start) r.width = right - r.x;
    if (text.anchor == SceneText::Anchor::middle)
      r = {r.centre().x - (right - left) / 2, r.y, right - left, r.height};
    r.height = line_box(last).bottom() - r.y;
    place(r);
    xml_.raw("<a:noFill/>").close();
    open_text("ctr");
    if (heading_.empty()) paragraph(hidden);
    for (const SceneText* line : heading_)
      paragraph(*line, heading_.size() > 1 ? heading_[1]->at.y - heading_[0]->at.y : 0);
    xml_.close().close();
  }

  // Says the whole figure to screen readers; nobody sees it or catches it with the mouse.
  void paint_page() {
    open_shape("Figure", scene_.description);
    place({0, 0, scene_.width, scene_.height});
    shape("rect");
    xml_.raw("<a:noFill/>");
    no_outline();
    xml_.close().close();
  }

  void paint_frame(const SceneFrame& frame) {
    const bool stack = frame.repeats > 1;
    for (int sheet = stack ? 2 : 0; sheet >= 0; --sheet) {
      Rect r = frame.rect;
      r.x += 4 * sheet;
      r.y += 4 * sheet;
      open_shape(frame.name, sheet == 0 ? frame.title.text : "");
      place(r);
      shape("roundRect", 12, std::min(r.width, r.height));
      solid(colour(paint_named(stack ? "block" : "group"), theme_));
      outline(colour(paint_named("edge"), theme_), 1);
      xml_.close().close();
    }
    paint_text(frame.title);
  }

  // ---- boxes and connectors

  // Where connectors may be glued: the middles of the four sides, which every preset shape has, or the box's
  // own ports where they are elsewhere.
  struct Sites {
    std::vector<size_t> index;  // by port
    std::vector<Point> own;     // sites 4, 5, ...
  };
  static Sites sites_of(const SceneBox& box) {
    Sites sites;
    const Point c = box.rect.centre();
    const Point middles[] = {
        {c.x, box.rect.y}, {box.rect.x, c.y}, {c.x, box.rect.bottom()}, {box.rect.right(), c.y}};
    for (const Port& port : box.ports) {
      size_t at = 0;
      while (at < 4 && std::hypot(middles[at].x - port.at.x, middles[at].y - port.at.y) > 0.5) ++at;
      if (at == 4) {
        at += sites.own.size();
        sites.own.push_back(port.at);
      }
      sites.index.push_back(at);
    }
    return sites;
  }

  void paint_box(size_t i) {
    const SceneBox& box = scene_.boxes[i];
    const BoxLabel label = label_of(box);
    std::string description = box.caption;
    if (!box.equation.empty()) description += (description.empty() ? "" : "  ") + box.equation;
    open_shape(box.name, description, box_ids_[i]);
    place(box.rect);
    const bool round = box.look != SceneBox::Look::bare;
    if (sites_[i].own.empty())
      shape(round ? "roundRect" : "rect", round ? 7 : 0, std::min(box.rect.width, box.rect.height));
    else
      xml_.raw(box_geometry(box.rect, round ? 7 : 0, sites_[i].own));
    if (box.look == SceneBox::Look::stage && !box.lit)
      solid(colour(paint_named("box"), theme_));
    else if (box.look != SceneBox::Look::bare)
      solid(tint(box.role, theme_));
    else
      xml_.raw("<a:noFill/>");
    if (box.look == SceneBox::Look::stage)
      outline(colour(paint_of(box.role), theme_), box.lit ? 2.6 : 1.6, !box.edit.empty());
    else
      no_outline();
    xml_.close();
    if (!label.lines.empty()) {
      open_text("ctr", label.lower);
      for (const SceneText* line : label.lines) paragraph(*line, label.lines.size() > 1 ? label.pitch : 0);
      xml_.close();
    }
    xml_.close();
    for (const SceneText* text : beside_label(box, label)) paint_text(*text);
  }

  // What a connector is glued to: a shape, one of its connection sites, and where that is.
  struct Hold {
    int id = 0;
    size_t site = 0;
    Point at;
  };

  Hold hold_of(int box, int port) const {
    const auto b = static_cast<size_t>(box), p = static_cast<size_t>(port);
    return {box_ids_[b], sites_[b].index[p], scene_.boxes[b].ports[p].at};
  }

  // The site of a small shape about `middle` on the side that looks towards `next`.
  static Hold side_of(int id, const Point& middle, double reach, const Point& next) {
    if (next.y < middle.y) return {id, 0, {middle.x, middle.y - reach}};
    if (next.x < middle.x) return {id, 1, {middle.x - reach, middle.y}};
    if (next.y > middle.y) return {id, 2, {middle.x, middle.y + reach}};
    return {id, 3, {middle.x + reach, middle.y}};
  }

  // Where a value goes several ways the branch starts at the dot.
  int mark_at(const Point& p) const {
    for (size_t i = 0; i < scene_.marks.size(); ++i)
      if (scene_.marks[i].at == p) return mark_ids_[i];
    return 0;
  }

  // Straight pieces and elbows; where the way bends more, a point as wide as the line holds two of them
  // together.
  void paint_connector(const SceneConnector& c) {
    std::vector<Point> way = c.points;
    Hold from = hold_of(c.from, c.from_port);
    const Hold to = hold_of(c.to, c.to_port);
    if (const int mark = c.fork > 0 ? mark_at(way[static_cast<size_t>(c.fork)]) : 0; mark > 0) {
      way.erase(way.begin(), way.begin() + c.fork);
      from = side_of(mark, way[0], k_mark, way[1]);
      way[0] = from.at;
    }
    way = corners(way);
    const size_t pieces = way.size() - 1;
    for (size_t i = 0; i < pieces; i += 2) {
      const size_t end = std::min(i + 2, pieces);
      std::vector<Point> piece(way.begin() + static_cast<std::ptrdiff_t>(i),
                               way.begin() + static_cast<std::ptrdiff_t>(end) + 1);
      Hold until = to, next;
      if (end < pieces) {
        const int id = paint_point(way[end], c);
        until = side_of(id, way[end], c.width / 2, way[end - 1]);
        next = side_of(id, way[end], c.width / 2, way[end + 1]);
      }
      piece.front() = from.at;
      piece.back() = until.at;
      paint_piece(c, piece, from, until, end == pieces);
      from = next;
    }
  }

  int paint_point(const Point& at, const SceneConnector& c) {
    const int id = open_shape("bend", way_name(c));
    place({at.x - c.width / 2, at.y - c.width / 2, c.width, c.width});
    shape("rect");
    solid(colour(paint_of(c.role), theme_));
    no_outline();
    xml_.close().close();
    return id;
  }

  std::string way_name(const SceneConnector& c) const {
    return join(scene_.boxes[static_cast<size_t>(c.from)].name, " to ",
                scene_.boxes[static_cast<size_t>(c.to)].name, c.residual ? ", residual path" : "",
                c.severed ? ", not computed: edited" : "");
  }

  void paint_piece(const SceneConnector& c, std::vector<Point> points, const Hold& from, const Hold& to,
                   bool last) {
    xml_.open("p:cxnSp").open("p:nvCxnSpPr");
    head(0, c.value.empty() ? "connector" : c.value, way_name(c));
    glue(from, to);
    xml_.raw(connector_geometry(points));
    outline(colour(paint_of(c.role), theme_), c.width, c.residual || c.severed,
            last && c.arrow && !c.severed);
    xml_.close().close();
  }

  // Up to where the connector's geometry begins; an end that holds on to nothing has the id 0.
  void glue(const Hold& from, const Hold& to) {
    xml_.open("p:cNvCxnSpPr");
    for (const auto& [end, hold] : {std::pair{"a:stCxn", &from}, std::pair{"a:endCxn", &to}})
      if (hold->id > 0)
        xml_.open(end).set("id", hold->id).set("idx", static_cast<int64_t>(hold->site)).close();
    xml_.close().raw("<p:nvPr/>").close().open("p:spPr");
  }

  // A circle with the connection sites of a box.
  void paint_mark(size_t i) {
    const SceneMark& mark = scene_.marks[i];
    open_shape("dot", {}, mark_ids_[i]);
    place({mark.at.x - k_mark, mark.at.y - k_mark, 2 * k_mark, 2 * k_mark});
    shape("roundRect", 1, 2);
    solid(colour(paint_of(mark.role), theme_));
    no_outline();
    xml_.close().close();
  }

  // ---- numbers as pictures

  void paint_bar(const SceneBar& bar) {
    open_shape(bar.source ? to_string(*bar.source) : bar.name, bar.name);
    place(bar.rect);
    shape("rect");
    solid(heat(bar.role, bar.shade, theme_));
    no_outline();
    xml_.close().close();
  }

  void paint_grid(const SceneGrid& grid) {
    xml_.open("p:grpSp").open("p:nvGrpSpPr");
    head(0, grid.name, source_name(grid));
    xml_.raw("<p:cNvGrpSpPr/><p:nvPr/>").close().open("p:grpSpPr");
    const Rect r = moved(grid.rect);
    xml_.open("a:xfrm");
    for (const char* corner : {"a:off", "a:chOff"}) {
      xml_.open(corner).set("x", emu(r.x)).set("y", emu(r.y)).close();
      xml_.open(corner[2] == 'o' ? "a:ext" : "a:chExt")
          .set("cx", emu(r.width))
          .set("cy", emu(r.height))
          .close();
    }
    xml_.close().close();
    std::vector<const SceneText*> words(static_cast<size_t>(grid.rows * grid.columns), nullptr);
    std::vector<const SceneText*> others;
    for (const SceneText& text : grid.texts) {
      const auto row =
          static_cast<int64_t>(std::floor((line_box(text).centre().y - grid.rect.y) / grid.cell_height()));
      const auto column = static_cast<int64_t>(std::floor((text.at.x - grid.rect.x) / grid.cell_width()));
      const bool inside = row >= 0 && row < grid.rows && column >= 0 && column < grid.columns &&
                          text.anchor == SceneText::Anchor::middle;
      const SceneText** cell = inside ? &words[static_cast<size_t>(row * grid.columns + column)] : nullptr;
      if (cell && !*cell && text.sources.size() == 1 &&
          to_string(text.sources[0]) == cell_name(grid, row, column))
        *cell = &text;
      else
        others.push_back(&text);
    }
    first_cell_.push_back(last_id_ + 1);
    for (int64_t row = 0; row < grid.rows; ++row)
      for (int64_t column = 0; column < grid.columns; ++column)
        paint_cell(grid, row, column, words[static_cast<size_t>(row * grid.columns + column)]);
    xml_.close();
    for (const SceneText* text : others) paint_text(*text);
  }

  static std::string cell_name(const SceneGrid& grid, int64_t row, int64_t column) {
    return grid.source.stage.empty() ? std::string("key") : to_string(grid.source_of(row, column));
  }

  void paint_cell(const SceneGrid& grid, int64_t row, int64_t column, const SceneText* words) {
    open_shape(cell_name(grid, row, column));
    place(grid.cell(row, column));
    shape("rect");
    solid(cell_colour(grid, row, column, theme_));
    if (cells_apart(grid))
      outline(colour(paint_named("page"), theme_), 1);
    else
      no_outline();
    xml_.close();
    if (words) {
      open_text("ctr");
      paragraph(*words);
      xml_.close();
    }
    xml_.close();
  }

  void paint_picture(const SceneGrid& grid) {
    out_.pictures.push_back({picture_of(grid, theme_)});
    xml_.open("p:pic").open("p:nvPicPr");
    first_cell_.push_back(last_id_ + 1);  // the picture itself
    head(0, source_name(grid).empty() ? grid.name : source_name(grid), grid.name);
    xml_.raw("<p:cNvPicPr><a:picLocks noChangeAspect=\"1\"/></p:cNvPicPr><p:nvPr/>").close();
    xml_.open("p:blipFill").open("a:blip").set("r:embed", join("rId", 2 + out_.pictures.size())).close();
    xml_.raw("<a:stretch><a:fillRect/></a:stretch>").close().open("p:spPr");
    place(grid.rect);
    shape("rect");
    xml_.close().close();
    for (const SceneText& text : grid.texts) paint_text(text);
  }

  // The middle of that side of a box or of a grid (of the cell that has it) which is nearest to the point.
  Hold hold_of(const LineEnd& end, const Point& at, const std::vector<bool>& pictured) const {
    if (end.on == LineEnd::On::nothing) return {0, 0, at};
    const auto i = static_cast<size_t>(end.index);
    if (end.on == LineEnd::On::box) return nearest_side(box_ids_[i], scene_.boxes[i].rect, at);
    const SceneGrid& grid = scene_.grids[i];
    if (pictured[i]) return nearest_side(first_cell_[i], grid.rect, at);
    const Hold side = nearest_side(0, grid.rect, at);
    const int64_t row = side.site == 0 ? 0 : side.site == 2 ? grid.rows - 1 : grid.rows / 2;
    const int64_t column = side.site == 1 ? 0 : side.site == 3 ? grid.columns - 1 : grid.columns / 2;
    const int cell = first_cell_[i] + static_cast<int>(row * grid.columns + column);
    const std::vector<Point> sites = middles_of(grid.cell(row, column));
    return {cell, side.site, sites[side.site]};
  }

  static std::vector<Point> middles_of(const Rect& r) {
    const Point c = r.centre();
    return {{c.x, r.y}, {r.x, c.y}, {c.x, r.bottom()}, {r.right(), c.y}};
  }

  static Hold nearest_side(int id, const Rect& r, const Point& at) {
    const std::vector<Point> sites = middles_of(r);
    const auto distance = [&](const Point& p) { return std::hypot(p.x - at.x, p.y - at.y); };
    size_t best = 0;
    for (size_t i = 1; i < sites.size(); ++i)
      if (distance(sites[i]) < distance(sites[best])) best = i;
    return {id, best, sites[best]};
  }

  // Glued where it joins shapes; a line that joins none is a shape of its own.
  void paint_line(const SceneLine& line, const std::vector<bool>& pictured) {
    if (line.points.size() < 2) return;
    std::vector<Point> points = line.points;
    const Hold from = hold_of(line.from, points.front(), pictured),
               to = hold_of(line.to, points.back(), pictured);
    const std::string called = line.source         ? to_string(*line.source)
                               : line.name.empty() ? std::string("line")
                                                   : line.name;
    if (from.id > 0 || to.id > 0) {
      points.front() = from.at;
      points.back() = to.at;
      xml_.open("p:cxnSp").open("p:nvCxnSpPr");
      head(0, called, line.name);
      glue(from, to);
      xml_.raw(polyline_geometry(points));
    } else {
      open_shape(called, line.name);
      xml_.raw(polyline_geometry(points, "line"));
    }
    outline(colour(line.faint ? paint_named("faint") : paint_of(line.role), theme_), line.width, line.dashed,
            line.arrow, line.opacity);
    xml_.close().close();
  }

  // ---- what the speaker says: the page's notes, or where it has none of its own the figure step by step

  std::vector<std::string> notes() const {
    if ((slide_.notes.empty() || slide_.notes == scene_.description) && !scene_.steps.empty())
      return steps_in_lines(scene_);
    std::vector<std::string> lines;
    for (std::string_view rest = slide_.notes.empty() ? scene_.description : slide_.notes; !rest.empty();) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      lines.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return lines;
  }

  const Slide& slide_;
  const Scene& scene_;
  PptxSlide out_;
  std::vector<int> box_ids_, mark_ids_, first_cell_;  // by box, mark and grid
  std::vector<Sites> sites_;
  std::vector<const SceneText*> heading_;  // its lines
};

// Every slide is 16:9; a figure that is no page of a deck is fitted into it.
std::string paint_pages(const std::vector<Slide>& pages, const PaintOptions& options) {
  PptxDeck deck;
  deck.title = pages.front().title.empty() ? pages.front().scene.title : pages.front().title;
  deck.width = emu(k_slide_width);
  deck.height = emu(k_slide_height);
  deck.theme = options.theme == Theme::dark ? Theme::dark : Theme::light;
  for (const Slide& page : pages) {
    if (page.scene.width == k_slide_width && page.scene.height == k_slide_height) {
      deck.slides.push_back(Painter(page, deck.theme).paint());
    } else {
      Slide alone = page;
      alone.scene = fitted(page.scene, k_slide_width, k_slide_height, k_slide_margin);
      deck.slides.push_back(Painter(alone, deck.theme).paint());
    }
  }
  return zipped(pptx_parts(deck));
}

}  // namespace

Format pptx_format() {
  return {"pptx", "PowerPoint", "native shapes and glued connectors, one figure a slide, with notes", true,
          paint_pages};
}

}  // namespace limpid

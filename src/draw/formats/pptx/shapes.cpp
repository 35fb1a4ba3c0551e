#include "draw/formats/pptx/shapes.h"

#include <algorithm>
#include <cmath>

#include "draw/formats/pptx/connector.h"
#include "draw/scene/palette.h"
#include "draw/scene/text.h"

namespace limpid::draw {

int PptxShapes::open_shape(std::string_view name, std::string_view description, int id, bool text_box,
                           std::string_view properties) {
  xml_.open("p:sp").open("p:nvSpPr");
  id = head(id, name, description);
  xml_.open("p:cNvSpPr");
  if (text_box) xml_.set("txBox", 1);
  xml_.close().raw(properties).close().open("p:spPr");
  return id;
}

int PptxShapes::head(int id, std::string_view name, std::string_view description) {
  if (id == 0) id = ++last_id_;
  xml_.open("p:cNvPr").set("id", id).set("name", name);
  if (!description.empty()) xml_.set("descr", description);
  xml_.close();
  return id;
}

Rect PptxShapes::moved(const Rect& r) const { return {r.x + offset_.x, r.y + offset_.y, r.width, r.height}; }

void PptxShapes::place(const Rect& scene_rect, int64_t turn, std::string_view element) {
  const Rect r = moved(scene_rect);
  xml_.open(element);
  if (turn != 0) xml_.set("rot", turn);
  xml_.open("a:off").set("x", emu(r.x)).set("y", emu(r.y)).close();
  xml_.open("a:ext").set("cx", emu(r.width)).set("cy", emu(r.height)).close().close();
}

void PptxShapes::shape(std::string_view preset, double corner, double side) {
  xml_.open("a:prstGeom").set("prst", preset).open("a:avLst");
  if (corner > 0)
    xml_.open("a:gd")
        .set("name", "adj")
        .set("fmla", join("val ", std::lround(100000 * corner / side)))
        .close();
  xml_.close().close();
}

void PptxShapes::solid(std::string_view hex, double opacity) {
  xml_.open("a:solidFill");
  const std::string_view slot = slot_of(hex);
  if (slot.empty())
    xml_.open("a:srgbClr").set("val", hex.substr(1));
  else
    xml_.open("a:schemeClr").set("val", slot);
  if (opacity < 1)
    xml_.open("a:alpha").set("val", static_cast<int64_t>(std::lround(100000 * opacity))).close();
  xml_.close().close();
}

std::string_view PptxShapes::slot_of(std::string_view hex) const {
  constexpr std::pair<std::string_view, std::string_view> k_slots[] = {
      {"page", "bg1"},      {"ink", "tx1"},     {"group", "bg2"},     {"soft", "tx2"},
      {"query", "accent1"}, {"key", "accent2"}, {"value", "accent3"}, {"weights", "accent4"},
      {"plain", "accent5"}, {"edge", "accent6"}};
  for (const auto& [paint, slot] : k_slots)
    if (colour(paint_named(paint), theme_) == hex) return slot;
  return {};
}

void PptxShapes::outline(std::string_view hex, double width, bool dashed, bool arrow, double opacity) {
  xml_.open("a:ln").set("w", emu(width));
  solid(hex, opacity);
  if (dashed) xml_.raw("<a:prstDash val=\"dash\"/>");
  xml_.raw("<a:round/>");
  if (arrow) xml_.raw("<a:tailEnd type=\"triangle\" w=\"med\" len=\"med\"/>");
  xml_.close();
}

void PptxShapes::no_outline() { xml_.raw("<a:ln><a:noFill/></a:ln>"); }

void PptxShapes::open_text(std::string_view vertical, double lower) {
  xml_.open("p:txBody").open("a:bodyPr").set("wrap", "none").set("lIns", 0);
  xml_.set("tIns", emu(std::max(0.0, 2 * lower))).set("rIns", 0).set("bIns", emu(std::max(0.0, -2 * lower)));
  xml_.set("rtlCol", 0).set("anchor", vertical).raw("<a:noAutofit/>").close().raw("<a:lstStyle/>");
}

void PptxShapes::paragraph(const SceneText& text, double pitch) {
  xml_.open("a:p").open("a:pPr").set("algn", text.anchor == SceneText::Anchor::start ? "l"
                                             : text.anchor == SceneText::Anchor::end ? "r"
                                                                                     : "ctr");
  if (pitch > 0) xml_.open("a:lnSpc").open("a:spcPts").set("val", centipoints(pitch)).close().close();
  xml_.close();
  if (text.kind == SceneText::Kind::page) {  // counts itself where slides are moved
    xml_.open("a:fld").set("id", "{B6F15528-21DE-4FAA-801E-634DDDAF4B2B}").set("type", "slidenum");
    run(text, {text.text});
    xml_.close();
  } else if (text.runs.empty()) {
    xml_.open("a:r");
    run(text, {clean(text.text)});
    xml_.close();
  }
  for (const SceneRun& each : text.runs) {
    xml_.open("a:r");
    run(text, each);
    xml_.close();
  }
  xml_.close();
}

// Programs draw a shifted run at about two thirds of the size that it states.
void PptxShapes::run(const SceneText& text, const SceneRun& piece) {
  xml_.open("a:rPr").set("lang", "en-US").set("sz", std::max<int64_t>(100, centipoints(text.size)));
  if (piece.italic) xml_.set("i", 1);
  xml_.set("noProof", 1);
  if (piece.level != SceneRun::Level::line)
    xml_.set("baseline", piece.level == SceneRun::Level::sub ? -25000 : 30000);
  solid(text_colour(text, theme_));
  xml_.close().open("a:t").raw(xml_escaped(clean_piece(piece.text))).close();
}

}  // namespace limpid::draw

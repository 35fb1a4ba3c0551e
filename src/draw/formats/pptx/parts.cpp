#include "draw/formats/pptx/parts.h"

#include "draw/formats/xml.h"
#include "draw/scene/palette.h"

namespace limpid::draw {

namespace {

constexpr std::string_view k_main = "http://schemas.openxmlformats.org/presentationml/2006/main",
                           k_drawing = "http://schemas.openxmlformats.org/drawingml/2006/main",
                           k_document = "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
                           k_package = "http://schemas.openxmlformats.org/package/2006/relationships";
constexpr std::string_view k_group_head =
    "<p:nvGrpSpPr><p:cNvPr id=\"1\" name=\"\"/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr><a:xfrm>"
    "<a:off x=\"0\" y=\"0\"/><a:ext cx=\"0\" cy=\"0\"/><a:chOff x=\"0\" y=\"0\"/><a:chExt cx=\"0\" cy=\"0\"/>"
    "</a:xfrm></p:grpSpPr>";
constexpr int64_t k_notes_width = 6858000, k_notes_height = 9144000;  // a page in portrait

std::string numbered(std::string_view folder, std::string_view stem, size_t number, std::string_view ending) {
  return join(folder, stem, number, ending);
}

// ---- relationships and content types -------------------------------------------------------------

struct Relation {
  std::string kind, target;  // rId1, rId2, ... in order
};

std::string relations(const std::vector<Relation>& list) {
  Xml xml;
  xml.raw(k_xml_head).open("Relationships").set("xmlns", k_package);
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string kind =
        list[i].kind.find(':') == std::string::npos ? join(k_document, "/", list[i].kind) : list[i].kind;
    xml.open("Relationship")
        .set("Id", join("rId", i + 1))
        .set("Type", kind)
        .set("Target", list[i].target)
        .close();
  }
  return xml.take();
}

std::string content_types(const PptxDeck& deck) {
  Xml xml;
  xml.raw(k_xml_head)
      .open("Types")
      .set("xmlns", "http://schemas.openxmlformats.org/package/2006/content-types");
  const auto ending = [&](const char* extension, const char* type) {
    xml.open("Default").set("Extension", extension).set("ContentType", type).close();
  };
  ending("rels", "application/vnd.openxmlformats-package.relationships+xml");
  ending("xml", "application/xml");
  ending("png", "image/png");
  const auto part = [&](const std::string& name, std::string_view kind) {
    const bool core = kind.find('/') != std::string_view::npos;
    xml.open("Override")
        .set("PartName", "/" + name)
        .set("ContentType",
             core ? std::string(kind) : join("application/vnd.openxmlformats-officedocument.", kind, "+xml"))
        .close();
  };
  part("ppt/presentation.xml", "presentationml.presentation.main");
  part("ppt/slideMasters/slideMaster1.xml", "presentationml.slideMaster");
  part("ppt/slideLayouts/slideLayout1.xml", "presentationml.slideLayout");
  part("ppt/notesMasters/notesMaster1.xml", "presentationml.notesMaster");
  part("ppt/theme/theme1.xml", "theme");
  part("ppt/theme/theme2.xml", "theme");
  part("ppt/presProps.xml", "presentationml.presProps");
  part("ppt/viewProps.xml", "presentationml.viewProps");
  part("ppt/tableStyles.xml", "presentationml.tableStyles");
  for (size_t i = 1; i <= deck.slides.size(); ++i) {
    part(numbered("ppt/slides/", "slide", i, ".xml"), "presentationml.slide");
    part(numbered("ppt/notesSlides/", "notesSlide", i, ".xml"), "presentationml.notesSlide");
  }
  part("docProps/core.xml", "application/vnd.openxmlformats-package.core-properties+xml");
  part("docProps/app.xml", "extended-properties");
  return xml.take();
}

// ---- the theme -----------------------------------------------------------------------------------

// Colours of shapes name the theme's (accent1: query, ...), so that a deck can be recoloured in one place.
std::string theme_part(Theme theme) {
  const auto srgb = [&](std::string_view of) {
    return std::string(colour(paint_named(of), theme).substr(1));
  };
  const bool dark = theme == Theme::dark;
  const std::pair<const char*, std::string> colours[] = {{"dk1", srgb(dark ? "page" : "ink")},
                                                         {"lt1", srgb(dark ? "ink" : "page")},
                                                         {"dk2", srgb(dark ? "group" : "soft")},
                                                         {"lt2", srgb(dark ? "soft" : "group")},
                                                         {"accent1", srgb("query")},
                                                         {"accent2", srgb("key")},
                                                         {"accent3", srgb("value")},
                                                         {"accent4", srgb("weights")},
                                                         {"accent5", srgb("plain")},
                                                         {"accent6", srgb("edge")},
                                                         {"hlink", srgb("query")},
                                                         {"folHlink", srgb("weights")}};
  Xml xml;
  xml.raw(k_xml_head).open("a:theme").set("xmlns:a", k_drawing).set("name", "limpid");
  xml.open("a:themeElements").open("a:clrScheme").set("name", dark ? "limpid dark" : "limpid light");
  for (const auto& [slot, value] : colours)
    xml.open(join("a:", slot)).open("a:srgbClr").set("val", value).close().close();
  xml.close();
  xml.open("a:fontScheme").set("name", "limpid");
  for (const char* use : {"a:majorFont", "a:minorFont"}) {
    xml.open(use);
    xml.open("a:latin").set("typeface", "DejaVu Sans").set("panose", "020B0603030804020204").close();
    xml.open("a:ea").set("typeface", "").close().open("a:cs").set("typeface", "").close().close();
  }
  xml.close();
  const std::string_view fill = "<a:solidFill><a:schemeClr val=\"phClr\"/></a:solidFill>";
  xml.open("a:fmtScheme").set("name", "limpid");
  xml.open("a:fillStyleLst").raw(fill).raw(fill).raw(fill).close();
  xml.open("a:lnStyleLst");
  for (int width : {9525, 15240, 19050})
    xml.open("a:ln").set("w", width).raw(fill).raw("<a:prstDash val=\"solid\"/>").close();
  xml.close().open("a:effectStyleLst");
  for (int i = 0; i < 3; ++i) xml.raw("<a:effectStyle><a:effectLst/></a:effectStyle>");
  xml.close().open("a:bgFillStyleLst").raw(fill).raw(fill).raw(fill);
  return xml.take();
}

std::string colour_map(Theme theme) {
  const bool dark = theme == Theme::dark;
  Xml xml;
  xml.open("p:clrMap").set("bg1", dark ? "dk1" : "lt1").set("tx1", dark ? "lt1" : "dk1");
  xml.set("bg2", dark ? "dk2" : "lt2").set("tx2", dark ? "lt2" : "dk2");
  for (const char* accent :
       {"accent1", "accent2", "accent3", "accent4", "accent5", "accent6", "hlink", "folHlink"})
    xml.set(accent, accent);
  return xml.take();
}

// ---- masters and layout --------------------------------------------------------------------------

std::string_view background() {
  return "<p:bg><p:bgPr><a:solidFill><a:schemeClr val=\"bg1\"/></a:solidFill><a:effectLst/></p:bgPr></p:bg>";
}

Xml part_of(std::string_view element) {
  Xml xml;
  xml.raw(k_xml_head)
      .open(element)
      .set("xmlns:a", k_drawing)
      .set("xmlns:r", k_document)
      .set("xmlns:p", k_main);
  return xml;
}

// A place for text; `index` as the layout and the slide name it.
void placeholder(Xml& xml, int id, std::string_view kind, std::string_view name, const Rect& emu) {
  const auto whole = [](double v) { return static_cast<int64_t>(v); };
  xml.open("p:sp").open("p:nvSpPr");
  xml.open("p:cNvPr").set("id", id).set("name", name).close();
  xml.raw(kind == "sldImg"
              ? "<p:cNvSpPr><a:spLocks noGrp=\"1\" noRot=\"1\" noChangeAspect=\"1\"/></p:cNvSpPr>"
              : "<p:cNvSpPr><a:spLocks noGrp=\"1\"/></p:cNvSpPr>");
  xml.open("p:nvPr").open("p:ph").set("type", kind);
  if (kind == "body" || kind == "sldImg") xml.set("idx", kind == "body" ? 3 : 2);
  xml.close().close().close();
  xml.open("p:spPr").open("a:xfrm");
  xml.open("a:off").set("x", whole(emu.x)).set("y", whole(emu.y)).close();
  xml.open("a:ext").set("cx", whole(emu.width)).set("cy", whole(emu.height)).close().close();
  xml.raw("<a:prstGeom prst=\"rect\"><a:avLst/></a:prstGeom>");
  if (kind == "sldImg")
    xml.raw("<a:noFill/><a:ln w=\"9525\"><a:solidFill><a:schemeClr val=\"accent5\"/></a:solidFill></a:ln>");
  xml.close();
  if (kind != "sldImg")
    xml.raw("<p:txBody><a:bodyPr/><a:lstStyle/><a:p><a:r><a:rPr lang=\"en-US\"/><a:t>")
        .text(name)
        .raw("</a:t></a:r></a:p></p:txBody>");
  xml.close();
}

std::string text_style(std::string_view element, int size, int margin_step) {
  Xml xml;
  xml.open(element);
  for (int level = 1; level <= 9; ++level) {
    xml.open(join("a:lvl", level, "pPr")).set("marL", margin_step * (level - 1)).set("algn", "l");
    xml.raw("<a:buNone/>").open("a:defRPr").set("sz", size);
    xml.raw(
        "<a:solidFill><a:schemeClr val=\"tx1\"/></a:solidFill><a:latin typeface=\"+mn-lt\"/>"
        "<a:ea typeface=\"+mn-ea\"/><a:cs typeface=\"+mn-cs\"/>");
    xml.close().close();
  }
  return xml.take();
}

Rect title_place(const PptxDeck& deck) {
  const auto w = static_cast<double>(deck.width), h = static_cast<double>(deck.height);
  return {0.04 * w, 0.03 * h, 0.92 * w, 0.1 * h};
}

std::string slide_master(const PptxDeck& deck) {
  Xml xml = part_of("p:sldMaster");
  xml.open("p:cSld").raw(background()).open("p:spTree").raw(k_group_head);
  placeholder(xml, 2, "title", "Title", title_place(deck));
  xml.close().close().raw(colour_map(deck.theme));
  xml.raw(
      "<p:sldLayoutIdLst><p:sldLayoutId id=\"2147483649\" r:id=\"rId1\"/></p:sldLayoutIdLst><p:txStyles>");
  xml.raw(text_style("p:titleStyle", 2800, 0)).raw(text_style("p:bodyStyle", 1800, 228600));
  xml.raw(text_style("p:otherStyle", 1800, 0)).raw("</p:txStyles>");
  return xml.take();
}

std::string slide_layout(const PptxDeck& deck) {
  Xml xml = part_of("p:sldLayout");
  xml.set("type", "titleOnly").set("preserve", 1);
  xml.open("p:cSld").set("name", "Figure").open("p:spTree").raw(k_group_head);
  placeholder(xml, 2, "title", "Title", title_place(deck));
  xml.close().close().raw("<p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr>");
  return xml.take();
}

// The slide above, the notes below it.
Rect notes_image(const PptxDeck& deck) {
  const double room_w = 5486400, room_h = 3429000;
  const double scale =
      std::min(room_w / static_cast<double>(deck.width), room_h / static_cast<double>(deck.height));
  const double w = scale * static_cast<double>(deck.width), h = scale * static_cast<double>(deck.height);
  return {(static_cast<double>(k_notes_width) - w) / 2, 685800 + (room_h - h) / 2, w, h};
}
constexpr Rect k_notes_body = {685800, 4343400, 5486400, 4114800};

std::string notes_master(const PptxDeck& deck) {
  Xml xml = part_of("p:notesMaster");
  xml.open("p:cSld").raw(background()).open("p:spTree").raw(k_group_head);
  placeholder(xml, 2, "sldImg", "Slide", notes_image(deck));
  placeholder(xml, 3, "body", "Notes", k_notes_body);
  xml.close().close().raw(colour_map(Theme::light)).raw(text_style("p:notesStyle", 1200, 228600));
  return xml.take();
}

// ---- slides --------------------------------------------------------------------------------------

std::string slide_part(const PptxSlide& slide) {
  Xml xml = part_of("p:sld");
  xml.open("p:cSld").set("name", slide.title).open("p:spTree").raw(k_group_head).raw(slide.shapes);
  xml.close().close().raw("<p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr>");
  return xml.take();
}

std::string notes_part(const PptxSlide& slide) {
  Xml xml = part_of("p:notes");
  xml.open("p:cSld").open("p:spTree").raw(k_group_head);
  xml.raw(
      "<p:sp><p:nvSpPr><p:cNvPr id=\"2\" name=\"Slide\"/><p:cNvSpPr><a:spLocks noGrp=\"1\" noRot=\"1\" "
      "noChangeAspect=\"1\"/></p:cNvSpPr><p:nvPr><p:ph type=\"sldImg\" "
      "idx=\"2\"/></p:nvPr></p:nvSpPr><p:spPr/>"
      "</p:sp>");
  xml.raw(
      "<p:sp><p:nvSpPr><p:cNvPr id=\"3\" name=\"Notes\"/><p:cNvSpPr><a:spLocks "
      "noGrp=\"1\"/></p:cNvSpPr><p:nvPr>"
      "<p:ph type=\"body\" "
      "idx=\"3\"/></p:nvPr></p:nvSpPr><p:spPr/><p:txBody><a:bodyPr><a:normAutofit/></a:bodyPr>"
      "<a:lstStyle/>");
  for (const std::string& line : slide.notes)
    xml.raw("<a:p><a:r><a:rPr lang=\"en-US\"/><a:t>").text(line).raw("</a:t></a:r></a:p>");
  if (slide.notes.empty()) xml.raw("<a:p/>");
  xml.raw("</p:txBody></p:sp>").close().close();
  xml.raw("<p:clrMapOvr><a:masterClrMapping/></p:clrMapOvr>");
  return xml.take();
}

// ---- the presentation ----------------------------------------------------------------------------

std::string presentation(const PptxDeck& deck) {
  Xml xml = part_of("p:presentation");
  xml.set("saveSubsetFonts", 1);
  xml.raw("<p:sldMasterIdLst><p:sldMasterId id=\"2147483648\" r:id=\"rId1\"/></p:sldMasterIdLst>");
  xml.raw("<p:notesMasterIdLst><p:notesMasterId r:id=\"rId2\"/></p:notesMasterIdLst>");
  xml.open("p:sldIdLst");
  for (size_t i = 0; i < deck.slides.size(); ++i)
    xml.open("p:sldId").set("id", static_cast<int64_t>(256 + i)).set("r:id", join("rId", 7 + i)).close();
  xml.close();
  xml.open("p:sldSz").set("cx", deck.width).set("cy", deck.height).close();
  xml.open("p:notesSz").set("cx", k_notes_width).set("cy", k_notes_height).close();
  xml.raw(text_style("p:defaultTextStyle", 1800, 0));
  return xml.take();
}

std::string core_properties(const PptxDeck& deck) {
  Xml xml;
  xml.raw(k_xml_head).open("cp:coreProperties");
  xml.set("xmlns:cp", "http://schemas.openxmlformats.org/package/2006/metadata/core-properties");
  xml.set("xmlns:dc", "http://purl.org/dc/elements/1.1/").set("xmlns:dcterms", "http://purl.org/dc/terms/");
  xml.set("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance");
  xml.open("dc:title").text(deck.title).close().open("dc:creator").text("limpid").close();
  // Fixed, as the zip's dates: the same figure is the same file.
  for (const char* date : {"dcterms:created", "dcterms:modified"})
    xml.open(date).set("xsi:type", "dcterms:W3CDTF").text("1980-01-01T00:00:00Z").close();
  return xml.take();
}

std::string app_properties(const PptxDeck& deck) {
  Xml xml;
  xml.raw(k_xml_head).open("Properties");
  xml.set("xmlns", "http://schemas.openxmlformats.org/officeDocument/2006/extended-properties");
  xml.open("Slides").text(std::to_string(deck.slides.size())).close();
  xml.open("Notes").text(std::to_string(deck.slides.size())).close();
  xml.open("Application").text("limpid").close();
  return xml.take();
}

std::string small_part(std::string_view element, std::string_view more = {}) {
  Xml xml = part_of(element);
  if (!more.empty()) xml.raw(more);
  return xml.take();
}

}  // namespace

std::vector<ZipEntry> pptx_parts(const PptxDeck& deck) {
  std::vector<ZipEntry> parts = {{"[Content_Types].xml", content_types(deck)}};
  const auto with_relations = [&](const std::string& folder, const std::string& file, std::string bytes,
                                  const std::vector<Relation>& list) {
    parts.push_back({folder + file, std::move(bytes)});
    parts.push_back({folder + "_rels/" + file + ".rels", relations(list)});
  };
  parts.push_back(
      {"_rels/.rels",
       relations({{"officeDocument", "ppt/presentation.xml"},
                  {"http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties",
                   "docProps/core.xml"},
                  {"extended-properties", "docProps/app.xml"}})});
  parts.push_back({"docProps/core.xml", core_properties(deck)});
  parts.push_back({"docProps/app.xml", app_properties(deck)});
  std::vector<Relation> of_presentation = {{"slideMaster", "slideMasters/slideMaster1.xml"},
                                           {"notesMaster", "notesMasters/notesMaster1.xml"},
                                           {"presProps", "presProps.xml"},
                                           {"viewProps", "viewProps.xml"},
                                           {"theme", "theme/theme1.xml"},
                                           {"tableStyles", "tableStyles.xml"}};
  for (size_t i = 1; i <= deck.slides.size(); ++i)
    of_presentation.push_back({"slide", numbered("slides/", "slide", i, ".xml")});
  with_relations("ppt/", "presentation.xml", presentation(deck), of_presentation);
  parts.push_back({"ppt/presProps.xml", small_part("p:presentationPr")});
  parts.push_back({"ppt/viewProps.xml", small_part("p:viewPr")});
  Xml styles;
  styles.raw(k_xml_head).open("a:tblStyleLst").set("xmlns:a", k_drawing);
  styles.set("def", "{5C22544A-7EE6-4342-B048-85BDC9FD1C3A}");
  parts.push_back({"ppt/tableStyles.xml", styles.take()});
  parts.push_back({"ppt/theme/theme1.xml", theme_part(deck.theme)});
  parts.push_back({"ppt/theme/theme2.xml", theme_part(Theme::light)});
  with_relations("ppt/slideMasters/", "slideMaster1.xml", slide_master(deck),
                 {{"slideLayout", "../slideLayouts/slideLayout1.xml"}, {"theme", "../theme/theme1.xml"}});
  with_relations("ppt/slideLayouts/", "slideLayout1.xml", slide_layout(deck),
                 {{"slideMaster", "../slideMasters/slideMaster1.xml"}});
  with_relations("ppt/notesMasters/", "notesMaster1.xml", notes_master(deck),
                 {{"theme", "../theme/theme2.xml"}});
  size_t picture = 0;
  for (size_t i = 1; i <= deck.slides.size(); ++i) {
    const PptxSlide& slide = deck.slides[i - 1];
    std::vector<Relation> of_slide = {{"slideLayout", "../slideLayouts/slideLayout1.xml"},
                                      {"notesSlide", numbered("../notesSlides/", "notesSlide", i, ".xml")}};
    for (const PptxPicture& each : slide.pictures) {
      of_slide.push_back({"image", numbered("../media/", "image", ++picture, ".png")});
      parts.push_back({numbered("ppt/media/", "image", picture, ".png"), each.bytes});
    }
    with_relations("ppt/slides/", numbered("", "slide", i, ".xml"), slide_part(slide), of_slide);
    with_relations("ppt/notesSlides/", numbered("", "notesSlide", i, ".xml"), notes_part(slide),
                   {{"notesMaster", "../notesMasters/notesMaster1.xml"},
                    {"slide", numbered("../slides/", "slide", i, ".xml")}});
  }
  return parts;
}

}  // namespace limpid::draw

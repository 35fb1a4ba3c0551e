// The formats' small parts, and what they promise of every scene.  tests/formats_test.py reads whole files
// back.
#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>

#include "draw/formats/native.h"
#include "draw/formats/package.h"
#include "draw/formats/raster/png_bytes.h"
#include "draw/formats/text/text_canvas.h"
#include "draw/formats/text/text_map.h"
#include "draw/formats/xml.h"

namespace limpid {
namespace {

using namespace draw;

SceneText text_of(SceneText::Kind kind, const std::string& words, Point at) {
  SceneText text;
  text.kind = kind;
  text.text = words;
  text.at = at;
  return text;
}

// One of everything that a scene can hold.
Scene everything(int64_t cells = 3) {
  Scene scene;
  scene.width = 400;
  scene.height = 300;
  scene.title = "Everything <&\">";
  scene.description = "One of everything.";
  scene.steps = {{"Begin", 0, true, false}, {"One of everything", 1, false, true}};
  SceneBox box;
  box.name = "a";
  box.rect = {20, 20, 80, 50};
  SceneText label = text_of(SceneText::Kind::label, "Scale", {60, 49});
  label.anchor = SceneText::Anchor::middle;
  box.texts = {label};
  box.ports = {{Side::right, {100, 45}}};
  scene.boxes.push_back(box);
  box.name = "b";
  box.rect = {200, 20, 80, 50};
  box.texts[0].at.x = 240;
  box.ports = {{Side::left, {200, 35}}};
  scene.boxes.push_back(box);
  SceneConnector way;
  way.to = 1;
  way.points = {{100, 45}, {150, 45}, {150, 35}, {200, 35}};
  way.value = "v";
  scene.connectors.push_back(way);
  scene.frames.push_back(
      {"blocks", text_of(SceneText::Kind::title, "Block \xc3\x97 2", {16, 14}), {10, 2, 100, 80}, 2, 0, {0}});
  scene.marks.push_back({{150, 45}, Role::query});
  SceneGrid grid;
  grid.name = "weights";
  grid.role = Role::weights;
  grid.rect = {20, 120, 100, 100};
  grid.rows = grid.columns = cells;
  grid.source.stage = "pattern";
  grid.source.index = {0, 0};
  grid.row_axis = 0;
  grid.column_axis = 1;
  for (int64_t i = 0; i <= cells; ++i) {
    grid.row_at.push_back(i);
    grid.column_at.push_back(i);
  }
  for (int64_t i = 0; i < cells * cells; ++i)
    grid.values.push_back(i == 1 ? std::nan("")
                                 : static_cast<double>(i) / static_cast<double>(cells * cells));
  scene.grids.push_back(grid);
  SceneLine line;
  line.name = "a looks at b";
  line.points = {{200, 120}, {300, 180}};
  line.arrow = true;
  line.opacity = 0.5;
  line.source = grid.source_of(0, 0);
  scene.lines.push_back(line);
  scene.bars.push_back({"weight", {200, 220, 60, 12}, Role::weights, 0.5, grid.source_of(0, 2)});
  SceneText number = text_of(SceneText::Kind::number, "0.22", {270, 230});
  number.sources = {grid.source_of(0, 2)};
  scene.texts.push_back(number);
  SceneText upright = text_of(SceneText::Kind::tick, "loss", {14, 200});
  upright.upright = true;
  scene.texts.push_back(upright);
  return scene;
}

TEST(FormatsTest, TheSameSceneGivesTheSameBytes) {
  const Scene scene = everything();
  for (const Format& format : formats()) {
    if (format.ending == "png" || format.ending == "pdf") continue;  // formats_test.py: may not be there
    const std::string first = paint(scene, format);
    EXPECT_FALSE(first.empty()) << format.ending;
    EXPECT_EQ(first, paint(scene, format)) << format.ending;
    PaintOptions dark;
    dark.theme = Theme::dark;
    EXPECT_FALSE(paint(scene, format, dark).empty()) << format.ending;
  }
}

TEST(FormatsTest, AnEmptySceneIsAFileToo) {
  Scene scene;
  scene.width = scene.height = 10;
  for (const Format& format : formats()) {
    if (format.ending == "png" || format.ending == "pdf" || format.graph) continue;
    EXPECT_NO_THROW(paint(scene, format)) << format.ending;
  }
}

// A figure of numbers has no nodes; one of boxes has, and one whose arrows join its grids.
TEST(FormatsTest, FormatsOfGraphsTakeGraphs) {
  Scene numbers, boxes, arrows;
  numbers.width = numbers.height = 10;
  boxes.boxes.emplace_back();
  boxes.boxes[0].name = "softmax";
  arrows.grids.resize(2);
  arrows.lines.emplace_back();
  arrows.lines[0].points = {{0, 0}, {9, 9}};
  arrows.lines[0].arrow = true;
  arrows.lines[0].from = {LineEnd::On::grid, 0};
  arrows.lines[0].to = {LineEnd::On::grid, 1};
  for (const Format& format : formats()) {
    if (!format.graph) continue;
    try {
      paint(numbers, format);
      FAIL() << format.ending << " took a figure that is no graph";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(".svg"), std::string::npos) << error.what();
    }
    EXPECT_NO_THROW(paint(boxes, format)) << format.ending;
    EXPECT_NO_THROW(paint(arrows, format)) << format.ending;
  }
}

// Typeset runs are raised and lowered, whatever letters they have.
TEST(FormatsTest, TypesetRuns) {
  Scene scene;
  scene.width = scene.height = 100;
  SceneText text;
  text.kind = SceneText::Kind::equation;
  text.text = "x<_t";
  text.at = {10, 50};
  text.runs = {
      {"x<", SceneRun::Level::line, true}, {"t", SceneRun::Level::sub, true}, {" = ", SceneRun::Level::line}};
  scene.texts.push_back(text);
  const std::string svg = to_svg(scene);
  EXPECT_NE(svg.find("<tspan font-style=\"italic\">x&lt;</tspan><tspan dy=\"2.4\" font-size=\"8.4\" "
                     "font-style=\"italic\">t</tspan><tspan dy=\"-2.4\"> = </tspan>"),
            svg.npos)
      << svg;
  const std::string drawio = paint(scene, format_named("drawio"));
  EXPECT_NE(drawio.find("&lt;i&gt;x&amp;lt;&lt;/i&gt;&lt;sub&gt;&lt;i&gt;t&lt;/i&gt;&lt;/sub&gt;"),
            drawio.npos)
      << drawio;
  const std::string tikz = paint(scene, format_named("tikz"));
  EXPECT_NE(tikz.find("_{t}"), tikz.npos) << tikz;
}

// ---- .drawio -------------------------------------------------------------------------------------

std::string inflated(const std::string& bytes) {
  std::string out(1 << 20, '\0');
  z_stream stream = {};
  inflateInit2(&stream, -MAX_WBITS);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

std::string from_base64(std::string_view text) {
  std::string out;
  uint32_t group = 0;
  int bits = 0;
  for (char c : text) {
    if (c == '=') break;
    const int digit = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+'             ? 62
                                             : 63;
    group = group << 6 | static_cast<uint32_t>(digit);
    if ((bits += 6) >= 8) out += static_cast<char>(group >> (bits -= 8) & 0xff);
  }
  return out;
}

std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const size_t start = text.find(from) + from.size();
  return text.substr(start, text.rfind(to) - start);
}

TEST(FormatsTest, DrawioIsTheSameCompressed) {
  const Format& drawio = format_named("drawio");
  PaintOptions options;
  const std::string plain = paint(everything(), drawio, options);
  options.compressed = true;
  const std::string packed = paint(everything(), drawio, options);
  const std::string name = "description=\"One of everything.\">";
  const std::string encoded = inflated(from_base64(between(packed, name, "</diagram>")));
  std::string model;
  for (size_t i = 0; i < encoded.size(); ++i) {
    model +=
        encoded[i] == '%' ? static_cast<char>(std::stoi(encoded.substr(i + 1, 2), nullptr, 16)) : encoded[i];
    if (encoded[i] == '%') i += 2;
  }
  EXPECT_EQ(model, between(plain, name, "</diagram>"));
  EXPECT_LT(packed.size(), plain.size());
}

TEST(FormatsTest, DrawioSaysWhereNumbersComeFrom) {
  const std::string file = paint(everything(), format_named("drawio"));
  EXPECT_NE(file.find("source=\"pattern[0,2] %.2f\""), std::string::npos) << file;
  EXPECT_NE(file.find("cell=\"pattern[2,1] %.2f\""), std::string::npos);
}

// ---- pictures ------------------------------------------------------------------------------------

// A plain grid shows its picture; any other mixes its colour in, and leaves the least as it is.
TEST(Formats, APictureStandsUnderACellsColour) {
  SceneGrid grid;
  grid.rows = 1, grid.columns = 2;
  grid.rect = {0, 0, 20, 10};
  grid.values = {0, 1};
  grid.picture = {0x102030, 0xffffff};
  EXPECT_EQ(cell_colour(grid, 0, 0, Theme::dark), "#102030");
  EXPECT_EQ(cell_colour(grid, 0, 1, Theme::dark), "#ffffff");
  grid.role = Role::weights;
  EXPECT_EQ(cell_colour(grid, 0, 0, Theme::light), "#102030");
  EXPECT_EQ(cell_colour(grid, 0, 1, Theme::light), "#a77bc4");  // 3/4 of the way to #8a4fb0
  EXPECT_EQ(cell_colour(grid, 0, 1, Theme::dark), cell_colour(grid, 0, 1, Theme::light));
  Scene scene;
  scene.width = 40, scene.height = 30;
  scene.grids = {grid};
  for (const char* ending : {"svg", "drawio", "pptx", "tex", "png"})
    EXPECT_FALSE(paint(scene, format_named(ending)).empty()) << ending;
  EXPECT_NE(to_svg(scene).find("fill=\"#a77bc4\""), std::string::npos);
  EXPECT_NE(paint(scene, format_named("drawio")).find("fillColor=#a77bc4"), std::string::npos);
}

// Where rows and columns are one axis, patches of an image: its place is the sum of both.
TEST(Formats, PatchesOfAnImageAreOneAxis) {
  SceneGrid grid;
  grid.name = "patches";
  grid.rows = 2, grid.columns = 3;
  grid.rect = {0, 0, 30, 20};
  grid.values = {1, 2, 3, 4, 5, 6};
  grid.source = {.stage = "pattern", .index = {0, 0, 0, 1}};
  grid.row_axis = grid.column_axis = 3;
  grid.row_at = {1, 4, 4};
  grid.column_at = {0, 1, 2, 3};
  EXPECT_EQ(to_string(grid.source_of(0, 0)), "pattern[0,0,0,1] %.2f");
  EXPECT_EQ(to_string(grid.source_of(1, 2)), "pattern[0,0,0,6] %.2f");
  EXPECT_FALSE(grid.pooled());
  EXPECT_EQ(source_name(grid), "pattern[0,0,0,1:7] %.2f");
}

// In letters a text that stands upright is one letter a line, and a frame round a cell a star in it.
TEST(Formats, LettersStandUprightAndFramesAreStars) {
  Scene scene;
  scene.width = 80, scene.height = 80;
  SceneText upright{SceneText::Kind::token, "dog", {20, 40}};
  upright.upright = true;
  scene.texts = {upright};
  SceneGrid grid;
  grid.name = "weights";
  grid.rect = {8, 44, 40, 20};
  grid.rows = 1, grid.columns = 1;
  grid.values = {1};
  grid.texts = {{SceneText::Kind::number, "0.5", {28, 58}, SceneText::Anchor::middle}};
  scene.grids = {grid};
  SceneLine frame;
  frame.points = {{9, 45}, {47, 45}, {47, 63}, {9, 63}, {9, 45}};
  scene.lines = {frame};
  const std::string text = paint(scene, format_named("txt"));
  const size_t d = text.find("d\n"), o = text.find("o\n"), g = text.find("g\n");
  EXPECT_TRUE(d < o && o < g && g != text.npos) << text;
  EXPECT_NE(text.find("0.5*"), text.npos) << text;
}

// ---- grids of many cells -------------------------------------------------------------------------

TEST(FormatsTest, GridsOfManyCellsAreOnePicture) {
  EXPECT_EQ(pictured_grids(everything(40)), std::vector<bool>{false});
  EXPECT_EQ(pictured_grids(everything(45)), std::vector<bool>{true});
  Scene two = everything(40);
  two.grids.push_back(two.grids[0]);
  two.grids[1].rows = 20;
  EXPECT_EQ(pictured_grids(two), (std::vector<bool>{true, false}));
  const std::string file = paint(everything(45), format_named("drawio"));
  EXPECT_NE(file.find("image=data:image/png,iVBOR"), std::string::npos);
}

TEST(FormatsTest, PngHoldsThePixels) {
  const std::string pixels = "\x01\x02\x03\x04\x05\x06\x01\x02\x03\x04\x05\x06";  // two rows alike
  const std::string png = png_bytes(2, 2, pixels);
  const size_t data = png.find("IDAT");
  ASSERT_NE(data, std::string::npos);
  std::string lines(14, '\0');
  uLongf size = lines.size();
  ASSERT_EQ(uncompress(reinterpret_cast<Bytef*>(lines.data()), &size,
                       reinterpret_cast<const Bytef*>(png.data() + data + 4), png.find("IEND") - data - 12),
            Z_OK);
  EXPECT_EQ(lines, std::string("\0\x01\x02\x03\x04\x05\x06\x02\0\0\0\0\0\0", 14));
}

// ---- a box's label -------------------------------------------------------------------------------

TEST(FormatsTest, NumbersStandBesideTheLabel) {
  SceneBox box = everything().boxes[0];
  EXPECT_EQ(label_of(box).lines.size(), 1u);
  box.texts.push_back(box.texts[0]);
  box.texts[1].at.y += 12;
  box.texts[1].sources = {Source{"pattern", {0, 0}, "%.2f", Source::Of::cell, {}}};
  EXPECT_EQ(label_of(box).lines.size(), 1u);
  ASSERT_EQ(beside_label(box, label_of(box)).size(), 1u);
  EXPECT_EQ(source_name(*beside_label(box, label_of(box))[0]), "pattern[0,0] %.2f");
}

// ---- letters -------------------------------------------------------------------------------------

TEST(FormatsTest, LinesJoinWhereTheyMeet) {
  TextCanvas page(7, 5);
  page.rectangle(0, 0, 4, 2);
  page.line(2, 2, 2, 4);
  page.line(2, 4, 6, 4);
  page.write(1, 1, "\xe4\xb8\xad");  // takes two columns
  EXPECT_EQ(page.text(), "┌───┐\n│中 │\n└─┬─┘\n  │\n  └───╴\n");
}

TEST(FormatsTest, LettersKeepTheScenesOrder) {
  TextMap map;
  map.need(0, 10, 4);
  map.need(10, 10.5, 3);
  map.need(5, 30, 2);
  map.solve();
  EXPECT_EQ(map.at(0), 0);
  EXPECT_EQ(map.at(10), 4);
  EXPECT_EQ(map.at(10.5), 7);
  EXPECT_EQ(map.at(30), 7);
  EXPECT_EQ(map.at(7), map.at(5));
}

TEST(FormatsTest, XmlIsEscapedAndCleaned) {
  Xml xml;
  xml.open("a").set("b", "<\"&\x01>").open("c").text("x<y\xff").close().open("d");
  EXPECT_EQ(xml.take(), "<a b=\"&lt;&quot;&amp;&gt;\"><c>x&lt;y\xef\xbf\xbd</c><d/></a>");
}

}  // namespace
}  // namespace limpid

// Figures: a network laid out once, as a scene that painters only paint.
//
//   Scene scene = network_scene(graph, {});          // or of a trace: its words, its sizes
//   write_figure(scene, "net.svg");              // or .pptx, .drawio, ...: formats() lists them
//
// The layout reads the graph and nothing else: columns are the longest way from the input, an edge that skips
// several stages between equal shapes is a residual path (dashed, below), stages that share a group's name
// stand in its frame, and blocks.0, blocks.1, ... of equal structure are drawn once.  A long network goes on
// in a further row, cut where it is one value wide.  Parameters are not drawn; nor are views (unless they
// join several axes), the stages of a gradient, and tables of constants that several stages share.
//
// Nothing crosses a box, text keeps to its box, and no two labels meet: tests/draw_test.cpp holds that.  The
// same call gives the same scene, and the same scene the same bytes.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "limpid/scene.h"

namespace limpid {

// ---- layout --------------------------------------------------------------------------------------

struct SceneOptions {
  std::string title;  // said to programs and screen readers; drawn by whoever shows the figure
  /// Rows are cut to fit; where that saves one, a row may be 8% wider.  The smallest text is then at least 7
  /// pt on A4 in landscape (880: in portrait).
  double width = 1240;
  std::vector<Token> tokens;         // the sentence: at most six places are drawn, the others elided
  std::map<Axis, int64_t> sizes;     // bound sizes; where all axes of a value are known, edges show numbers
  std::string token_word = "token";  // what a place is called
  bool legend = true;
};

/// The network figure.  Throws Error{call} for a graph without stages.
Scene network_scene(const Graph&, const SceneOptions& = {});
/// The network that ran, with the words and the sizes of the run.
Scene network_scene(const Trace&, SceneOptions = {});

// ---- painters ------------------------------------------------------------------------------------

enum class Theme {
  automatic,  // light, and dark where the reader prefers dark pages
  light,
  dark,
};
std::string_view name(Theme);
/// Throws Error{call} listing the themes.
Theme theme_named(std::string_view name);

struct PaintOptions {
  Theme theme = Theme::automatic;  // formats that cannot choose by themselves are light
  int columns = 100;               // of a terminal
  bool compressed = false;         // .drawio: its text deflated, as older programs write it
};

/// A kind of file that figures can be written as.  One file of src/draw/formats/ each.
struct Format {
  std::string ending;  // "svg": of the file's name, and the word for --format
  std::string name;    // "SVG"
  std::string about;   // what it is for, in one line
  bool deck = false;   // whether several pages go into one file
  std::string (*paint)(const std::vector<Slide>& pages, const PaintOptions&) = nullptr;
};
/// Every format of this build.
const std::vector<Format>& formats();
/// Throws Error{call} listing the formats there are.
const Format& format_named(std::string_view ending);
/// By the ending of a file's name.
const Format& format_of(const std::filesystem::path&);

/// The bytes of the file.  The same pages give the same bytes.  Throws Error{call} for several pages where
/// the format holds one.
std::string paint(const std::vector<Slide>& pages, const Format&, const PaintOptions& = {});
std::string paint(const Scene&, const Format&, const PaintOptions& = {});
std::string to_svg(const Scene&, const PaintOptions& = {});
/// The same as a file, which appears whole or not at all; the format by its ending.
void write_figure(const std::vector<Slide>& pages, const std::filesystem::path&, const PaintOptions& = {});
void write_figure(const Scene&, const std::filesystem::path&, const PaintOptions& = {});

}  // namespace limpid

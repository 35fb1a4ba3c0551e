// Figures: a network laid out once, as a scene that painters only paint.
//
//   Scene scene = network_scene(graph, {});          // or of a trace: its words, its sizes
//   write_svg(scene, "net.svg");
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

#include "limpid/trace.h"

namespace limpid {

// ---- the scene -----------------------------------------------------------------------------------

/// Units are SVG's: x to the right, y downwards.
struct Point {
  double x = 0, y = 0;
  bool operator==(const Point&) const = default;
};

struct Rect {
  double x = 0, y = 0, width = 0, height = 0;
  double right() const { return x + width; }
  double bottom() const { return y + height; }
  Point centre() const { return {x + width / 2, y + height / 2}; }
  /// Whether the two share more than `slack` in both directions.
  bool meets(const Rect& other, double slack = 0) const;
  bool holds(const Rect& other, double slack = 0) const;
};

/// One line of text in DejaVu Sans.  Valid UTF-8 without control characters.
struct SceneText {
  enum class Kind {
    label,   // what a box says
    token,   // a word of the sentence
    shape,   // sizes or axis letters of an edge's value
    name,    // words beside an edge
    title,   // of a frame
    legend,  // what colours and letters mean
  };
  enum class Anchor { start, middle, end };
  Kind kind = Kind::label;
  std::string text;
  Point at;  // on the baseline
  Anchor anchor = Anchor::start;
  double size = 12;
  Role role = Role::plain;
  /// What it covers, by the font's metrics.
  Rect bounds() const;
};

/// Which side of a box an edge leaves or enters by.
enum class Side { left, top, right, bottom };
struct Port {
  Side side = Side::left;
  Point at;  // on the border
};

struct SceneBox {
  enum class Look { stage, bare };  // bare: no border (a word of the sentence, the result)
  std::string name;                 // stage or input; unique in a scene
  Look look = Look::stage;
  Role role = Role::plain;
  Rect rect;
  std::vector<SceneText> texts;  // all inside rect
  std::vector<Port> ports;
  std::string equation, caption;  // what the stage says of itself
};

/// A way from a port of one box to a port of another, in horizontal and vertical pieces; an arrow at its end.
struct SceneConnector {
  int from = 0, to = 0;            // boxes
  int from_port = 0, to_port = 0;  // of these boxes
  std::vector<Point> points;       // first and last are those ports
  int fork = 0;                    // up to points[fork] it runs along another connector of the same value
  Role role = Role::plain;
  bool residual = false;  // dashed
  std::string value;      // what flows: its name in the graph
};

/// A frame round boxes: "Self-Attention, 12 heads", "Block x 12".
struct SceneFrame {
  std::string name;  // the group, or the repeated blocks
  SceneText title;
  Rect rect;
  int64_t repeats = 1;     // drawn as a stack when more than one
  int depth = 0;           // 0 outermost
  std::vector<int> boxes;  // all inside rect
};

/// A small dot: where one value goes several ways, and the key of the colours.
struct SceneMark {
  Point at;
  Role role = Role::plain;
};

struct Scene {
  double width = 0, height = 0;
  std::string title;
  std::string description;         // the figure said in words, left to right
  std::vector<SceneFrame> frames;  // outermost first
  std::vector<SceneConnector> connectors;
  std::vector<SceneMark> marks;
  std::vector<SceneBox> boxes;   // in reading order
  std::vector<SceneText> texts;  // beside edges, and the legend
};

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

struct SvgOptions {
  Theme theme = Theme::automatic;
};

/// One SVG document: real text, a title and a description, no scripts, nothing from outside.
std::string to_svg(const Scene&, const SvgOptions& = {});
/// The same as a file, which appears whole or not at all.
void write_svg(const Scene&, const std::filesystem::path&, const SvgOptions& = {});

}  // namespace limpid

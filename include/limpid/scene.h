// A scene: what a figure holds, laid out to the last coordinate, so that painters only paint.
//
// Everything a figure can say is here: boxes and the connectors between their ports, frames, grids of cells,
// plain lines, bars, dots and texts.  Units are SVG's: x to the right, y downwards.  Every number that is
// drawn carries where it comes from (Source), or its text is of a kind that says it is none of the run's: a
// shape, a count, an index, a tick.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "limpid/api.h"
#include "limpid/trace.h"

namespace LIMPID_API limpid {

// ---- geometry ------------------------------------------------------------------------------------

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

// ---- where a number comes from -------------------------------------------------------------------

/// Where a drawn number comes from: a cell of a value of the run, or a window of cells and what was made of
/// them, and how it is written.  Its text stands in the drawn file:
///
///   blocks.0.attn.pattern[0,1,2,3] %.2f            that cell
///   mean blocks.0.attn.pattern[0,1,0:4,8:16] %.2f  of the window (from, to; the last is not in it)
///
/// Index and axes are those of the value as the trace keeps it, batch included.  A training run's reports are
/// `loss[2]`, `accuracy[2]`, `validation[2]`, ...: the report's place in the run.
struct Source {
  enum class Of {
    cell,
    mean,      // of the window
    least,     // finite number of it
    largest,   // finite number of it
    evenness,  // entropy of the window's numbers, which sum to 1, as a share of that of all alike
    length,    // root of the sum of squares
    mass,      // sum along the last axis, mean over the others: of weights, what several places get together
  };
  std::string stage;            // the value's name: "blocks.0.attn.pattern"
  Index index;                  // of the cell, or of the window's first
  std::string format = "%.2f";  // as printf has it, for one double; "text": it is words, as they are
  Of of = Of::cell;
  std::vector<int64_t> extent;  // of the window along each axis; empty for one cell
};
std::string_view name(Source::Of);
/// The form above; source_from throws Error{work} naming what is wrong with a text.
std::string to_string(const Source&);
Source source_from(std::string_view text);
/// The number, and as it is written: from exactly those cells of the trace.  Throws Error{work} where the
/// trace does not hold them.
double number_of(const Source&, const Trace&);
std::string written(const Source&, const Trace&);
/// The number as it is written: by the source's format; "NaN", "inf", "-inf"; "0" for zero, "<0.01" or
/// ">-0.01" for what is smaller than the format can show.
std::string written(const Source&, double number);

// ---- texts ---------------------------------------------------------------------------------------

/// A piece of a typeset text (an equation): raised or lowered and smaller, or italic as variables are.
struct SceneRun {
  enum class Level { line, sub, super };
  std::string text;
  Level level = Level::line;
  bool italic = false;
};
/// Of a raised or lowered run: its size, and how far its baseline lies from the line's, as shares of the
/// text's.
inline constexpr double k_script_size = 0.7, k_sub_drop = 0.2, k_super_rise = 0.36;

/// One line of text in DejaVu Sans.  Valid UTF-8 without control characters.
struct SceneText {
  enum class Kind {
    label,     // what a box says
    token,     // a word of the sentence or of the vocabulary
    shape,     // sizes or axis letters of a value
    name,      // words beside an edge, a grid or a bar
    title,     // of a frame or a part of the figure
    legend,    // what colours and letters mean
    number,    // of the run: has sources, in the order in which its numbers stand
    count,     // how many of something there are
    index,     // a place: of a token, a layer, a head, a step
    tick,      // of an axis or a scale of colours
    heading,   // of a page
    note,      // what a page or part of it says in a sentence
    equation,  // what a stage computes, in letters
    page,      // the number of a page in its deck
  };
  enum class Anchor { start, middle, end };
  Kind kind = Kind::label;
  std::string text;
  Point at;  // on the baseline
  Anchor anchor = Anchor::start;
  double size = 12;
  Role role = Role::plain;
  bool upright = false;  // turned about `at` by a quarter, so that it reads from bottom to top
  std::vector<Source> sources;
  int box = -1;  // of what stands beside an edge: the box whose value it tells of
  /// On a cell of a grid or a filled bar: how deep the ground is (0 to 1, of `role`'s scale), so that the ink
  /// can be chosen by it.
  std::optional<double> ground;
  /// The same text typeset, in pieces; empty: as it stands in `text`, which is what a format without
  /// subscripts writes.
  std::vector<SceneRun> runs = {};
  /// What it covers, by the font's metrics.
  Rect bounds() const;
};
std::string_view name(SceneText::Kind);

// ---- boxes and connectors ------------------------------------------------------------------------

/// Which side of a box an edge leaves or enters by.
enum class Side { left, top, right, bottom };
struct Port {
  Side side = Side::left;
  Point at;  // on the border
};

struct SceneBox {
  enum class Look {
    stage,   // a border in the role's colour
    bare,    // no border (a word of the sentence, the result)
    filled,  // the role's colour, faintly, without a border
  };
  std::string name;  // stage or input; unique in a scene
  Look look = Look::stage;
  Role role = Role::plain;
  Rect rect;
  std::vector<SceneText> texts;  // all inside rect
  std::vector<Port> ports;
  std::string equation, caption;  // what the stage says of itself
  bool lit = false;               // what the page is about: filled with its role's colour, faintly
  std::string edit;  // what an edit of the run made of its value: "set to 0"; its border is dashed
};

/// A way from a port of one box to a port of another, in horizontal and vertical pieces; an arrow at its end.
struct SceneConnector {
  int from = 0, to = 0;            // boxes
  int from_port = 0, to_port = 0;  // of these boxes
  std::vector<Point> points;       // first and last are those ports
  int fork = 0;                    // up to points[fork] it runs along another connector of the same value
  Role role = Role::plain;
  bool residual = false;  // dashed
  bool severed = false;   // what it enters was edited, not computed from this: dotted, without the arrow
  std::string value;      // what flows: its name in the graph
  double width = 1.6;
  bool arrow = true;  // false: of a small map, where heads would fill the gaps
};

/// A frame round boxes: "Self-Attention, 12 heads", "Block x 12".
struct SceneFrame {
  std::string name;  // the group, or the repeated blocks; unique among the frames
  SceneText title;
  Rect rect;
  int64_t repeats = 1;     // drawn as a stack when more than one
  int depth = 0;           // 0 outermost
  std::vector<int> boxes;  // all inside rect
};

/// A small dot: where one value goes several ways, a point of a plot, and the key of the colours.
struct SceneMark {
  Point at;
  Role role = Role::plain;
};

// ---- numbers as pictures -------------------------------------------------------------------------

/// A matrix as cells, all of one size, the deeper the colour the larger the number.
struct SceneGrid {
  std::string name;  // what a reader calls it: "Q, head 1"; unique among the grids
  Role role = Role::plain;
  Rect rect;  // rows and columns divide it evenly
  int64_t rows = 0, columns = 0;
  std::vector<double> values;    // row by row; NaN where there is none (drawn as a hole)
  std::vector<bool> masked;      // row by row, or empty: cells that the mask takes away (drawn as holes)
  double low = 0, high = 1;      // what the palest and the deepest colour stand for
  std::vector<SceneText> texts;  // in the cells, where they fit; each with its source
  /// The top left cell, and along which axes of it rows and columns count; the cell of row r and column c
  /// covers row_at[r] to row_at[r + 1], and column_at likewise (several places where the grid is pooled).
  /// Where both are one axis (patches of an image), it is the place row_at[r] + column_at[c].  An empty
  /// stage: the grid is a key of colours.
  Source source;
  int row_axis = 0, column_axis = 0;
  std::vector<int64_t> row_at, column_at;
  /// A picture under the cells, row by row, 0xrrggbb; empty: none.  A plain grid shows it as it is, any other
  /// mixes its role's colour in, the more the larger the number.
  std::vector<uint32_t> picture;

  double cell_width() const { return columns > 0 ? rect.width / static_cast<double>(columns) : 0; }
  double cell_height() const { return rows > 0 ? rect.height / static_cast<double>(rows) : 0; }
  Rect cell(int64_t row, int64_t column) const;
  /// Where the number of a cell comes from.
  Source source_of(int64_t row, int64_t column) const;
  /// 0 to 1, the place of a cell's number between low and high; nothing for a hole.
  std::optional<double> shade(int64_t row, int64_t column) const;
  bool pooled() const;
  bool of_patches() const { return row_axis >= 0 && row_axis == column_axis; }
};

/// What an end of a line holds on to: the middle of a side of a box or of a grid.
struct LineEnd {
  enum class On { nothing, box, grid };
  On on = On::nothing;
  int index = -1;  // in scene.boxes or scene.grids
};

/// A line in any direction: a token's arrows, a head's lines, a curve of a plot, an axis.
struct SceneLine {
  std::string name;           // what it stands for: "short attends to Life"; may be empty
  std::vector<Point> points;  // two or more
  Role role = Role::plain;
  double width = 1.6, opacity = 1;
  bool arrow = false, dashed = false;
  bool faint = false;            // an axis, a ruler
  std::optional<Source> source;  // of the number that its width or opacity shows
  /// Where it joins shapes, formats of native shapes glue it to them; its first and last point are the
  /// middles of the sides that it joins.
  LineEnd from = {}, to = {};
};

/// A filled bar.
struct SceneBar {
  std::string name;
  Rect rect;
  Role role = Role::plain;
  double shade = 1;              // as a grid's
  std::optional<Source> source;  // of the number that its length shows
};

// ---- the scene -----------------------------------------------------------------------------------

/// One thing said about a figure, as somebody who draws it by hand would follow it.
struct SceneStep {
  std::string text;
  int depth = 0;         // inside how many headings it stands
  bool heading = false;  // names what the deeper steps after it belong to
  bool numbered = true;  // counts as a step; false: a remark, such as what the input is
  int box = -1;          // that it is about
};

struct Scene {
  double width = 0, height = 0;
  std::string title;
  std::string description;         // the figure said in words, in one paragraph: its alternative text
  std::vector<SceneStep> steps;    // the same step by step
  std::vector<SceneFrame> frames;  // outermost first
  std::vector<SceneBar> bars;
  std::vector<SceneGrid> grids;
  std::vector<SceneLine> lines;
  std::vector<SceneConnector> connectors;
  std::vector<SceneMark> marks;
  std::vector<SceneBox> boxes;   // in reading order
  std::vector<SceneText> texts;  // beside all else
  // Painted in this order, later ones over earlier ones.
};

/// A scene as a page of a deck.
struct Slide {
  Scene scene;
  std::string title;  // the scene draws it too, as its heading, where it is made for a deck
  std::string notes;  // what the speaker may say
};

}  // namespace LIMPID_API limpid

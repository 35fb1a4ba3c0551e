// Where everything of an outline stands: columns, rows, heights.  The one place of layout; painters know
// nothing of it.
//
// A node's column ("layer") is the longest way to it from the input.  An edge that passes layers on its way
// takes a lane through them.  The layers are cut into rows where the network is one value wide.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "draw/layout/outline.h"
#include "draw/scene/text.h"
#include "limpid/draw.h"

namespace limpid::draw {

// Distances, in units of the scene.
inline constexpr double k_margin = 24;       // round the figure
inline constexpr double k_box_height = 50;   // of a box with one or two lines
inline constexpr double k_line_height = 18;  // of text in a box
inline constexpr double k_lane_gap = 28;     // between a box and a lane
inline constexpr double k_track = 14;        // between parallel lines
inline constexpr double k_arrow = 20;        // the last straight piece of an edge
inline constexpr double k_least_gap = 36;    // between columns
inline constexpr double k_frame_pad = 16;    // between a frame and what it holds
inline constexpr double k_frame_title = 22;  // room for a frame's title
inline constexpr double k_name_width = 96;   // of the words below an edge

/// How close things stand, and how large the words beside the names in boxes are.  A figure too large for a
/// sheet is laid out dense: printed smaller, its smallest text is still large enough.
struct Spacing {
  double small = k_small_size, title = k_title_size;
  double beside = 12;                       // of a box's text, to the left and to the right
  double box_gap = 56;                      // between boxes of a column: room for a way into a box from above
  double word_pitch = 30;                   // between the words of the sentence
  double turn_above = 30, turn_below = 20;  // of the line from a row to the next, from what stands there
  std::string_view parameter = "parameter";  // 591K parameters
};
inline constexpr Spacing k_roomy;
inline constexpr Spacing k_dense = {k_label_size, k_label_size, 9, 42, 22, 24, 14, "param"};

/// A node, or the lane of a value through a layer.  The first items are the nodes, in their order.
struct Item {
  int node = -1;    // -1: a lane
  int source = -1;  // of a lane: the node whose value passes
  int layer = 0;
  double width = 0, height = 0;
  double x = 0, y = 0;  // centre; y counts from the row's axis
};

/// By which side an edge enters its box.
struct Join {
  Side side = Side::left;
  double offset = 0;  // of the port from the middle of that side
};

/// What stands beside the edges of a value.
struct EdgeWords {
  std::string shape;         // T×C
  std::string above, below;  // of the line: the shape, with a short name before it; a longer name
  Role role = Role::plain;
};

/// The room before a layer: for labels, the borders of frames, and lines that change their height.
struct Gap {
  double width = 0, label = 0;  // in all; from the boxes' right sides to where frames and tracks begin
  double before = 0;            // borders of frames that end here, before the label
  double after = 0;             // borders of frames that begin here, after the label
  std::vector<int> tracks;      // nodes whose value changes its height here, left to right
};

struct Row {
  int first = 0, last = 0;  // layers
  bool raised = false;      // labels stand above the boxes instead of between them, to save room
  double left = 0, right = 0;
  double top = 0, bottom = 0;  // of boxes, frames and lanes, counted from the axis
  double axis = 0;             // its place on the page
};

struct Layout {
  const Outline* outline = nullptr;
  Spacing spacing;
  std::vector<Item> items;
  std::vector<std::vector<int>> layers;  // items, top to bottom
  std::vector<std::vector<int>> chains;  // by edge: items from source to target; empty for a residual path
  std::vector<Join> joins;               // by edge
  std::vector<EdgeWords> words;          // by node: what its value says
  std::vector<Gap> gaps;                 // by layer: before it
  std::vector<Row> rows;
  std::vector<double> word_heights;  // of the sentence's arrows, from its middle

  const Node& node(int i) const { return outline->nodes[static_cast<size_t>(i)]; }
  const Item& item(int i) const { return items[static_cast<size_t>(i)]; }
  Item& item(int i) { return items[static_cast<size_t>(i)]; }
  const Edge& edge(int i) const { return outline->edges[static_cast<size_t>(i)]; }
  int edges() const { return static_cast<int>(outline->edges.size()); }
  int row_of(int layer) const;
  /// The height at which an edge arrives at its target: of its last lane, or of its source.
  double approach(int edge) const;
};

/// Columns, lanes, their order and heights (layers.cpp).  `sizes` are of the nodes' boxes.
void place_layers(Layout&, const std::vector<Rect>& sizes);

/// Gaps between columns, rows of at most `width` where they can be cut, and x (rows.cpp).
void place_rows(Layout&, double width);

/// Whether the label of this edge, which goes straight on to the next box, may stand above the two boxes.
bool can_rise(const Layout&, int edge);

/// Layers in which a frame's nodes stand.
struct Span {
  int first = 0, last = 0;
};
Span span_of(const Layout&, const Framed&);

}  // namespace limpid::draw

// A scene as nodes, edges and frames, for the formats that lay a graph out by themselves (Mermaid, DOT).
#pragma once

#include <string>
#include <vector>

#include "draw/formats/native.h"
#include "limpid/draw.h"

namespace limpid::draw {

struct OutlineNode {
  std::string name;                // the box's or the grid's
  std::vector<std::string> lines;  // its words
  std::string hint;                // equation and caption; for numbers, their sources
  Role role = Role::plain;
  bool bare = false;
  int frame = -1;  // the innermost that holds it
};

struct OutlineEdge {
  int from = 0, to = 0;  // nodes
  std::string label;     // what the figure writes beside it
  Role role = Role::plain;
  bool dashed = false;
  bool severed = false;  // without an arrow: what it enters was edited
  std::string hint;      // where the number of the label comes from
};

struct StructureOutline {
  std::vector<OutlineNode> nodes;
  std::vector<OutlineEdge> edges;
  Nesting nesting;
};

/// Boxes, connectors and frames; then grids, and the arrows from one to another.  A text that stands beside
/// one connector and no other is that edge's label.
StructureOutline outlined(const Scene&);

/// The connector that a text stands beside; -1: none.
int connector_beside(const Scene&, const SceneText&);

}  // namespace limpid::draw

// What of a graph is drawn: its stages as nodes, what flows between them as edges, what belongs together as
// frames.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "limpid/graph.h"

namespace limpid::draw {

struct Node {
  enum class Kind {
    stage,
    words,   // the sentence: the network's first input along axis T
    input,   // any other input
    result,  // what comes out at the end
  };
  Kind kind = Kind::stage;
  std::string name, label, equation, caption;
  Role role = Role::plain;
  int order = 0;           // as written: nodes of one column keep this order unless lines would cross
  bool constant = false;   // depends on no input's numbers
  int64_t parameters = 0;  // how many numbers it has learned, in all repetitions of a closed block
  std::string edit;        // what the run's edits made of its value; of a block, of what is inside
};

struct Edge {
  int from = 0, to = 0;
  int value = -1;
  bool residual = false;
  bool steady = false;   // the value has the shape of what the node gives: the stream goes on
  bool severed = false;  // what it enters was edited, not computed from it
};

struct Framed {
  std::string name, title;
  int64_t repeats = 1;
  std::vector<int> nodes;
};

struct Outline {
  std::vector<Node> nodes;
  std::vector<Edge> edges;  // at most one between two nodes
  /// Nodes that stand right of others without taking anything from them, (left, right).
  std::vector<std::pair<int, int>> behind;
  std::vector<Framed> blocks;
  std::vector<Framed> groups;
};

/// A graph with an encoder and a decoder has the encoder first, and says which of both a block is of.
/// `open` as find_blocks has it; `edited`: what the run's edits made of values, in words, by their names.
Outline outline_of(const Graph&, const std::vector<std::string>& open = {},
                   const std::map<std::string, std::string>& edited = {});

}  // namespace limpid::draw

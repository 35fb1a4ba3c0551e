// What other programs call the values of a network.
#pragma once

#include <string>
#include <vector>

#include "limpid/graph.h"

namespace limpid {

/// What an array of another program means here.
struct NamedValue {
  std::string given;  // the array's own name
  std::string name;   // limpid's: a value's or a second name of one
  // TransformerLens' hook_normalized of an RMS norm is taken before the gain, limpid's after it.
  bool maybe_before_gain = false;
};

/// The name of A's graph that an array's name stands for; empty `name` where it names nothing.
NamedValue value_named(const Graph&, const std::string& given);

/// The layers of a graph: how many blocks.N there are.
int layers_of(const Graph&);

}  // namespace limpid

// Whether what a stored trace says of its graph fits together.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "limpid/trace.h"

namespace limpid {

/// An axis that has one size in a run; T and S of an encoder-decoder's source are others than those of its
/// text.
struct SizedAxis {
  Axis axis = Axis::none;
  bool source = false;   // positions of an encoder-decoder's source
  bool columns = false;  // a batch of tables, whose columns the network reads as rows of a larger batch
  auto operator<=>(const SizedAxis&) const = default;
};
inline SizedAxis sized_axis(const std::string& value, const Shape& shape, Axis axis) {
  const bool table = axis == Axis::B && shape.find(Axis::K) >= 0 && shape.find(Axis::Y) < 0;
  return {axis, counts_source(value, axis), table};
}

/// Holds the graph of a trace that was read to the operations' own shape rules, with `sizes` for the sizes
/// that the graph leaves open; the values stored to the shapes that follow; and the names that pages and
/// figures look for to the axes that these names have (docs/trace-file.md).  After this a reader may rely on
/// all of them.  Throws Error{work} naming the file and the stage.
void check_graph(const Trace&, const std::map<SizedAxis, int64_t>& sizes, const std::string& file);

/// The shapes that the graph's values had in the run, by their order in the graph: as far as the values held
/// and the tokens tell; a size that nothing tells is open (-1).
std::vector<Shape> shapes_in_run(const Trace&, const std::string& file);

}  // namespace limpid

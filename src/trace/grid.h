// Grids of T x S: who looks at whom, head beside head.
#pragma once

#include "trace/paper.h"
#include "trace/reading.h"

namespace limpid {

struct Grid {
  Rows cells;  // [H,T,S]
  int64_t layer = 0;
  std::vector<int64_t> heads;  // which to draw
  bool weights = false;        // shares of 1: shaded, or with bars; else plain scores

  int64_t keys() const { return cells.numbers.shape()[2].size; }
  /// Of a query whose row was kept.
  double at(int64_t head, int64_t query, int64_t key) const {
    return cells.numbers.at({head, cells.find(query), key});
  }
};

/// Every cell's number, coloured (or with a bar); masked cells are dots.  Heads stand side by side as far as
/// they fit, in at most `most_bands` bands; returns how many heads were drawn.
size_t print_grid(Paper&, const Reading&, const Grid&, const PageOptions&, size_t most_bands);

/// The same without numbers, two columns a cell: for a look at many heads.
void print_small_grid(Paper&, const Reading&, const Grid&, const PageOptions&);

/// How many heads print_grid puts side by side.
size_t heads_abreast(const Paper&, const Reading&, const Grid&, const PageOptions&);

}  // namespace limpid

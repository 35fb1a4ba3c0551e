// A value of A beside the array of B that means the same.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "limpid/diff.h"
#include "trace/diff/names.h"

namespace limpid {

/// The numbers of both under one shape, in double.
struct AlignedNumbers {
  Tensor here, there;
  int repeated_axis = -1;  // B has this axis (grouped heads) repeated `repeats` times, and `here` too
  int64_t repeats = 1;

  /// The cell of A's own value.
  Index cell_of(Index cell) const {
    if (repeated_axis >= 0) cell[static_cast<size_t>(repeated_axis)] /= repeats;
    return cell;
  }
};

/// B's numbers as A has them: axes of size 1 may be missing or added (a batch of one, keepdim), neighbouring
/// axes may be joined ([T,H,D] and [T,H*D]), heads may stand before positions, grouped heads may be repeated.
/// Nothing where the shapes do not fit.
std::optional<AlignedNumbers> aligned(const ConstView& here, const ConstView& there);

/// One name by which both hold a value.
struct Pair {
  std::string name;   // A's name, or second name
  std::string other;  // B's
  int value = -1;     // of A's graph
  const Tensor* here = nullptr;
  Tensor there;  // where it had to be converted, else empty
  const Tensor* given = nullptr;
  ConstView other_numbers() const { return given ? given->view() : there.view(); }
};

struct Pairs {
  std::vector<Pair> pairs;           // in the order of A's graph
  std::vector<std::string> missing;  // values that A holds and B lacks
  std::vector<std::string> unknown;  // arrays of B that are nothing of A
  std::vector<std::string> notes;
};
/// Both must outlive what comes back.
Pairs pairs_of(const Trace& a, const Activations& b);

}  // namespace limpid

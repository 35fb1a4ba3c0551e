// Which known mistake gives B's numbers: found by running the region with it.
#pragma once

#include "limpid/diff.h"
#include "trace/diff/align.h"
#include "trace/diff/region.h"

namespace limpid {

/// Fills `out.hypotheses`, `out.tried` and notes.  `pair` is the one that parts, `all` every pair.
void find_hypotheses(Diff& out, Region&, const Pair& pair, const Pairs& all, const Trace& a,
                     const Activations& b);

}  // namespace limpid

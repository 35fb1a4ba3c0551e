// What lies between the forward and the backward pass, in half the memory.
#pragma once

#include "limpid/graph.h"

namespace limpid {

/// The same graph, but what its gradient, the stages from `first` on, reads of the stages before is kept in
/// bf16 until then: a stage `narrow` stands behind the one that makes the value, a stage `widen` before those
/// of the gradient that read it.  What a group makes is not kept but computed again from its widened inputs
/// (NAME.again), so that attention's weights and sums fit together.  The arena does the rest: the f32 numbers
/// end with their last reader of the forward pass, which has the same bits.
///
/// In f32 stays what is small (statistics of rows, values of fewer than three axes), what no parameter
/// influences (angles of positions), and what the loss itself reads, which its gradient reads at once.
/// `first` is the stage with which differentiate(graph, loss) began.
Graph with_bf16_activations(const Graph&, int first);

}  // namespace limpid

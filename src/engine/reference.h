// The reference: every stage by its operation's plain loops, in order.  What --plain runs, and what the
// fast way is held against.
#pragma once

#include <map>
#include <vector>

#include "limpid/graph.h"

namespace limpid {

/// Values by id.  Views stay valid as long as the tensors they look at.
using ValueViews = std::vector<ConstView>;

/// The shapes of every value when the inputs and parameters have the given ones (id -> shape; the others
/// follow).  Throws Error{call} naming the stage that does not fit.
std::vector<Shape> bind_shapes(const Graph&, const std::map<int, Shape>& bound);

/// The type a value has in a run with this real type.
DType run_dtype(const Value&, DType real);

/// Runs what belongs to one stage; an Error says of which.
template <class Run>
void run_as(const StageInfo& stage, const Run& run) {
  try {
    run();
  } catch (const Error& error) {
    throw Error(error.kind(), join("stage '", stage.name, "': ", error.what()));
  }
}

/// Runs one stage by its reference; `outputs` must have the shapes that bind_shapes gave.
void run_stage(const StageInfo&, Inputs, Outputs, const RunContext&);

/// Runs every stage of a graph in order and keeps everything: simple, for tests and small networks.
std::vector<Tensor> run_all(const Graph&, const std::map<std::string, Tensor>& bound, DType real,
                            const RunContext& = {});

}  // namespace limpid

// One stage with its inputs, to be run as it is or otherwise.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "limpid/graph.h"

namespace limpid {

using Tensors = std::vector<const Tensor*>;

struct StageCall {
  const Graph& graph;
  const StageInfo& stage;
  Tensors in;  // f64, or i64
  RunContext context = {};
  const Tensor* wanted = nullptr;  // B's numbers, where this stage's output is the one that parts
  int wanted_output = 0;

  const Options& options() const { return stage.operation->options(); }
  /// Another operation, or other options; throws Error where the inputs do not fit it.
  std::vector<Tensor> run(const std::string& kind, const Options&, const Tensors& inputs) const;
  std::vector<Tensor> run() const { return run(stage.operation->kind(), options(), in); }
};

/// A way of computing a stage.
struct Variant {
  std::string what;  // the same for stages that are got wrong in the same way
  int rank = 0;      // of two that give the same numbers the lower is named first
  std::function<std::vector<Tensor>(const StageCall&)> run;
};

}  // namespace limpid

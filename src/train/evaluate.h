// How a network does on examples; what simple rules do on the same.
#pragma once

#include "train/score.h"

namespace limpid {

/// A network's parameters and a batch's inputs by name, and the inputs of which every example has the same:
/// token types, all 0.  `batch` outlives it and gets them.
std::map<std::string, ConstView> bindings(const Graph&, const std::map<std::string, Tensor>& parameters,
                                          Batch& batch);

/// What a step runs: forward, loss and the gradient of every parameter.  `packed`: Purpose::train_packed.
/// `activations`: as what the gradient reads of the forward pass is kept until then.
void build_training(Graph&, const NetworkConfig&, bool packed, Activations activations = Activations::f32);

/// Measures a network without its dropout and label smoothing.
class Evaluator {
 public:
  explicit Evaluator(const NetworkConfig&);
  const Graph& graph() const { return graph_; }
  const Engine& engine() const { return engine_; }
  Trainer::Evaluation batch(const std::map<std::string, Tensor>& parameters, Batch) const;
  /// Over a part of the data, of which each rank measures its batches.  `options`: of evaluate_task.
  Trainer::Evaluation part(const std::map<std::string, Tensor>& parameters, const TaskData&, Part,
                           const TaskEvaluationOptions& options, Ranks&) const;

 private:
  void add(const std::map<std::string, Tensor>& parameters, Batch, Score&) const;

  Graph graph_;
  Engine engine_;
};

std::vector<Baseline> baselines(const SeriesWindows&, const RowRange&);

}  // namespace limpid

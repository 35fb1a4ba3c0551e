// AdamW: Adam with decoupled weight decay (Loshchilov and Hutter 2019).
#pragma once

#include <map>
#include <string>

#include "limpid/train.h"

namespace limpid {

class AdamW {
 public:
  /// Moments of zero for every parameter; `graph` says which of them decay.
  AdamW(const Recipe&, const Graph& graph, const std::map<std::string, Tensor>& parameters);

  /// One step on all parameters, gradients clipped together to the recipe's norm.  Returns the norm before
  /// clipping; where that is no finite number nothing is changed.  The same bits at any number of threads.
  double step(std::map<std::string, Tensor>& parameters, const std::map<std::string, Tensor>& gradients,
              int64_t number, double learning_rate);

  std::map<std::string, Tensor> first, second;  // moments, by parameter

 private:
  const Recipe recipe_;
  std::map<std::string, bool> decays_;
};

/// Linear warm-up, then a cosine to least_rate at the last step.
double learning_rate(const Recipe&, int64_t step);

}  // namespace limpid

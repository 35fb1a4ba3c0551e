// Low-rank adapters (LoRA: Hu 2021, arXiv 2106.09685): a matrix W of a model learns as W + alpha / rank A B.
// The network runs with the sum in W's place, so that no stage of it changes; dA and dB follow from dW.
#pragma once

#include <map>
#include <string>

#include "limpid/engine.h"
#include "limpid/recipe.h"

namespace limpid {

class Adapters {
 public:
  /// Of every matrix inside the blocks.  A is drawn, B is zero: the model begins as it is.
  Adapters(const Graph&, const std::map<std::string, Tensor>& parameters, const LoraOptions&, uint64_t seed);

  /// The matrices that learn, by the parameter's name.
  const std::map<std::string, StorableMatrix>& matrices() const { return matrices_; }
  /// "NAME.A" [rows,rank], "NAME.B" [rank,columns].
  std::map<std::string, Tensor> factors;

  /// Writes W + alpha / rank A B into the parameters.
  void apply(std::map<std::string, Tensor>& parameters) const;
  /// The gradients of the factors, from those of the matrices.
  void gradients_of(std::map<std::string, Tensor>& gradients, std::map<std::string, Tensor>& of_factors);

 private:
  std::map<std::string, StorableMatrix> matrices_;
  std::map<std::string, Tensor> base_;  // W
  float scale_ = 1;
  int64_t rank_ = 0;
};

}  // namespace limpid

// What a step does to the parameters: AdamW, Muon beside it, adapters.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "limpid/optimizer.h"
#include "limpid/recipe.h"
#include "train/adapters.h"

namespace limpid {

/// The matrices inside a network's blocks that stages only multiply by.
std::map<std::string, StorableMatrix> block_matrices(const Graph&);

class Update {
 public:
  using Parameters = std::map<std::string, Tensor>;
  Update(const Recipe&, const Graph&, const Parameters&);

  /// The parameters whose gradients a step needs.
  const std::vector<std::string>& learned() const { return learned_; }
  /// One step, in place.  Returns the norm of the gradients; where that is no finite number nothing is
  /// changed.
  double step(Parameters& parameters, Parameters& gradients, double rate);
  /// Puts the adapters' sums into the parameters (after their factors were read from a checkpoint).
  void apply(Parameters& parameters) const;
  void set_steps(int64_t steps);

  /// All state, by the prefix that it has in a checkpoint.
  std::map<std::string, Parameters*> state();

 private:
  Recipe recipe_;
  std::vector<std::string> learned_;
  std::unique_ptr<Adapters> adapters_;
  Parameters factor_gradients_;
  std::unique_ptr<AdamW> adam_;
  std::unique_ptr<Muon> muon_;  // of the matrices inside blocks, where the recipe says so
};

}  // namespace limpid

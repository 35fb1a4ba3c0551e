// What a checkpoint's values hold: tensors by name, and the rest as JSON (limpid/torch_file.h has the rules).
#pragma once

#include "files/torch/pickle.h"

namespace limpid::torch {

struct Contents {
  struct Named {
    std::string name;
    size_t tensor = 0;  // a place in Pickled::tensors
  };
  std::vector<Named> tensors;  // in the order of the pickle
  std::string values;          // JSON; "{}" where there are tensors alone
};

/// Throws Error{work} for values that nest deeper than 60 (one that holds itself does), that are more than
/// k_most_values when each is counted wherever it stands, or whose keys or tensors cannot be told apart.
Contents contents_of(const Pickled&, const std::string& file);

}  // namespace limpid::torch

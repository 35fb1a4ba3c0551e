// Parameters out of a family's file.
#pragma once

#include <map>
#include <set>

#include "limpid/graph.h"
#include "limpid/tensor_source.h"
#include "model/families/family.h"

namespace limpid {

/// Every parameter of the graph, in f32.  Throws Error{work} naming a tensor that is missing, of another
/// shape, or left over.
std::map<std::string, Tensor> parameters_of(const Graph&, const TensorTable&, const TensorSource&);

}  // namespace limpid

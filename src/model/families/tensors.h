// Parameters out of a family's file.
#pragma once

#include <map>
#include <set>

#include "limpid/graph.h"
#include "model/families/family.h"

namespace limpid {

/// Tensors by name, wherever they lie.
class NamedTensors {
 public:
  virtual ~NamedTensors() = default;
  virtual std::vector<std::string> names() const = 0;
  virtual bool has(const std::string& name) const = 0;
  virtual Shape shape(const std::string& name) const = 0;
  virtual Tensor read(const std::string& name) const = 0;
  /// For messages.
  virtual std::string path() const = 0;
};

/// Every parameter of the graph, in f32.  Throws Error{work} naming a tensor that is missing, of another
/// shape, or left over.
std::map<std::string, Tensor> parameters_of(const Graph&, const TensorTable&, const NamedTensors&);

}  // namespace limpid

#include <optional>
#include <set>

#include "limpid/engine.h"

namespace limpid {

namespace {

// How a stage reads its input `slot` as a matrix; nothing where it does not.
std::optional<StorableMatrix> matrix_of(const Operation& op, size_t slot, const Shape& shape) {
  if (slot == 1 && op.kind() == "expert_linear")
    return StorableMatrix{shape.part(0, 2).count(), shape[2].size, shape[0].size, true};
  const bool looked_up = op.kind() == "embedding";
  if (slot != 1 || (!looked_up && op.kind() != "linear")) return {};
  const int in_axes = static_cast<int>(op.options().integer("in_axes", 1));
  const int outer = looked_up ? 1 : op.options().flag("transposed") ? shape.rank() - in_axes : in_axes;
  if (outer < 0 || outer > shape.rank()) return {};
  return StorableMatrix{shape.part(0, outer).count(), shape.part(outer, shape.rank() - outer).count(), 1,
                        !looked_up};
}

}  // namespace

std::map<std::string, StorableMatrix> storable_parameters(const Graph& graph) {
  std::map<std::string, StorableMatrix> out;
  std::set<std::string> others;  // read in another way, or in two
  for (const StageInfo& stage : graph.stages())
    for (size_t slot = 0; slot < stage.inputs.size(); ++slot) {
      const Value& value = graph.value(stage.inputs[slot]);
      if (value.kind != Value::Kind::parameter || value.dtype != DType::f32 || value.shape.symbolic())
        continue;
      const auto matrix = matrix_of(*stage.operation, slot, value.shape);
      if (!matrix) {
        others.insert(value.name);
        continue;
      }
      const auto [found, is_new] = out.emplace(value.name, *matrix);
      if (!is_new && (found->second.rows != matrix->rows || found->second.columns != matrix->columns ||
                      found->second.matrices != matrix->matrices))
        others.insert(value.name);
      found->second.turned &= matrix->turned;
    }
  for (const std::string& name : others) out.erase(name);
  return out;
}

}  // namespace limpid

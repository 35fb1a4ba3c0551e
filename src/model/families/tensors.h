// Parameters out of a family's file.
#pragma once

#include <map>
#include <set>

#include "limpid/graph.h"
#include "limpid/tensor_source.h"
#include "model/families/family.h"

namespace limpid {

/// Every parameter of the network, in f32, but for those that go into `stored` (if it is given): matrices of
/// 16 bits a number or fewer that may be kept so (storable_parameters()).  `described_by` is the file that
/// describes it, for messages. Throws Error{work} where it cannot be built, has more layers than the file has
/// tensors, and naming a tensor that is missing, of another shape, or left over.  With `of_other_heads`, a
/// tensor that is left over goes there by its name, unless it stands under the model's own prefix.
std::map<std::string, Tensor> parameters_of(const Architecture&, const TensorTable&, const TensorSource&,
                                            const std::string& described_by,
                                            std::vector<std::string>* of_other_heads = nullptr,
                                            std::map<std::string, StoredMatrix>* stored = nullptr);

/// How many outputs a tensor has from which so many are taken.
inline int64_t stored_outputs(const Part& part, int64_t outputs) {
  return part.inner ? part.outer * part.inner * part.width : outputs;
}
/// Calls f(output, where it is stored) for the outputs that the part means, in order.
template <class F>
void each_output(const Part& part, int64_t outputs, F&& f) {
  const Part p = part.inner ? part : Part{1, outputs, 0, outputs, 1};
  int64_t to = 0;
  for (int64_t o = 0; o < p.outer; ++o)
    for (int64_t i = p.begin; i < p.end; ++i)
      for (int64_t d = 0; d < p.width; ++d) f(to++, (o * p.inner + i) * p.width + d);
}

/// What the one star of a pattern stands for in a name: digits ("" where the pattern has none and is the
/// name); nothing if the name does not fit.
std::optional<std::string> star_of(const std::string& pattern, const std::string& name);
std::string with_star(std::string pattern, const std::string& star);

}  // namespace limpid

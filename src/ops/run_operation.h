// For tests: one operation applied to tensors, without a graph.
#pragma once

#include "limpid/ops.h"

namespace limpid {

inline std::vector<Tensor> run_operation(const std::string& kind, const Options& options,
                                         const std::vector<Tensor>& inputs) {
  const auto operation = operations().make(kind, options);
  std::vector<Shape> shapes;
  std::vector<ConstView> in;
  for (const Tensor& tensor : inputs) {
    shapes.push_back(tensor.shape());
    in.push_back(tensor.view());
  }
  std::vector<Tensor> results;
  for (const Output& output : operation->shape(shapes))
    results.emplace_back(output.dtype == DType::f32 ? DType::f64 : output.dtype, output.shape);
  std::vector<View> out;
  for (Tensor& tensor : results) out.push_back(tensor.view());
  operation->run(in, out, {});
  return results;
}

/// The message of the Error{call} that f throws; "" if it throws none.
template <class F>
std::string complaint(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.kind() == Error::Kind::call ? error.what() : "of the wrong kind";
  }
  return "";
}

}  // namespace limpid

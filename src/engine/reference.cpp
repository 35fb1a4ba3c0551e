#include "engine/reference.h"

#include <utility>

namespace limpid {

std::vector<Shape> bind_shapes(const Graph& graph, const std::map<int, Shape>& bound) {
  std::vector<Shape> shapes(graph.values().size());
  for (size_t i = 0; i < shapes.size(); ++i) shapes[i] = graph.values()[i].shape;
  for (const auto& [id, shape] : bound) shapes[static_cast<size_t>(id)] = shape;
  for (const StageInfo& stage : graph.stages()) {
    std::vector<Shape> in;
    bool known = true;
    for (int id : stage.inputs) {
      in.push_back(shapes[static_cast<size_t>(id)]);
      known &= !in.back().symbolic();
    }
    if (!known) continue;  // an input that this run does not bind: the stage will not run
    try {
      const std::vector<Output> out = stage.operation->shape(in);
      for (size_t i = 0; i < out.size(); ++i) shapes[static_cast<size_t>(stage.outputs[i])] = out[i].shape;
    } catch (const Error& error) {
      throw Error(error.kind(), join("stage '", stage.name, "': ", error.what()));
    }
  }
  return shapes;
}

DType run_dtype(const Value& value, DType real) { return value.dtype == DType::f32 ? real : value.dtype; }

void run_stage(const StageInfo& stage, Inputs in, Outputs out, const RunContext& context) {
  run_as(stage, [&] { stage.operation->run(in, out, context); });
}

std::vector<Tensor> run_all(const Graph& graph, const std::map<std::string, Tensor>& bound, DType real,
                            const RunContext& context) {
  std::vector<Tensor> values(graph.values().size());
  std::map<int, Shape> given;
  for (const auto& [name, tensor] : bound) {
    const int id = graph.require(name);
    values[static_cast<size_t>(id)] = tensor.to(run_dtype(graph.value(id), real));
    given[id] = tensor.shape();
  }
  const std::vector<Shape> shapes = bind_shapes(graph, given);
  for (const StageInfo& stage : graph.stages()) {
    std::vector<ConstView> in;
    std::vector<View> out;
    for (int id : stage.inputs) in.push_back(std::as_const(values[static_cast<size_t>(id)]).view());
    for (int id : stage.outputs) {
      const auto i = static_cast<size_t>(id);
      values[i] = Tensor(run_dtype(graph.value(id), real), shapes[i]);
      out.push_back(values[i].view());
    }
    run_stage(stage, in, out, context);
  }
  return values;
}

}  // namespace limpid

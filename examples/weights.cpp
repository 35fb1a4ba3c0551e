// One's own weights in a network of one's own: they come from a file, under the names of whoever wrote it,
// and are put under the graph's.
//   c++ -std=c++20 weights.cpp $(pkg-config --cflags --libs limpid) && ./a.out
#include <limpid/engine.h>
#include <limpid/files.h>
#include <limpid/network.h>

#include <iostream>

using namespace limpid;

int main() try {
  // What another program left: PyTorch's linear keeps [out,in].
  const Tensor theirs = Tensor::of<float>(Shape::unnamed({2, 3}), {1, 2, 3, 10, 20, 30});
  const Tensor their_bias = Tensor::of<float>(Shape::unnamed({2}), {0.5f, -0.5f});
  write_safetensors("theirs.safetensors", {{"head.weight", theirs}, {"head.bias", their_bias}}, {});

  // The network that they belong to.  `transposed` takes weights that are [out,in] as they are.
  Graph graph(operations());
  const Stage x = graph.input("x", {{Axis::B, k_symbolic}, {Axis::C, 3}});
  const Stage w = graph.parameter("head.W", {{Axis::V, 2}, {Axis::C, 3}}, {});
  const Stage b = graph.parameter("head.b", {{Axis::V, 2}}, {});
  softmax(graph.scope() / "probs", linear(graph.scope() / "logits", x, w, b, {.transposed = true}), Axis::V);

  const std::map<std::string, std::string> name_of = {{"head.weight", "head.W"}, {"head.bias", "head.b"}};
  std::map<std::string, Tensor> parameters;
  for (auto& [name, tensor] : read_safetensors("theirs.safetensors").tensors) {
    const auto known = name_of.find(name);
    if (known == name_of.end()) fail_work("theirs.safetensors: no place for '", name, "'");
    const Value& value = graph.value(graph.require(known->second));
    Tensor numbers = tensor.to(DType::f32);
    numbers.reshape(value.shape);  // names the axes; refuses another count
    parameters[value.name] = std::move(numbers);
  }

  const Tensor rows = Tensor::of<float>({{Axis::B, 1}, {Axis::C, 3}}, {1, 0, -0.1f});
  std::map<std::string, ConstView> bound{{"x", rows}};
  for (const auto& [name, numbers] : parameters) bound[name] = numbers;
  const RunResult result = Engine(graph).run(bound, {.keep = {"logits", "probs"}});
  std::cout << "logits " << result["logits"].at({0, 0}) << " " << result["logits"].at({0, 1})
            << ", of 1.2 and 6.5\n";
  std::cout << "probs  " << result["probs"].at({0, 0}) << " " << result["probs"].at({0, 1}) << "\n";
} catch (const limpid::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}

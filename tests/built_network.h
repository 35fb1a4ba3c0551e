// Small networks for tests: built, with drawn parameters and inputs, and planned.
#pragma once

#include <cstring>
#include <map>
#include <random>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "engine/plan.h"
#include "engine/reference.h"
#include "limpid/network.h"

namespace limpid {

struct Built {
  Built(const NetworkConfig& config, Purpose purpose, int64_t batch, int64_t length, uint64_t seed)
      : graph(operations()) {
    build(graph, config, purpose);
    std::mt19937_64 random(seed);
    for (const Value& value : graph.values()) {
      if (value.kind == Value::Kind::parameter)
        bound[value.name] = drawn(value.shape, random, value.init.kind == Init::Kind::ones ? 1 : 0);
      if (value.kind != Value::Kind::input) continue;
      Shape shape = value.shape;
      for (int i = 0; i < shape.rank(); ++i)
        if (shape[i].size == k_symbolic) shape[i].size = shape[i].axis == Axis::B ? batch : length;
      if (value.dtype == DType::f32) {
        bound[value.name] = drawn(shape, random, 0);
        continue;
      }
      const int64_t limit = std::visit([&](const auto& c) { return limit_of(c, value.name); }, config);
      Tensor ids(DType::i64, shape);
      // With a window, rows far behind the end of a text would see nothing.
      const int64_t least = value.name == "lengths" ? length - 1 : 0,
                    most = value.name == "lengths" ? length : limit - 1;
      for (int64_t i = 0; i < ids.count(); ++i)
        ids.data<int64_t>()[i] = std::uniform_int_distribution<int64_t>(least, most)(random);
      bound[value.name] = ids;
    }
  }
  static int64_t limit_of(const GptConfig& c, const std::string&) { return c.vocabulary; }
  static int64_t limit_of(const TextbookConfig& c, const std::string& name) {
    return name == "targets" && c.outputs > 0 ? c.outputs : c.vocabulary;
  }
  static int64_t limit_of(const Architecture& a, const std::string& name) {
    if (name == "token_types") return a.inputs.token_types;
    return name == "targets" && a.head.outputs > 0 ? a.head.outputs : a.inputs.vocabulary;
  }
  static Tensor drawn(const Shape& shape, std::mt19937_64& random, double around) {
    Tensor t(DType::f64, shape);
    for (int64_t i = 0; i < t.count(); ++i)
      t.data<double>()[i] = around + std::normal_distribution<>(0, 0.4)(random);
    return t;
  }
  std::map<std::string, ConstView> views() const {
    std::map<std::string, ConstView> v;
    for (const auto& [name, tensor] : bound) v[name] = tensor;
    return v;
  }
  double value(const std::string& name) {
    return run_all(graph, bound, DType::f64, {3, 1})[static_cast<size_t>(graph.require(name))].at({});
  }

  Graph graph;
  std::map<std::string, Tensor> bound;
};

// How many attention groups, and gradients of them, a plan runs fused; and the first stage inside a group
// that it runs by itself, if any.
struct FusedGroups {
  int64_t forward = 0, backward = 0;
  std::string apart;
};
inline FusedGroups fused_groups(const Graph& graph, const Plan& plan) {
  FusedGroups out;
  for (const Plan::Step& step : plan.steps) {
    if (step.group >= 0)
      ++(graph.groups()[static_cast<size_t>(step.group)].kind == "attention" ? out.forward : out.backward);
    else if (graph.stage(step.stage).group >= 0 && out.apart.empty())
      out.apart = graph.stage(step.stage).name;
  }
  return out;
}

inline GptConfig small_gpt() {
  GptConfig c;
  c.vocabulary = 7;
  c.context = 6;
  c.layers = 2;
  c.heads = 2;
  c.width = 8;
  return c;
}

inline TextbookConfig small_textbook() {
  TextbookConfig c;
  c.vocabulary = 5;
  c.width = 4;
  c.context = 6;
  return c;
}

inline std::vector<std::string> outputs_of_training(const Graph& graph) {
  std::vector<std::string> outputs = {"loss"};
  for (const Value& value : graph.values())
    if (value.kind == Value::Kind::parameter) outputs.push_back(value.name + ".grad");
  return outputs;
}

// The plan of a step of training, from the shapes of what is bound.
inline Plan plan_of(const Built& net, const std::set<int>& wanted, const std::set<int>& edited) {
  std::map<int, Shape> shapes;
  for (const auto& [name, tensor] : net.bound) shapes[net.graph.require(name)] = tensor.shape();
  PlanRequest request;
  request.wanted = wanted;
  request.edited = edited;
  return make_plan(net.graph, bind_shapes(net.graph, shapes), request);
}

inline bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

}  // namespace limpid

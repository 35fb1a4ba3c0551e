// Traces to look at.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "byte_gpt.h"
#include "engine/reference.h"
#include "limpid/model.h"

namespace limpid {

inline Trace textbook(const std::string& text = "Life is short", TextbookConfig config = {},
                      bool parameters = false) {
  TraceOptions options;
  options.parameters = parameters;
  return Model::textbook_walk(text, config, 7).trace(text, options);
}

inline Trace gpt(const std::string& text, const GptConfig& config = byte_gpt(3)) {
  return byte_model(config).trace(text);
}

inline Trace vectors(TextbookConfig config = {}) {
  const Tensor x = Tensor::of<double>({{Axis::T, 3}, {Axis::C, 4}}, {1, 0, 1, 0, 0, 2, 0, 2, 1, 1, 1, 1});
  return Model::textbook_walk(x, config, 7).trace("");
}

inline TextbookConfig with_head(Head head, int64_t outputs) {
  TextbookConfig c;
  c.head = head;
  c.outputs = outputs;
  return c;
}

inline TextbookConfig everything() {
  TextbookConfig c;
  c.heads = 2;
  c.mask = Mask::causal;
  c.positions = Positions::sinusoidal;
  c.add_norm = true;
  return c;
}

// A training step over two sentences: the loss and every gradient are stages like the others.
inline Trace training_step() {
  TextbookConfig config = everything();
  config.vocabulary = 3;
  auto graph = std::make_shared<Graph>(operations());
  build(*graph, config, Purpose::train);
  differentiate(*graph, graph->handle(graph->require("loss")));
  std::map<std::string, Tensor> given;
  const Shape places = {{Axis::B, 2}, {Axis::T, 3}};
  given["tokens"] = Tensor::of<int64_t>(places, {0, 1, 2, 2, 1, 0});
  given["targets"] = Tensor::of<int64_t>(places, {1, 2, 0, 0, -1, 1});
  double next = 0.1;
  for (const Value& value : graph->values()) {
    if (value.kind != Value::Kind::parameter) continue;
    Tensor& w = given.emplace(value.name, Tensor(DType::f64, value.shape)).first->second;
    for (int64_t i = 0; i < w.count(); ++i) w.data<double>()[i] = next = std::fmod(next * 3.7 + 0.31, 1.0);
  }
  const std::vector<Tensor> values = run_all(*graph, given, DType::f64);
  Trace trace;
  trace.graph = graph;
  trace.vocabulary = {"Life", "is", "short"};
  for (const std::string& word : trace.vocabulary) trace.tokens.push_back({0, word, 0, 0});
  for (size_t i = 0; i < values.size(); ++i) {
    const Value& value = graph->values()[i];
    if (value.kind != Value::Kind::parameter && value.name.find("position") == std::string::npos)
      trace.values[value.name] = values[i];
  }
  return trace;
}

}  // namespace limpid

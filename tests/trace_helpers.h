// Traces to look at.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "byte_gpt.h"
#include "core/utf8.h"
#include "core/width.h"
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

inline std::string without_colour(const std::string& text) {
  static const std::regex k_code("\x1b\\[[0-9;]*m");
  return std::regex_replace(text, k_code, "");
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// No line is too wide, nothing on it moves the cursor, and all of it is UTF-8.
inline void expect_fits(const std::string& page, const PageOptions& options, const std::string& what) {
  for (const std::string& line : lines_of(options.colour ? without_colour(page) : page)) {
    ASSERT_LE(display_width(line), static_cast<size_t>(options.columns)) << what << ": " << line;
    ASSERT_TRUE(is_utf8(line)) << what;
    for (char c : line)
      ASSERT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << what << ": " << line;
    ASSERT_TRUE(options.colour || line.empty() || line.back() != ' ') << what << ": '" << line << "'";
  }
}

}  // namespace limpid

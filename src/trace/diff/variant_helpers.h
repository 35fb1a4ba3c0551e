// How variants are written: an operation with other options, other inputs, or another output.
#pragma once

#include <cstdio>
#include <string>
#include <utility>

#include "core/number_text.h"
#include "trace/diff/stage_call.h"

namespace limpid::variants {

using List = std::vector<Variant>;

inline Options with(Options options, const std::string& name, OptionValue value) {
  options.set(name, std::move(value));
  return options;
}

/// Another operation on the same inputs.
inline Variant other(std::string what, std::string kind, Options options) {
  return {std::move(what), 0, [kind = std::move(kind), options = std::move(options)](const StageCall& c) {
            return c.run(kind, options, c.in);
          }};
}

/// The same operation with one option changed.
inline Variant changed(std::string what, std::string name, OptionValue value) {
  return {std::move(what), 0, [name = std::move(name), value = std::move(value)](const StageCall& c) {
            return c.run(c.stage.operation->kind(), with(c.options(), name, value), c.in);
          }};
}

/// The same operation on an input that `change` has changed.
template <class Change>
Variant before(std::string what, size_t input, Change change) {
  return {std::move(what), 0, [input, change](const StageCall& c) {
            Tensor x = *c.in.at(input);
            change(x, c);
            Tensors in = c.in;
            in[input] = &x;
            return c.run(c.stage.operation->kind(), c.options(), in);
          }};
}

/// The same operation, its main output changed.
template <class Change>
Variant after(std::string what, Change change) {
  return {std::move(what), 0, [change](const StageCall& c) {
            std::vector<Tensor> out = c.run();
            change(out.at(0), c);
            return out;
          }};
}

/// Every number of the main output a function of the number in the first input.
template <class F>
Variant elementwise(std::string what, F f) {
  return {std::move(what), 0, [f](const StageCall& c) {
            Tensor y = *c.in.at(0);
            for (int64_t i = 0; i < y.count(); ++i) y.data<double>()[i] = f(y.data<double>()[i]);
            std::vector<Tensor> out;
            out.push_back(std::move(y));
            return out;
          }};
}

inline std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// What each operation is usually got wrong by; the table is in variants.cpp.
List of_layer_norm(const StageCall&);
List of_rms_norm(const StageCall&);
List of_rotary_angles(const StageCall&);
List of_rotary(const StageCall&);
List of_learned_positions(const StageCall&);
List of_sinusoidal_positions(const StageCall&);
List of_alibi(const StageCall&);
List of_relative_bias(const StageCall&);
List of_raw_scores(const StageCall&);
List of_scale(const StageCall&);
List of_softcap(const StageCall&);
List of_mask(const StageCall&);
List of_softmax(const StageCall&);
List of_weighted_sum(const StageCall&);
List of_linear(const StageCall&);
List of_embedding(const StageCall&);
List of_heads(const StageCall&);
List of_gelu(const StageCall&);
List of_other_activation(const StageCall&);
List of_gate(const StageCall&);
List of_add(const StageCall&);
List of_pool(const StageCall&);

}  // namespace limpid::variants

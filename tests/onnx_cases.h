// The ONNX standard's cases, as shared/data/conformance/onnx/SOURCE.txt tells they are stored.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "limpid/files.h"

namespace limpid::onnx {

/// As ONNX's own runner compares: a share of the number plus a little.
inline constexpr double k_relative = 1e-5, k_absolute = 1e-6;

inline std::filesystem::path cases_file() {
  const char* named = std::getenv("LIMPID_DATA");
  const std::filesystem::path data = named ? named : LIMPID_SOURCE_DIR "/../shared/data";
  return data / "conformance" / "onnx" / "cases.safetensors";
}

/// One case: what the operator is asked, its inputs and the expected outputs by ONNX's names.
struct OnnxCase {
  std::string name, op;
  nlohmann::json attributes;
  std::map<std::string, Tensor> inputs, outputs;

  int64_t integer(const char* attribute, int64_t otherwise) const {
    return attributes.value(attribute, otherwise);
  }
  double real(const char* attribute, double otherwise) const {
    return attributes.value(attribute, otherwise);
  }
  const Tensor& in(const char* which) const { return inputs.at(which); }
  bool has(const char* which) const { return inputs.count(which) > 0; }
};

inline std::vector<OnnxCase> read_cases(const TensorFile& file) {
  std::vector<OnnxCase> cases;
  for (const auto& [name, text] : file.metadata) {
    const nlohmann::json json = nlohmann::json::parse(text);
    OnnxCase c{name, json.at("op"), json.at("attr"), {}, {}};
    for (const auto& [key, tensor] : file.tensors) {
      if (key.rfind(name + "/", 0) != 0) continue;
      const std::string rest = key.substr(name.size() + 1), which = rest.substr(rest.find('/') + 1);
      (rest.rfind("input_", 0) == 0 ? c.inputs : c.outputs)[which] = tensor;
    }
    cases.push_back(std::move(c));
  }
  return cases;
}

/// How far the worst number is off, as a share of what is allowed.  Equal infinities are not off at all.
inline double worst(const Tensor& ours, const Tensor& expected) {
  double most = 0;
  for (int64_t i = 0; i < expected.count(); ++i) {
    const double a = ours.data<float>()[i], b = expected.data<float>()[i];
    if (a == b) continue;
    const double off = std::abs(a - b) / (k_absolute + k_relative * std::abs(b));
    if (std::isnan(off)) return std::numeric_limits<double>::infinity();
    most = std::max(most, off);
  }
  return most;
}

}  // namespace limpid::onnx

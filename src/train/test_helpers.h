#pragma once

#include <cstring>
#include <map>
#include <string>

#include "limpid/tensor.h"

namespace limpid {

inline bool same_bits(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a)
    if (std::memcmp(tensor.raw(), b.at(name).raw(), tensor.bytes()) != 0) return false;
  return true;
}

}  // namespace limpid

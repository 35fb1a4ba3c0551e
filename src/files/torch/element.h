// PyTorch's types of numbers.
#pragma once

#include <cstdint>
#include <string_view>

#include "limpid/tensor.h"

namespace limpid::torch {

struct ElementType {
  std::string_view name;     // "float32", as torch.float32
  std::string_view storage;  // "FloatStorage"; empty: it stands in storages of bytes
  uint8_t bytes = 0;
  DType dtype = DType::f32;  // what it is read as
  bool readable = true;      // else limpid has no such type
};

/// Null where PyTorch has none of that name, or it is not one of numbers that stand one after another.
const ElementType* element_named(std::string_view name);
/// The type in a storage of that name ("FloatStorage", "UntypedStorage": bytes), or null.
const ElementType* element_in(std::string_view storage);

}  // namespace limpid::torch

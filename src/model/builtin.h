// The built-in model as a file.
#pragma once

#include "limpid/files.h"

namespace limpid {

/// What messages call it.
inline constexpr const char* k_builtin_file = "the built-in model";

/// A .safetensors file, as long as the program runs.
Bytes builtin_model_bytes();

}  // namespace limpid

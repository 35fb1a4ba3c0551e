// What the files of this folder share about types.
#pragma once

#include <string>

#include "limpid/gguf.h"

namespace limpid {

/// The type's block, or null for a number that is no type.
const GgufBlock* find_block(GgufType);
/// "F32, F16, ...", those that limpid reads, for messages.
std::string readable_types();

bool is_value_type(uint32_t number);
/// Of one value; 0 for strings and arrays, whose size the file says.
uint64_t value_bytes(GgufValueType);

}  // namespace limpid

// The header of a safetensors file: from bytes to a checked list, and back.
#pragma once

#include <string>
#include <string_view>

#include "files/byte_source.h"

namespace limpid {

/// Reads the header and checks it against the size of the source: after this, every entry lies within the
/// file, its bytes are as many as its shape and type need, and each byte of data belongs to exactly one
/// tensor.
SafetensorsInfo read_safetensors_header(const ByteSource& source);

/// Length and JSON, padded with spaces so that the data starts at a multiple of 8.  Sets the entries'
/// offsets, in the order given.
std::string write_safetensors_header(SafetensorsInfo& info);

/// "F32", ..., "BOOL".
std::string_view safetensors_name(DType);

}  // namespace limpid

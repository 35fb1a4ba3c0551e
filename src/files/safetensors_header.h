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

/// The JSON of a header: tensors in any order, their offsets from the start of the data, each for itself as
/// it should be, but not yet held against the others and the size of the file.  `file` is for messages.
SafetensorsInfo parse_safetensors_json(std::string_view text, const std::string& file);

/// The name by which JSON calls the metadata.
inline constexpr std::string_view k_safetensors_metadata = "__metadata__";

/// Of a type that limpid does not have: "dtype F8_E4M3 is not supported, expected one of ...".
std::string unsupported_type(std::string_view type);

/// "F32", ..., "BOOL".
std::string_view safetensors_name(DType);

}  // namespace limpid

// The header of a GGUF file: from bytes to a checked list.
#pragma once

#include "files/byte_source.h"
#include "limpid/gguf.h"

namespace limpid {

/// Reads the header and checks it against the size of the source; see inspect_gguf.
GgufInfo read_gguf_header(const ByteSource& source);

}  // namespace limpid

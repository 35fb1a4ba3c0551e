// What the fuzz targets share.  A target is one call of `fuzzed`: whatever the bytes are, the reader returns
// or throws limpid::Error.  Anything else (another exception, a wild read, undefined behaviour, ten seconds,
// two gigabytes) is a finding, and libFuzzer writes the bytes down.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "limpid/error.h"

namespace limpid {

template <class F>
int fuzzed(const uint8_t* data, size_t size, F&& read) {
  try {
    read(std::string_view(reinterpret_cast<const char*>(data), size));
  } catch (const Error&) {
  }
  return 0;
}

}  // namespace limpid

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

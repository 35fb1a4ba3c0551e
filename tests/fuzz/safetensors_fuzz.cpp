#include "fuzz.h"
#include "limpid/files.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return limpid::fuzzed(data, size, [](std::string_view text) {
    const limpid::TensorFile file = limpid::read_safetensors(limpid::bytes_of(text), "fuzz");
    limpid::safetensors_bytes(file);  // what was read can be written
  });
}
